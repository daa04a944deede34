"""Quantities have one form, and that form is worth as much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.apiserver.quantities import canonical, worth


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1000m", "1"),
        ("0.1", "100m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("512", "512"),
        (2, "2"),
        ("0", "0"),
        ("0.5Ki", "512"),
        ("1500", "1500"),
        ("2000k", "2M"),
        ("1e3", "1e3"),
        ("1.0000000001", "1000000001n"),
    ],
)
def test_a_quantity_is_stored_in_one_form(written: str | int, stored: str) -> None:
    assert canonical(written) == stored


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1Qi", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"quantit|Invalid literal"):
        canonical(text)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_the_stored_form_is_worth_as_much_and_stays_as_it_is(number: int, suffix: str) -> None:
    stored = canonical(f"{number}{suffix}")
    assert worth(stored) == worth(f"{number}{suffix}")
    assert canonical(stored) == stored
