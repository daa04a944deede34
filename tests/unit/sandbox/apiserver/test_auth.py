"""Tokens end when they should, and names of service accounts are read without being fooled."""

import pytest

from sandbox.apiserver.access.tokens import ADMIN, ANONYMOUS, Tokens, named_service_account, service_account


def test_a_token_is_good_until_its_time_is_over() -> None:
    now = 0.0
    tokens = Tokens(lambda: now)
    token = tokens.issue(ADMIN, 600)
    now = 599.9
    assert tokens.user(token) == ADMIN
    now = 600.0
    assert tokens.user(token) is None


def test_tokens_of_a_deleted_account_are_good_no_longer_and_all_others_are() -> None:
    tokens = Tokens()
    gone, kept = (tokens.issue(service_account("test", "app", uid)) for uid in ("1", "2"))
    tokens.revoke("1")
    assert tokens.user(gone) is None
    assert tokens.user(kept) is not None


@pytest.mark.parametrize("header", ["Bearer x", "Basic x", "x", "Bearer"])
def test_a_header_that_is_not_known_is_nobody(header: str) -> None:
    assert Tokens().from_header(header) is None


def test_no_header_is_anonymous() -> None:
    assert Tokens().from_header("") == ANONYMOUS


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("system:serviceaccount:a:b", ("a", "b")),
        ("system:serviceaccount:a:b:c", None),
        ("system:serviceaccount::b", None),
        ("system:serviceaccount:a", None),
        ("a:b", None),
        ("system:node:a", None),
    ],
)
def test_a_user_is_a_service_account_by_the_whole_of_his_name(
    name: str, account: tuple[str, str] | None
) -> None:
    assert named_service_account(name) == account
