"""The workbooks as files: the text of the chapter, blanks and checks, and no solution anywhere."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import jupytext
import nbformat
import pytest
from course import notebooks
from course.blanks import EMPTY, functions
from course.tasks import is_packaged
from course.workbook import KIND
from nbformat import NotebookNode
from test_plain import markdown, raw
from test_same_text import lost, notebook_blocks

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "_build" / "html" / "notebooks" / "workbook"
WORKBOOKS = sorted(FOLDER.glob("*.ipynb")) or [FOLDER / "none-because-the-site-is-not-built.ipynb"]


@pytest.fixture(params=WORKBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Each workbook of the site."""
    if not request.param.is_file():
        pytest.fail(f"there is no workbook in {FOLDER}: run `make site`", pytrace=False)
    return request.param


def tasks_of(page: Path) -> dict[str, NotebookNode]:
    """Return the cells of a chapter's source that are tasks, by the name of the check."""
    cells = jupytext.read(page).cells
    return {cell.metadata["task"]["check"]: cell for cell in cells if "task" in cell.metadata}


def names_of(cell: NotebookNode) -> list[str]:
    """Return what is to be written in a task's cell."""
    blank = cell.metadata["task"]["blank"]
    return [blank] if isinstance(blank, str) else list(blank)


def bodies(cell: NotebookNode) -> set[str]:
    """Return the lines that solve a task, without those too short to say anything."""
    lines: set[str] = set()
    for name in names_of(cell):
        source = cell.source
        if is_packaged(name):
            source = (ROOT / Path(*name.split(".")[:-1])).with_suffix(".py").read_text("utf-8")
            name = name.rpartition(".")[2]
        node = functions(source)[name]
        body = node.body[1:] if ast.get_docstring(node) else node.body
        found = source.split("\n")[body[0].lineno - 1 : body[-1].end_lineno]
        lines |= {line.strip() for line in found if len(line.strip()) > 24}
    return lines


def test_every_task_of_a_chapter_is_in_its_workbook() -> None:
    named = {page.stem: list(tasks_of(page)) for page in (ROOT / "book").glob("*.md")}
    named = {page: tasks for page, tasks in named.items() if tasks}
    assert sum(map(len, named.values())) >= 14
    for kind in ("blank", "check"):
        found = {
            path.stem: [
                cell.metadata[KIND][kind]
                for cell in nbformat.read(path, as_version=4).cells
                if kind in cell.metadata.get(KIND, {})
            ]
            for path in WORKBOOKS
        }
        assert found == named


def test_no_solution_is_in_a_workbook(path: Path) -> None:
    text = json.dumps(nbformat.read(path, as_version=4), ensure_ascii=False)
    for name, cell in tasks_of(ROOT / "book" / f"{path.stem}.md").items():
        lines = bodies(cell)
        chapter = (FOLDER.parent / path.name).read_text("utf-8")
        assert lines, name
        if not any(map(is_packaged, names_of(cell))):
            assert all(json.dumps(line, ensure_ascii=False)[1:-1] in chapter for line in lines)
        shown = {line for line in lines if json.dumps(line, ensure_ascii=False)[1:-1] in text}
        assert shown == set(), name


def test_a_blank_has_a_docstring_and_nothing_else(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    source = tasks_of(ROOT / "book" / f"{path.stem}.md")
    for i, cell in enumerate(cells):
        if "blank" not in cell.metadata.get(KIND, {}):
            continue
        name = cell.metadata[KIND]["blank"]
        blanks = functions(cell.source)
        for blank in names_of(source[name]):
            node = blanks[blank.rpartition(".")[2] if is_packaged(blank) else blank]
            _, end = node.body
            assert len(ast.get_docstring(node) or "") > 30, blank
            assert ast.unparse(end) == EMPTY.replace('"', "'")
        assert cell.source.count(EMPTY) == len(names_of(source[name]))
        assert cells[i - 1].source.startswith("**Your turn: ")
        assert f"`check.{name}.hint()`" in cells[i - 1].source
        assert cells[i + 1].metadata[KIND] == {"check": name}
        assert cells[i + 1].source.startswith(f"check.{name}(")


def test_it_begins_as_the_notebooks_do_and_nothing_was_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    install, credit, title, first, *_ = notebook.cells
    chapter = nbformat.read(FOLDER.parent / path.name, as_version=4)
    assert [install.source, credit.source] == [cell.source for cell in chapter.cells[:2]]
    assert notebook.metadata.license == notebooks.LICENSE
    assert title.source.startswith("# Your turn: ")
    assert first.source == "from d2lhelpers import check"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source.replace("%pip", "pass #"))
            assert cell.execution_count is None
            if cell.outputs:  # of what draws alone
                assert cell.metadata.jupyter.source_hidden
                assert all("image/png" in output.data for output in cell.outputs)
    assert path.stat().st_size < 400_000


def test_its_text_is_plain_and_that_of_the_chapter(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert raw(markdown(notebook)) == []
    own = [cell.source for cell in notebook.cells[:4]]
    own += [c.source for c in notebook.cells if c.source.startswith("**Your turn: ")]
    notebook.cells = [c for c in notebook.cells if c.source not in own]
    there = notebook_blocks(notebook)
    assert len(there) > 2
    chapter = nbformat.read(FOLDER.parent / path.name, as_version=4)
    assert lost(there, notebook_blocks(chapter)) == []
