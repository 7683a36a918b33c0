"""Tasks: cells of a chapter whose code a reader writes in the workbook, named by their metadata.

A cell is made a task by its metadata, and by nothing else::

    ---
    task: {check: gru, blank: GRU.forward, minutes: 25, read: [sec-gru-equations]}
    ---

``check`` names the check, `d2lhelpers.check.gru`. ``blank`` names what is to be written, or a list
of it: functions or methods that the cell defines, or, as ``d2lhelpers.batches.random_batches``, a
function that it imports. ``read`` names sections whose text comes before that of the cell's own
section; above the cell of a solution stands the text of its exercise. ``doc`` is the docstring of
the blank, where neither the check nor the cell nor the package has one. What is wrong with a task
stops the build, with file and line, before anything is executed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from course import blanks
from course.cache import PACKAGE
from course.notebooks import read

FORM = "task: {check: NAME, blank: FUNCTION, minutes: 10}"
KEYS = {"check", "blank", "minutes", "read", "doc"}
# What a check says of itself. An audit fails if a wrong variant passes, or none can be told.
ASK = """
import json, sys
from PACKAGE import check
from PACKAGE.check.core import audit
told = {}
for name, task in check.TASKS.items():
    try:
        mistake = ""
        audit(task)
    except ValueError as error:
        mistake = str(error)
    told[name] = {
        "title": task.title, "doc": task.doc or "", "wanted": task.wanted[1],
        "variants": len(task.variants), "mistake": mistake,
    }
json.dump(told, sys.stdout)
""".replace("PACKAGE", PACKAGE)


@dataclass(frozen=True)
class Task:
    """A task of a chapter: the cell that holds it, by number, and what its metadata say."""

    place: str  # file and line
    cell: int
    check: str
    blank: tuple[str, ...]
    minutes: int
    read: tuple[str, ...]
    doc: str = ""
    title: str = ""
    wanted: str = ""
    docs: tuple[str, ...] = ()  # of each blank, where its cell has none

    def fail(self, what: str) -> ExtensionError:
        """Return the error that stops the build."""
        return ExtensionError(f"{self.place}: task {self.check}: {what}")

    @property
    def heads(self) -> set[str]:
        """The names of the classes and functions to be written."""
        return {name.partition(".")[0] for name in self.local}

    @property
    def local(self) -> tuple[str, ...]:
        """The blanks as they are called in the cell: without the module of the package."""
        return tuple(n.rpartition(".")[2] if is_packaged(n) else n for n in self.blank)

    def cut(self, code: str) -> str:
        """Return the code of the cell with nothing where the blanks are."""
        return blanks.cut(code, dict(zip(self.local, self.docs, strict=True)))


def is_packaged(blank: str) -> bool:
    """Tell whether a blank is a function of the package."""
    return blank.startswith(f"{PACKAGE}.")


def docstrings(folder: Path) -> dict[str, str]:
    """Return the docstrings of the package's functions and methods, by name as in a cell."""
    found: dict[str, str] = {}
    for path in sorted((folder / PACKAGE).glob("*.py")):
        for name, node in blanks.functions(path.read_text(encoding="utf-8")).items():
            found.setdefault(name, ast.get_docstring(node) or "")
    return found


def prepared(task: Task, source: str, folder: Path) -> str:
    """Return the source of a task's cell with every blank as a function that it defines.

    A function of the package is imported no more; its head, without a body, stands in the cell.
    """
    for blank in task.blank:
        module, _, name = blank.rpartition(".")
        if not is_packaged(blank):
            continue
        path = folder.joinpath(*module.split(".")).with_suffix(".py")
        if not path.is_file():
            raise blanks.BlankError(f"blank: there is no module {module}")
        source = blanks.without_import(source, module, name).strip("\n")
        head = blanks.head_of(path.read_text(encoding="utf-8"), name)
        source = f"{source}\n\n\n{head}".lstrip("\n")
    return source


def tasks_of(place: str, notebook: nbformat.NotebookNode) -> list[Task]:
    """Return the tasks that the metadata of a page's cells name.

    Raises `ExtensionError` with file and line for metadata that are no task.
    """
    found = []
    lines = notebook.metadata.get("source_map", [])
    for number, cell in enumerate(notebook.cells):
        given = cell.metadata.get("task") if cell.cell_type == "code" else None
        if given is None:
            continue
        at = f"{place}:{lines[number] + 1 if number < len(lines) else 1}"
        if not isinstance(given, dict) or not {"check", "blank"} <= given.keys() <= KEYS:
            raise ExtensionError(f"{at}: {given!r} is no task: write {FORM}")
        blank, labels = given["blank"], given.get("read", [])
        names = [blank] if isinstance(blank, str) else blank
        minutes = given.get("minutes")
        if type(minutes) is not int or not 1 <= minutes <= 60:
            raise ExtensionError(
                f"{at}: task {given['check']}: minutes is {minutes!r}: say how long it takes, as "
                "in `minutes: 10`"
            )
        labels = [labels] if isinstance(labels, str) else labels
        doc = given.get("doc", "")
        found.append(Task(at, number, given["check"], tuple(names), minutes, tuple(labels), doc))
    return found


def ask_checks(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the checks of the package in a folder say of themselves, in a new process."""
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    result = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise ExtensionError(f"{folder / PACKAGE / 'check'} cannot be loaded:\n{result.stderr}")
    told: dict[str, dict[str, Any]] = json.loads(result.stdout)
    return told


def state_of_package(folder: Path) -> str:
    """Return a hash of all code of the package: checks, and docstrings for blanks."""
    sources = sorted((folder / PACKAGE).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def complete(task: Task, source: str, told: dict[str, dict[str, Any]], folder: Path) -> Task:
    """Return a task with all that its check says, held to its cell.

    Raises `ExtensionError` for a task that nobody could solve, or that is not checked.
    """
    if task.check not in told:
        raise task.fail(f"{PACKAGE}.check.TASKS has no entry {task.check!r}: add one")
    entry = told[task.check]
    if not entry["variants"]:
        raise task.fail("its check has no wrong variants: add some, or it can name no mistake")
    if entry["mistake"]:
        raise task.fail(entry["mistake"])
    if entry["wanted"] not in task.heads:
        raise task.fail(f"its check is of {entry['wanted']}, and blank names {task.blank}")
    known = docstrings(folder)
    docs = [task.doc or entry["doc"], *("" for _ in task.local[1:])]
    own = blanks.functions(source)
    for i, name in enumerate(task.local):
        has_own = name in own and ast.get_docstring(own[name])
        docs[i] = docs[i] or ("" if has_own else known.get(name, ""))
    task = replace(task, title=entry["title"], wanted=entry["wanted"], docs=tuple(docs))
    try:
        task.cut(prepared(task, source, folder))
    except blanks.BlankError as error:
        raise task.fail(str(error)) from None
    return task


def register(app: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
    """Note the tasks of the pages that are about to be read, before anything is executed."""
    known, folder = tasks(env), Path(env.srcdir)
    for page in [page for page in known if page in pages or page not in env.found_docs]:
        del known[page]
    for page in pages:
        if (notebook := read(env, page)) is None:
            continue
        for task in tasks_of(str(env.doc2path(page)), notebook):
            for other in [other for own in known.values() for other in own]:
                if other.check == task.check:
                    raise task.fail(f"its check is used twice, also in {other.place}")
            source = notebook.cells[task.cell].source
            known.setdefault(page, []).append(complete(task, source, checks(env), folder))


def tasks(env: BuildEnvironment) -> dict[str, list[Task]]:
    """Return the tasks of each page that has any."""
    found: dict[str, list[Task]] = env.__dict__.setdefault("course_tasks", {})
    return found


def checks(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """Return what the checks say of themselves, asked once for each state of the package."""
    state = state_of_package(Path(env.srcdir))
    if getattr(env, "course_checks", ("", {}))[0] != state:
        env.course_checks = state, ask_checks(Path(env.srcdir))  # type: ignore[attr-defined]
    told: dict[str, dict[str, Any]] = env.course_checks[1]  # type: ignore[attr-defined]
    return told


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Read the pages with tasks again when the package, and so perhaps a check, is another one."""
    known = getattr(env, "course_checks", ("", {}))[0]
    stale = known != state_of_package(Path(env.srcdir))
    return sorted(set(tasks(env)) - removed) if stale else []


def setup(app: Sphinx) -> None:
    """Look at the tasks when it is known which pages are read, before one is executed."""
    app.connect("env-get-outdated", outdated)
    app.connect("env-before-read-docs", register, priority=400)
