"""A fault anywhere in a page turns the build red: shown on a book of two small pages.

It is built with the real settings and the real extension, in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from course import cache
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
    book.package.write_text("VALUE = 1  # another comment\n")
    expect(executions=1)
    assert len(book.caches()) == 1
    book.package.write_text("VALUE = 2\n")
    expect(executions=2)
    assert len(book.caches()) == 2


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with code and data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "__init__.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "data" / "text.txt").write_text("once upon a time")
    return tmp_path


def test_the_key_looks_at_code_and_data_alone(package: Path) -> None:
    key = cache.key(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"0")
    (package / "__init__.py").write_text("# A comment.\ndef f(x):\n\n    return (x)  # same\n")
    assert cache.key(package) == key


@pytest.mark.parametrize(
    "change",
    [
        lambda package: (package / "__init__.py").write_text("def f(x):\n    return x + 1\n"),
        lambda package: (package / "data" / "text.txt").write_text("twice upon a time"),
        lambda package: (package / "data" / "more.txt").write_text(""),
        lambda package: (package / "data" / "text.txt").rename(package / "text.txt"),
        lambda package: (package / "data" / "text.txt").unlink(),
    ],
    ids=["code", "data", "new file", "moved file", "lost file"],
)
def test_the_key_changes(package: Path, change: Callable[[Path], object]) -> None:
    key = cache.key(package)
    change(package)
    assert cache.key(package) != key


def test_the_key_knows_the_versions(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache.key(package)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0")
    assert cache.key(package) != key


def test_old_caches_are_dropped(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    folder = book.root / "_build" / "execution"
    for age in range(6):
        (folder / f"of-{age}-days").mkdir(parents=True)
        then = time.time() - 86400 * age
        os.utime(folder / f"of-{age}-days", (then, then))
    app = SimpleNamespace(outdir=book.site, srcdir=book.root)
    config = SimpleNamespace()
    cache.choose_folder(app, config)  # type: ignore[arg-type]
    current = Path(config.nb_execution_cache_path)
    assert current.name == cache.key(book.root / cache.PACKAGE)
    kept = {current, *(folder / f"of-{age}-days" for age in range(cache.KEPT))}
    assert set(book.caches()) == kept
