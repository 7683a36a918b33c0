"""A fault anywhere in a page turns the build red: shown on a book of two small pages.

It is built with the real settings and the real extension, in a folder of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from minibook import QUIZ, MiniBook, append, replace

# A name for each fault, the fault, and what the build says about it.
FAULTS: dict[str, tuple[Callable[[MiniBook], object], str]] = {
    "an assert that fails": (
        replace('print("some output")', 'assert 1 == 2, "so it should"'),
        "AssertionError: so it should",
    ),
    "a reference to nothing": (append("{ref}`nowhere`"), "undefined label: 'nowhere'"),
    "a figure that is not there": (append("{numref}`fig-none`"), "undefined label: 'fig-none'"),
    "an equation that is not there": (append("{eq}`eq-none`"), "equation not found: eq-none"),
    "a page that is not there": (append("{doc}`none`"), "unknown document: 'none'"),
    "a link to nothing": (append("[text](none.md)"), "'myst' cross-reference target not found"),
    "a work that is not there": (append("{cite:t}`nobody`"), "could not find bibtex key"),
    "a quiz without a right answer": (append(QUIZ.replace("[x]", "[ ]")), "no option is right"),
    "a quiz without a name": (append(QUIZ.replace("a-name", "")), "the quiz is called ''"),
    "two quizzes of one name": (append(QUIZ + QUIZ), "two quizzes are called 'a-name'"),
    "a quiz with a dead link": (
        append(QUIZ.replace("So.", "{ref}`nil`")),
        "undefined label: 'nil'",
    ),
    "an unknown directive": (append("```{nonsense}\n```"), "Unknown directive type: 'nonsense'"),
    "an unknown role": (append("{nonsense}`text`"), 'Unknown interpreted text role "nonsense"'),
    "a construct without a plain form": (
        append("\n\n```{glossary}\nword\n  meaning\n```"),
        "'glossary' has no plain form for the notebook",
    ),
    "a cell that the notebook would lack": (
        replace("```{code-cell} python3\n", "```{code-cell} python3\n:tags: [remove-cell]\n"),
        "is not on the page, and so not in the notebook",
    ),
    "an image on another host": (
        append("![words](https://example.org/a.png)"),
        "'image' has no plain form for the notebook",
    ),
    "a broken equation": (replace("a = b", r"\frac{a"), "KaTeX parse error"),
    "a broken formula in a line": (append(r"$\nosuchcommand$"), "KaTeX parse error"),
    "a label used twice": (
        append("(label-of-page)=\n## B\n"),
        'Duplicate explicit target name: "label-of-page"',
    ),
    "a label used on two pages": (
        lambda book: book.index.write_text("(label-of-page)=\n# The book\n"),
        "duplicate label label-of-page",
    ),
    "an equation's label used twice": (
        append("```{math}\n:label: eq-small\nc\n```"),
        "duplicate label of equation eq-small",
    ),
    "an image that is not there": (append("![words](none.svg)"), "image file not readable"),
    "code that was not executed": (
        lambda book: book.configure(execute_notebooks="off"),
        "book/page was not executed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_stops_the_build(fault: str, tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    make, message = FAULTS[fault]
    make(book)
    assert not book.build(), f"the site was built in spite of {fault}"
    assert message in book.log


def test_a_failure_is_shown_once_with_its_line(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    replace('print("some output")', 'print("some output")\n\nassert 1 == 2, "so it should"')(book)
    assert not book.build()
    line = 1 + book.page.read_text().split("\n").index('assert 1 == 2, "so it should"')
    assert f"book/page.md:{line}: a cell failed" in book.log
    assert book.log.count("AssertionError: so it should") == 1
    assert book.log.count('print("some output")') == 1


def test_a_book_is_executed_only_when_it_must_be(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")

    def expect(executions: int) -> None:
        assert book.build(), book.log
        assert book.executions() == executions
        install, cell = [cell for cell in book.notebook().cells if cell.cell_type == "code"]
        assert install.execution_count is None
        assert cell.outputs[0].text == "some output\n"
        assert "some output" in (book.site / "book" / "page.html").read_text()

    expect(executions=1)
    shutil.rmtree(book.site)
    expect(executions=1)
    replace("# A page", "# A page with another title\n\nMore words.")(book)
    expect(executions=1)
    assert "More words." in (book.site / "book" / "page.html").read_text()
    replace("```{code-cell} python3\n", "```{code-cell} python3\n---\nnote: a caption\n---\n")(book)
    expect(executions=1)
    replace("note: a caption", "tags: [hide-input]")(book)
    expect(executions=2)
    book.package.write_text('"""Numbers."""\n\nONE = 1  # a comment\nTWO = 3\n')
    expect(executions=2)
    book.package.write_text("ONE = 2\nTWO = 3\n")
    expect(executions=3)
