"""Manifests as people write them: documents, lists, folders, and the line of every field."""

import io
from pathlib import Path

import pytest

from cli.lint import files
from cli.lint.files import Files, Manifest

CANARY = """\
apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: podinfo
  annotations:
    example.com/a.b: c
spec:
  analysis:
    stepWeights:
      - 10
      - 5
    metrics:
      - name: errors
        thresholdRange: {min: 1}
      -
        name: other
"""


def read(text: str) -> Files:
    return files.read(["-"], io.StringIO(text))


def manifest(text: str) -> Manifest:
    (found,) = read(text).objects
    return found


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("", 1),
        ("metadata.name", 4),
        ("metadata.annotations.example.com/a.b", 6),
        ("metadata.annotations[example.com/a.b]", 6),
        ("spec.analysis", 8),
        ("spec.analysis.stepWeights", 9),
        ("spec.analysis.stepWeights[1]", 11),
        ("spec.analysis.metrics[0].thresholdRange.min", 14),
        ("spec.analysis.metrics[1].name", 16),
        ("spec.analysis.metrics[1].query", 16),
        ("spec.analysis.metrics[7]", 12),
        ("spec.service.port", 7),
        ("status", 1),
    ],
)
def test_a_field_is_found_on_its_line_or_where_it_would_be(field: str, line: int) -> None:
    assert manifest(CANARY).line(field) == line


def test_every_document_and_every_item_of_a_list_is_an_object() -> None:
    pods = "kind: List\nitems:\n  - kind: Pod\n    metadata: {name: a}\n  - kind: Pod\n"
    text = f"{CANARY}---\n# nothing\n---\n{pods}"
    found = read(text).objects
    assert [each.obj["kind"] for each in found] == ["Canary", "Pod", "Pod"]
    assert found[1].line("metadata.name") == 23
    assert found[2].line("") == 24


def test_json_is_read_with_its_lines() -> None:
    text = '{\n  "kind": "Canary",\n  "metadata": {\n    "name": "podinfo"\n  }\n}\n'
    assert manifest(text).line("metadata.name") == 4


def test_an_object_without_a_namespace_goes_where_kubectl_puts_it() -> None:
    assert manifest(CANARY).obj["metadata"]["namespace"] == "default"


def test_dates_and_odd_keys_are_what_json_would_have() -> None:
    obj = manifest("kind: ConfigMap\ndata:\n  day: 2026-11-22\n  2: a\n  true: b\n").obj
    assert obj["data"] == {"day": "2026-11-22", "2": "a", "true": "b"}


@pytest.mark.parametrize("text", ["", "---\n", "- kind: Pod\n", "just text\n", "a: 1\n", "kind: 5\n"])
def test_what_is_no_object_is_passed_over(text: str) -> None:
    assert read(text) == Files((), ())


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("kind: Pod\nspec: [\n", 3, "is no YAML: did not find expected node content"),
        ("kind: Pod\nspec:\n  a: 1\n  b: 2\n  a: 3\n", 5, 'is no YAML: key "a" is there twice'),
        ("&a [*a]\n", 1, "is no YAML"),
        ("kind: Pod\n" + "- " * 200_000, 2, "is no YAML"),
        ("kind: Pod\na: " + "[" * 200_000, 2, "nested more than 100 levels deep"),
        ("kind: Pod\na: " + "{b: " * 200_000, 2, "nested more than 100 levels deep"),
        ("kind: Pod\x00\n", 1, "is no YAML"),
        ("? {a: 1}\n: 2\n", 1, "is no YAML"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(text: str, line: int, message: str) -> None:
    (found,) = read(text).unreadable
    assert (found.file, found.line) == ("<stdin>", line)
    assert message in found.message


@pytest.mark.parametrize("tag", ["!Ref", "!!python/object/apply:os.abort", "!vault"])
def test_tags_of_other_programs_are_as_good_as_none(tag: str) -> None:
    obj = manifest(f"kind: Pod\na: {tag} [x]\nb: {tag} {{c: d}}\ne: {tag} f\n").obj
    assert (obj["a"], obj["b"], obj["e"]) == (["x"], {"c": "d"}, "f")


def test_references_to_references_take_no_time() -> None:
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)]
    assert manifest("\n".join(["kind: Pod", "a0: &a0 [x]", *levels])).obj["kind"] == "Pod"


def test_a_file_that_is_not_there_is_said_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "canary.yaml").write_text(CANARY)
    found = files.read([str(tmp_path / "nosuch.yaml"), str(tmp_path / "canary.yaml")], io.StringIO())
    assert [each.message for each in found.unreadable] == ["cannot be read: No such file or directory"]
    assert len(found.objects) == 1


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "canary.yaml").write_bytes(b"kind: \xff\xfe")
    (found,) = files.read([str(tmp_path)], io.StringIO()).unreadable
    assert "can't decode" in found.message


def test_a_folder_stands_for_the_manifests_in_it_in_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a/c.json", "a/d.yaml", "notes.md", ".git/e.yaml", ".hidden.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"kind": "Pod"}')
    found = files.read([str(tmp_path), str(tmp_path / "b.yml")], io.StringIO()).objects
    assert [each.file.removeprefix(f"{tmp_path}/") for each in found] == ["a/c.json", "a/d.yaml", "b.yml"]
