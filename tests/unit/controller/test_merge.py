"""Merge patches by example; `tests/property` has the laws."""

from controller.merge import merge_diff, missing_from


def test_a_key_that_must_go_is_null() -> None:
    assert merge_diff({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1}}) == {"a": None, "b": {"d": None}}


def test_lists_are_replaced_whole() -> None:
    assert merge_diff({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"c": 2}]}) == {"a": [{"b": 1}, {"c": 2}]}


def test_nothing_is_missing_when_others_added_to_the_object() -> None:
    assert missing_from({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1}}) == {}


def test_only_what_differs_is_sent() -> None:
    assert missing_from({"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2, "e": 3}}) == {"b": {"c": 2, "e": 3}}


def test_none_asks_for_a_key_to_be_absent() -> None:
    assert missing_from({"a": 1}, {"a": None, "b": None}) == {"a": None}
