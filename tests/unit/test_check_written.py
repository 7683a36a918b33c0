"""What the checks hold a reader to is what the chapter shows, or what the package runs."""

from __future__ import annotations

import inspect
import textwrap

import pytest
from test_chapters import CHAPTERS, code_cells, definitions

from d2lhelpers import check
from d2lhelpers.check import written

SHOWN = {
    name: (chapter.stem, tree)
    for chapter in CHAPTERS
    for cell in code_cells(chapter)
    for name, tree in definitions(cell).items()
}
WRITTEN = definitions(inspect.getsource(written))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_definition_is_that_of_its_chapter(name: str) -> None:
    chapter, tree = SHOWN[name]
    assert WRITTEN[name] == tree, f"{chapter}.md and check/written.py define {name} differently"


@pytest.mark.parametrize("name", WRITTEN)
def test_each_is_the_reference_of_a_task(name: str) -> None:
    assert check.TASKS[name].reference is getattr(written, name)


PACKAGE = ["adding_problem", "consecutive_batches", "generate", "perplexity", "train_epoch"]


@pytest.mark.parametrize("name", [*WRITTEN, *PACKAGE, "clip_gradients", "detach"])
def test_a_reader_finds_out_from_the_stub_what_to_write(name: str) -> None:
    """The docstring of a stub is the task's own, or the package's: it tells shapes and results."""
    task = check.TASKS[name]
    text = textwrap.dedent(task.doc or task.reference.__doc__ or "")
    assert "Args:" in text
    assert any(word in text for word in ("Returns:", "Yields:", "Return ")), text
    for argument in inspect.signature(task.reference).parameters:
        assert f"{argument}:" in text, f"{argument} is not told"
