"""Docstrings: every public function and class has one, in one style, and tells its errors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "d2lhelpers"
MODULES = sorted(PACKAGE.rglob("*.py"))
PUBLIC = [
    pytest.param(node, id=f"{path.stem}.{node.name}")
    for path in MODULES
    for node in ast.parse(path.read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
]


def refuses(node: ast.AST) -> bool:
    """Tell whether a function, or a class when it is made or called, checks its arguments."""
    if isinstance(node, ast.ClassDef):
        node = ast.Module([part for part in node.body if getattr(part, "name", "") in INSIDE], [])
    calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    return any(getattr(called, "id", "").startswith("check_") for called in calls)


INSIDE = {"__init__", "__post_init__", "forward"}


@pytest.mark.parametrize("node", PUBLIC)
def test_a_docstring_tells_what_is_returned_and_refused(node: ast.FunctionDef) -> None:
    text = ast.get_docstring(node) or ""
    first = text.split("\n")[0]
    assert first.endswith((".", ":")), f"the first line is a sentence: {first!r}"
    if node.name.startswith("check_"):
        assert text.startswith("Raise "), "a check says what it raises"
        return
    assert not re.search(r"\bRaises (`|as )", text), "errors stand under `Raises:`"
    told = re.search(r"^Raises:$|errors as of", text, re.MULTILINE)
    assert told or not refuses(node), "it refuses arguments and does not say which"
    for heading in ("Args:", "Returns:", "Raises:"):
        assert not re.search(rf"^{heading} \S", text, re.MULTILINE), f"{heading} on a line alone"
