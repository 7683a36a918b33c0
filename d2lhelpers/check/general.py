"""Mistakes that any program can make, told from the first difference alone.

A wrong variant of a task knows more, so these names are given only where none fits.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

NO_NUMBER = (
    "not_a_number",
    "Your result is infinite or not a number (NaN): somewhere a number is divided by zero, or a "
    "logarithm or a root is taken of a number for which there is none.",
)
UNKNOWN_NAME = (
    "unknown_name",
    "Your code uses a name that it does not define. It gets all that it needs as arguments; a "
    "variable of another cell is not there.",
)
NONE_RETURNED = (
    "nothing_returned",
    "Your code returns nothing, which is `None` in Python: the last line needs a `return`.",
)


def in_general(found: Any, expected: Any) -> tuple[str, str] | None:
    """Return the name of a mistake, and what it means, if two values show one of any program.

    Args:
        found: what was seen of the program: a value, its description, or the problem it ran into.
        expected: what was to be seen.
    """
    if getattr(found, "kind", "") in ("NameError", "UnboundLocalError"):
        return UNKNOWN_NAME
    if isinstance(found, str) and found in ("`None`", "None"):
        return NONE_RETURNED
    if isinstance(found, str) and found in ("nan", "inf"):
        return NO_NUMBER
    if isinstance(expected, Tensor):
        return of_tensor(found, expected)
    if isinstance(expected, float) and isinstance(found, float):
        return NO_NUMBER if math.isfinite(expected) and not math.isfinite(found) else None
    if isinstance(expected, float) and isinstance(found, str):
        return (
            "kind_of_result",
            f"Your code gives {found} where a number is expected.",
        )
    if isinstance(found, str) and isinstance(expected, str):
        types = [re.fullmatch(r"torch\.\w+", value) for value in (found, expected)]
        if all(types):
            return of_type(found, expected)
    return None


def of_tensor(found: Any, expected: Tensor) -> tuple[str, str] | None:
    """Tell what is wrong with what should be a certain tensor, if it is something general."""
    if not isinstance(found, Tensor):
        return "kind_of_result", "Your code gives something else where a tensor is expected."
    if found.dtype != expected.dtype and found.shape == expected.shape:
        return of_type(str(found.dtype), str(expected.dtype))
    if found.shape == expected.shape and bool((expected.isfinite() & ~found.isfinite()).any()):
        return NO_NUMBER
    return None


def of_type(found: str, expected: str) -> tuple[str, str]:
    """Return what it means that numbers are of another type."""
    says = f"Your numbers are of type {found.removeprefix('torch.')}, and they should be "
    says += f"{expected.removeprefix('torch.')}: "
    if torch.int64 == getattr(torch, found.removeprefix("torch."), None):
        says += "whole numbers have lost what stands behind the point, and carry no gradient."
    elif "int" in expected:
        says += "they number symbols or steps, so they are whole numbers."
    else:
        says += "what is computed from inputs is of their type. Name no type of your own."
    return "dtype_of_result", says
