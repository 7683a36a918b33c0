"""The workbooks, run as a reader runs them: blank, filled in, and with one mistake at a time.

    python -m pytest tests/workbooks.py     # in the environment at hand; tests/stranger.py: in its

Each workbook has one kernel. Its cells run from the top, as published: every check has to say that
nothing is written. Then all run again with the chapter's own code in the blanks: every check has to
pass. Then each wrong variant that a check knows is put in the place of a blank, the check's cell is
run, and has to name that mistake.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from course.blanks import Cell  # noqa: E402
from course.tasks import is_packaged  # noqa: E402
from course.workbook import KIND  # noqa: E402

CHAPTERS = ROOT / "_build" / "html" / "notebooks"
FOLDER = Path(os.environ.get("WORKBOOKS", CHAPTERS / "workbook"))
KERNEL = os.environ.get("WORKBOOKS_KERNEL", "python3")
WORKBOOKS = sorted(FOLDER.glob("*.ipynb")) or [FOLDER / "none-because-the-site-is-not-built.ipynb"]
MISTAKES = """
import json
from d2lhelpers import check
print(json.dumps({name: list(task.variants) for name, task in check.TASKS.items()}))"""
VERDICT = "print(_.outcome, _.mistake, _.text, sep='\\n')"


class Shown(NamedTuple):
    """What a check's cell shows."""

    outcome: str
    mistake: str
    text: str


class Reader:
    """Somebody who has opened a workbook, and runs its cells."""

    def __init__(self, client: NotebookClient, path: Path):
        self.client, self.notebook = client, client.nb
        chapter = nbformat.read(CHAPTERS / path.name, as_version=4)
        self.solutions = {
            cell.metadata.task["check"]: cell for cell in chapter.cells if "task" in cell.metadata
        }

    def of_kind(self, kind: str) -> dict[str, NotebookNode]:
        """Return the blanks, or the checks, by the name of the task."""
        cells = [cell for cell in self.notebook.cells if kind in cell.metadata.get(KIND, {})]
        return {cell.metadata[KIND][kind]: cell for cell in cells}

    def run(self, source: str) -> str:
        """Run a piece of code in the kernel, and return what it prints or shows."""
        cell = new_code_cell(source)
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        self.client.nb.cells.pop()
        texts = [out.get("text") or out.get("data", {}).get("text/plain") for out in cell.outputs]
        return "".join(text for text in texts if text)

    def run_all(self) -> dict[str, Shown]:
        """Run the cells from top to bottom, and return the verdicts by the name of the task."""
        shown = {}
        for number, cell in enumerate(list(self.notebook.cells)):
            if cell.cell_type == "code":
                self.client.execute_cell(cell, number)
                name = cell.metadata.get(KIND, {}).get("check")
                if name:
                    shown[name] = self.verdict()
                    assert cell.outputs[-1].data["text/plain"] == shown[name].text
        return shown

    def verdict(self) -> Shown:
        """Return the verdict that was shown last."""
        outcome, mistake, text = self.run(VERDICT).split("\n", 2)
        return Shown(outcome, mistake, text.removesuffix("\n"))

    def fill(self, name: str) -> None:
        """Put the chapter's own code into a blank."""
        cell = self.of_kind("blank")[name]
        solution = self.solutions[name]
        blank = solution.metadata.task["blank"]
        names = [blank] if isinstance(blank, str) else blank
        heads = {n.rpartition(".")[2] if is_packaged(n) else n.split(".")[0] for n in names}
        whole = Cell(solution.source)
        code = whole.kept(whole.writing(heads), set())
        cell.source = "\n".join(statement.text for statement in code)
        assert "NotImplementedError" not in cell.source


@pytest.fixture(scope="module", params=WORKBOOKS, ids=lambda path: path.stem)
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Each workbook, with a kernel for all tests."""
    path: Path = request.param
    if not path.is_file():
        pytest.fail(f"there is no workbook in {FOLDER}: run `make site`", pytrace=False)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name=KERNEL)
    with client.setup_kernel(cwd=str(path.parent)):
        yield Reader(client, path)


def test_a_blank_workbook_says_so_at_each_check_and_stops_nowhere(reader: Reader) -> None:
    shown = reader.run_all()
    assert shown.keys() == reader.of_kind("blank").keys() == reader.solutions.keys() != set()
    assert {name: v.outcome for name, v in shown.items()} == dict.fromkeys(shown, "not yet written")


def test_with_the_code_of_the_chapter_every_check_passes(reader: Reader) -> None:
    for name in reader.solutions:
        reader.fill(name)
    shown = reader.run_all()
    assert {name: v.outcome for name, v in shown.items()} == dict.fromkeys(shown, "passed"), shown


def test_every_mistake_is_named_in_the_cell_of_its_check(reader: Reader) -> None:
    known = json.loads(reader.run(MISTAKES))
    found = {}
    for name, cell in reader.of_kind("check").items():
        called = cell.source.partition("(")[2].removesuffix(")")
        for mistake in known[name]:
            wrong = f"{called} = check.TASKS[{name!r}].variants[{mistake!r}].program"
            text = reader.run(f"{wrong}\n{cell.source}")
            verdict = reader.verdict()
            assert text == verdict.text
            found[name, mistake] = verdict.outcome, verdict.mistake
    assert len(found) >= len(reader.solutions)
    # One mistake may have several variants, "name/one" and "name/other".
    assert found == {pair: ("wrong", pair[1].partition("/")[0]) for pair in found}
