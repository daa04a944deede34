"""Names, labels and keys: what they may look like."""

import pytest

from sandbox.apiserver import naming


@pytest.mark.parametrize("name", ["a", "a-b", "0", "a" * 63])
def test_a_label_is_one(name: str) -> None:
    assert naming.label(name) == []


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a_b", "a" * 64])
def test_what_is_no_label_is_told_why(name: str) -> None:
    assert naming.label(name)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("app", ""),
        ("example.com/app", ""),
        ("a/b/c", "a valid label key must consist of"),
        ("/a", "prefix part must be non-empty"),
        ("A_/a", "prefix part a lowercase RFC 1123 subdomain"),
        ("a b", "name part must consist of alphanumeric characters"),
        ("", "name part must be non-empty"),
    ],
)
def test_a_key_of_labels_may_have_a_prefix(key: str, why: str) -> None:
    found = naming.qualified(key)
    assert (found == []) == (why == "")
    assert not why or found[0].startswith(why)


@pytest.mark.parametrize(
    ("name", "good"), [("http", True), ("a-b", True), ("80", False), ("a--b", False), ("A", False)]
)
def test_a_port_has_a_letter_and_single_hyphens(name: str, good: bool) -> None:  # noqa: FBT001 - a table of cases
    assert (naming.port_name(name) == []) == good
