"""Checks of arguments: each error names the input, the rule and the fix."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


def check_int(**values: object) -> None:
    """Raise `TypeError` unless every named value is an int."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is {value!r}: it must be an int; pass a whole number")


def check_positive_int(**values: Any) -> None:
    """Raise `ValueError` (or `TypeError`) unless every named value is an int of at least 1."""
    check_int(**values)
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} is {value}: it must be positive; pass 1 or more")


def check_positive(**values: float) -> None:
    """Raise `ValueError` (or `TypeError`) unless every named value is finite and above 0."""
    for name, value in values.items():
        if not isinstance(value, Real):
            raise TypeError(f"{name} is {value!r}: it must be a number; pass one above 0")
        if not (math.isfinite(value) and value > 0):
            raise ValueError(
                f"{name} is {value}: it must be finite and above 0; pass such a number"
            )
