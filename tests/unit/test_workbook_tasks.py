"""Tasks of the workbooks: what the metadata may say, and what stops the build, at its place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from course import tasks
from course.tasks import Task, ask_checks, complete, prepared, tasks_of
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.errors import ExtensionError

GOOD = {"check": "double", "blank": "double", "minutes": 5}
SOURCE = "def double(x):\n    return 2 * x\n\n\nprint(double(2))"
TOLD = {
    "double": {
        "title": "Doubling",
        "doc": "Return twice x, any number.",
        "wanted": "double",
        "variants": 2,
        "mistake": "",
    }
}


def page(*metadata: Any) -> NotebookNode:
    """Return a page with a text on line 1 and cells with these tasks from line 11 on."""
    cells = [new_code_cell(SOURCE, metadata={"task": task}) for task in metadata]
    lines = [0, *(10 + 10 * i for i in range(len(cells)))]
    return new_notebook(cells=[new_markdown_cell("# A"), *cells], metadata={"source_map": lines})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a package of one function."""
    (tmp_path / "d2lhelpers").mkdir()
    module = 'def double(x: int, *, n: int = 2) -> int:\n    """Twice."""\n    return n * x\n'
    (tmp_path / "d2lhelpers" / "numbers.py").write_text(module)
    return tmp_path


def test_a_task_is_read_with_its_place() -> None:
    (task,) = tasks_of("book/a.md", page({**GOOD, "read": "sec-a", "blank": ["A.f", "A.g"]}))
    assert task == Task("book/a.md:11", 1, "double", ("A.f", "A.g"), 5, ("sec-a",))
    assert tasks_of("book/a.md", new_notebook(cells=[new_code_cell("1")])) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({**GOOD, "minutes": None}, "task double: minutes is None"),
        ({"check": "double", "blank": "double"}, "task double: minutes is None"),
        ({**GOOD, "minutes": "5"}, "task double: minutes is '5'"),
        ({**GOOD, "minutes": 0}, "task double: minutes is 0"),
        ({"check": "double", "minutes": 5}, "is no task: write task:"),
        ({**GOOD, "blanc": "x"}, "is no task: write task:"),
        ("double", "'double' is no task: write task:"),
    ],
)
def test_metadata_that_are_no_task_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ExtensionError, match=f"^book/a.md:11: .*{message}"):
        tasks_of("book/a.md", page(given))


FAULTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"check": "treble"}, {}, r"TASKS has no entry 'treble': add one"),
    ({}, {"variants": 0}, "its check has no wrong variants: add some"),
    ({}, {"mistake": "the wrong variant half passes"}, "the wrong variant half passes"),
    ({"blank": "triple"}, {"wanted": "triple"}, "does not define triple; it defines double"),
    ({"blank": "triple"}, {}, "its check is of double, and blank names"),
    ({}, {"doc": ""}, "double has no docstring"),
    ({"blank": "d2lhelpers.nothing.double"}, {}, r"there is no module d2lhelpers\.nothing"),
    ({"blank": "d2lhelpers.numbers.double"}, {}, "does not say `from d2lhelpers.numbers import"),
]


@pytest.mark.parametrize(("given", "entry", "message"), FAULTS)
def test_a_task_that_nobody_could_solve_is_refused(
    given: dict[str, Any],
    entry: dict[str, Any],
    message: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "d2lhelpers").mkdir()
    (tmp_path / "d2lhelpers" / "numbers.py").touch()
    (task,) = tasks_of("book/a.md", page({**GOOD, **given}))
    with pytest.raises(ExtensionError, match=rf"^book/a\.md:11: task \w+: .*{message}"):
        complete(task, SOURCE, {"double": {**TOLD["double"], **entry}}, tmp_path)


def test_a_function_of_the_package_is_written_in_the_cell(folder: Path) -> None:
    (task,) = tasks_of("book/a.md", page({**GOOD, "blank": "d2lhelpers.numbers.double"}))
    source = "from d2lhelpers.numbers import double\n\nprint(double(1))"
    whole = complete(task, source, {"double": {**TOLD["double"], "doc": ""}}, folder)
    assert whole.cut(prepared(whole, source, folder)) == (
        'print(double(1))\n\n\ndef double(x, *, n=2):\n    """Twice."""\n'
        '    raise NotImplementedError("your turn")'
    )


def test_a_check_is_used_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "read", lambda env, name: page(GOOD, GOOD))
    monkeypatch.setattr(tasks, "checks", lambda env: TOLD)
    env = SimpleNamespace(srcdir=folder, found_docs={"book/a"}, doc2path=lambda name: f"{name}.md")
    with pytest.raises(ExtensionError, match=r"a\.md:21: .* used twice, also in book/a\.md:11"):
        tasks.register(None, env, ["book/a"])  # type: ignore[arg-type]


def test_a_package_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    (tmp_path / "d2lhelpers" / "check").mkdir(parents=True)
    for name in ("__init__.py", "check/core.py"):
        (tmp_path / "d2lhelpers" / name).touch()
    (tmp_path / "d2lhelpers" / "check" / "__init__.py").write_text(
        "raise ValueError('task a has no variants: give it at least one')"
    )
    with pytest.raises(ExtensionError, match="task a has no variants: give it at least one"):
        ask_checks(tmp_path)
