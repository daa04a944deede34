"""Queries with names to fill in: what is understood, what is refused, and that values stay values."""

import pytest

from shared import query_template
from shared.errors import InvalidSpec
from shared.types.canary import Metric
from tests.builders import canary

VALUES = {"namespace": "test", "target": "podinfo", "interval": "1m"}


def render(text: str, **variables: str) -> str:
    return query_template.render(text, VALUES, variables)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("up", "up"),
        ("", ""),
        ("rate(x[{{ interval }}])", "rate(x[1m])"),
        ("{{namespace}}-{{  target  }}", "test-podinfo"),
        ("a  {{- /* why */ -}}  b", "ab"),
        ("a {{/* }} is fine in here */}} b", "a  b"),
        ("a\n  {{- interval -}}\n  b", "a1mb"),
        ("a {{- interval }} b", "a1m b"),
        ("a {{ interval -}} b", "a 1mb"),
        ("{{ interval -}} {{- target }}", "1mpodinfo"),
        ("{{\n  interval\n}}", "1m"),
        ('sum(x{a="b"}) }} y', 'sum(x{a="b"}) }} y'),
        ("{{/* one */}} mid {{/* two */}}", " mid "),
    ],
)
def test_names_comments_and_trimming_are_those_of_go(text: str, rendered: str) -> None:
    assert render(text) == rendered


def test_variables_are_filled_in_by_key() -> None:
    assert render('x{code="{{ variables.code }}"}', code="5..") == 'x{code="5.."}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{{ nope }}",
            "line 1, column 1: nope is not known; known are interval, namespace, target, variables.KEY",
        ),
        (
            "a\n b {{ variables.code }}",
            "line 2, column 4: variable code is not set; set templateVariables.code",
        ),
        ("{{ variables }}", "line 1, column 1: variables is not known"),
        ("{{ target.x }}", "target.x is not known"),
        ("{{ .Namespace }}", "'.Namespace' is not supported"),
        ("{{ if target }}x{{ end }}", "'if target' is not supported"),
        ('{{ printf "%s" target }}', "is not supported"),
        ("{{ target | len }}", "is not supported"),
        ("{{-target }}", "'-target' is not supported"),
        ("{{}}", "'' is not supported"),
        ("a {{ target", "line 1, column 3: {{ is never closed"),
        ("a {{/* never", "line 1, column 3: {{ is never closed"),
        ("{{/* a */ target }}", "is not supported"),
    ],
)
def test_anything_else_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        render(text)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        'x{a="{{ variables.v }}"}',
        "x{a='{{ variables.v }}'}",
        "x{a=`{{ variables.v }}`}",
        "x[{{ variables.v }}]",
        "x # {{ variables.v }}\n",
    ],
)
@pytest.mark.parametrize("value", ['"', "'", "`", "\n", "\\", "a) or vector(1", "}"])
def test_a_value_never_ends_what_it_stands_in(text: str, value: str) -> None:
    """What is refused or not depends on the place; whatever passes leaves all around it as it was."""
    try:
        rendered = render(text, v=value)
    except InvalidSpec as refused:
        assert "the value of variables.v may not stand" in str(refused)
        return
    before, _, after = text.partition("{{ variables.v }}")
    opening = before[-1] if before[-1] in "\"'`" else ""
    assert opening or "#" in before, "outside of strings only plain words pass"
    assert rendered == before + value + after
    assert not opening or opening not in value.replace(f"\\{opening}", "")


@pytest.mark.parametrize("value", ["5..", "a|b", r"\\d+", r"\"quoted\"", "(x)", "it's", "ünï"])
def test_a_string_takes_whatever_does_not_end_it(value: str) -> None:
    assert render('x{a=~"{{ variables.v }}"}', v=value) == f'x{{a=~"{value}"}}'


def test_a_backslash_cannot_reach_into_what_is_filled_in() -> None:
    with pytest.raises(InvalidSpec, match="a backslash right before"):
        render('x{a="\\{{ variables.v }}"}', v='\\" or up or "')


def test_quotes_in_a_comment_open_no_string() -> None:
    with pytest.raises(InvalidSpec, match="outside of strings"):
        render("# don't\nx[{{ variables.v }}]", v="1m]) or vector(1")


def test_a_canary_gives_the_names_that_templates_use() -> None:
    of = canary(service={"name": "web", "port": 80})
    assert query_template.values_of(of, Metric(name="m")) == {
        "name": "podinfo",
        "namespace": "test",
        "target": "podinfo",
        "service": "web",
        "ingress": "podinfo",
        "route": "podinfo",
        "interval": "1m",
    }


@pytest.mark.parametrize("value", ['"', ") or vector(1", "}"])
def test_a_comment_does_not_hide_that_a_string_was_opened_before_it(value: str) -> None:
    with pytest.raises(InvalidSpec, match="outside of strings"):
        render('x{a="{{/* why */}}b"} + {{ variables.v }}', v=value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("up", set()),
        ("{{ target }}{{/* variables.no */}}", set()),
        ("{{ variables.a }}{{variables.b}}", {"a", "b"}),
    ],
)
def test_the_variables_of_a_template_are_known_without_their_values(text: str, keys: set[str]) -> None:
    assert query_template.variables_of(text) == keys


@pytest.mark.parametrize("text", ["{{ nope }}", "{{ if target }}", "{{ target", "{{ variables }}"])
def test_a_template_that_cannot_be_read_has_no_variables(text: str) -> None:
    with pytest.raises(InvalidSpec, match="line 1, column 1"):
        query_template.variables_of(text)


@pytest.mark.parametrize(
    "text", ["{{" + " " * 16382, "{{ " * 5461, "{{/*" * 4096, "{{}}" * 4096, "{{ -" * 4096, '"\\' * 8192]
)
def test_hostile_templates_of_the_longest_size_are_read_in_one_go(text: str) -> None:
    """With backtracking the first of these takes hours."""
    try:
        query_template.variables_of(text)
    except InvalidSpec as refused:
        assert "line 1, column" in str(refused) or "at most 256 names" in str(refused)


def test_a_query_names_few_enough_values_to_stay_one() -> None:
    assert render("{{ target }}" * 256) == "podinfo" * 256
    with pytest.raises(InvalidSpec, match="must have at most 256 names to fill in"):
        render("{{ target }}" * 257)
