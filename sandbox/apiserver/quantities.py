"""Quantities (`100m`, `1.5Gi`): what they are worth, and the one way in which kube-apiserver writes each.

Used by `schema.py` for the quantities of built-in kinds, and by validation to compare them.
"""

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_BINARY = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_EXPONENTS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL = {exponent: suffix for suffix, exponent in _EXPONENTS.items()}
_SMALLEST, _LARGEST, _STEP = -9, 18, 3
_KIBI = 1024

WHY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def worth(text: str) -> Fraction:
    """The number that a quantity stands for. Raises ValueError where it is none."""
    return _parse(text)[0]


def canonical(value: str | float) -> str:
    """As it is stored: `1000m` is `1`, `1.5Gi` is `1536Mi`. Raises ValueError where it is no quantity."""
    number, suffix = _parse(str(value))
    if suffix in _BINARY and suffix and abs(number) >= _KIBI:
        return _binary(ceil(number))
    return _decimal(number, exponential=bool(suffix) and suffix not in _EXPONENTS and suffix not in _BINARY)


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[Fraction, str]:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(WHY)
    digits, suffix = found.groups()
    if suffix in _BINARY:
        factor = Fraction(_BINARY[suffix])
    elif suffix in _EXPONENTS:
        factor = Fraction(10) ** _EXPONENTS[suffix]
    elif re.fullmatch(r"[eE][-+]?[0-9]+", suffix):
        factor = Fraction(10) ** int(suffix[1:])
    else:
        raise ValueError("unable to parse quantity's suffix")
    return Fraction(digits) * factor, suffix


def _binary(number: int) -> str:
    for suffix, factor in reversed(_BINARY.items()):
        if number % factor == 0:
            return f"{number // factor}{suffix}"
    raise AssertionError("every whole number is a multiple of one")


def _decimal(number: Fraction, *, exponential: bool) -> str:
    """Nothing finer than a billionth is kept: what is left over is rounded up."""
    count, exponent = ceil(number * 10**-_SMALLEST), _SMALLEST
    while count and count % 1000 == 0 and exponent < _LARGEST:
        count, exponent = count // 1000, exponent + _STEP
    if not count:
        return "0"
    if exponential:
        return f"{count}e{exponent}" if exponent else str(count)
    return f"{count}{_DECIMAL[exponent]}"
