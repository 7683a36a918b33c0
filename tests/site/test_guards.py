"""A fault anywhere in a page turns the build red: shown on a book of two small pages.

It is built with the real settings and the real extension, in a folder of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from minibook import QUIZ, MiniBook, append, replace

# A page with each of these is warned about, and one warning is enough: what is wrong, what stands
# on the page, and what the build says about it.
WARNED: dict[str, tuple[str, str]] = {
    "a reference to nothing": ("{ref}`nowhere`", "undefined label: 'nowhere'"),
    "a figure that is not there": ("{numref}`fig-none`", "undefined label: 'fig-none'"),
    "an equation that is not there": ("{eq}`eq-none`", "equation not found: eq-none"),
    "a page that is not there": ("{doc}`none`", "unknown document: 'none'"),
    "a link to nothing": ("[text](none.md)", "'myst' cross-reference target not found"),
    "a work that is not there": ("{cite:t}`nobody`", "could not find bibtex key"),
    "a quiz without a right answer": (QUIZ.replace("[x]", "[ ]"), "no option is right"),
    "a quiz without a name": (QUIZ.replace("a-name", ""), "the quiz is called ''"),
    "two quizzes of one name": (QUIZ + QUIZ, "two quizzes are called 'a-name'"),
    "a quiz with a dead link": (
        QUIZ.replace("So.", "{ref}`nil`").replace("a-name", "dead"),
        "undefined label: 'nil'",
    ),
    "an unknown directive": ("```{nonsense}\n```", "Unknown directive type: 'nonsense'"),
    "an unknown role": ("{nonsense}`text`", 'Unknown interpreted text role "nonsense"'),
    "a label used twice": (
        "(one-label)=\n## A\n\n(one-label)=\n## B",
        'Duplicate explicit target name: "one-label"',
    ),
    "a label used on two pages": ("(label-of-page)=\n## B", "duplicate label label-of-page"),
    "an equation's label used twice": (
        "```{math}\n:label: eq-small\nc\n```",
        "duplicate label of equation eq-small",
    ),
    "an image that is not there": ("![words](none.svg)", "image file not readable"),
    "an unknown widget": ("```{play} none\n:figure: page fig-a\n\nTry.\n```", "no widget 'none'"),
    "a widget without a figure": ("```{play} cell\n\nTry.\n```", "'cell' has no :figure:"),
    "a widget without a word": ("```{play} cell\n:figure: page fig-a\n```", "say what to try"),
    "a widget with a figure that is not there": (
        "```{play} cell\n:figure: page fig-none\n\nTry.\n```",
        "book/page has no figure 'fig-none' for the widget 'cell'",
    ),
}
# Each of these stops the build at once. A name for each, the fault, and what the build says.
FAULTS: dict[str, tuple[Callable[[MiniBook], object], str]] = {
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
    "code that was not executed": (
        lambda book: book.configure(execute_notebooks="off"),
        "book/page was not executed",
    ),
}


def test_each_of_many_faults_is_warned_about_on_its_page(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    files = [f"fault-{number:02}" for number in range(len(WARNED))]
    for file, (text, _) in zip(files, WARNED.values(), strict=True):
        (book.root / "book" / f"{file}.md").write_text(f"# A page\n\n{text}\n")
    toc = yaml.safe_load((book.root / "_toc.yml").read_text())
    toc["chapters"] += [{"file": f"book/{file}"} for file in files]
    (book.root / "_toc.yml").write_text(yaml.safe_dump(toc))
    assert not book.build(), "the site was built in spite of many faults"
    warnings = [line for line in book.log.splitlines() if re.search(r"\b(WARNING|ERROR): ", line)]
    for file, (fault, (_, message)) in zip(files, WARNED.items(), strict=True):
        assert any(file in line and message in line for line in warnings), fault


def test_one_warning_stops_the_build(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    text, message = WARNED["a reference to nothing"]
    append(text)(book)
    assert not book.build(), "the site was built in spite of a warning"
    assert book.log.count("WARNING: ") == 1
    assert message in book.log


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


# What is wrong with a page that works: the piece with the fault, without it, and what is said.
DRAWN = "from IPython.display import SVG\n\nSVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')\n"
SAID = "This is a dot that is drawn."


def cell(code: str) -> str:
    """A cell of a page."""
    return f"\n```{{code-cell}} python3\n{code}```\n"


def figure(about: str, alt: str = SAID) -> str:
    """A cell that draws, with what is said of its figure."""
    return cell(f"---\nmystnb: {{figure: {{{about}}}, image: {{alt: {alt}}}}}\n---\n{DRAWN}")


LONG = QUIZ.replace("Why?", "Why? " * 300).replace("a-name", "long")
CITATION = "\n{cite:t}`elman1990`\n"
RULES = [
    (cell("a = 1\n" * 26), cell("a = 1\n" * 25), "the cell has 26 lines: at most 25"),
    (
        cell("b = 1\nb" + " " * 70 + "= 12345\n"),
        cell("b = 1\nb" + " " * 70 + "= 123\n"),
        "line 2 of the cell has 78 columns: 76",
    ),
    (cell(DRAWN), figure("caption: A dot., name: fig-a"), "the figure of the cell has no name"),
    (
        figure("name: fig-b"),
        figure("caption: A dot., name: fig-b"),
        "the figure of the cell has no caption",
    ),
    (
        figure("caption: A dot., name: fig-c", "A dot"),
        figure("caption: A dot., name: fig-c"),
        "cannot see the figure has 5 characters: say in 20",
    ),
    ("\n![A dot](dot.svg)\n", f"\n![{SAID}](dot.svg)\n", "cannot see it has 5 characters"),
    (LONG, LONG.replace("Why? " * 300, "Why?"), "quiz 'long' takes"),
    (CITATION.replace("elman", "elmann"), CITATION, "could not find bibtex key"),
]
QUESTIONS = "".join(QUIZ.replace("a-name", f"question-{i}") for i in range(4))


def test_a_rule_that_is_broken_stops_every_build_until_it_is_kept(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    book.list_pages(numbered=True)
    (book.root / "book" / "dot.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    )
    start = book.page.read_text()
    book.index.write_text("# The book\n\n```{bibliography}\n```\n")
    book.page.write_text(start + "".join(broken for broken, _, _ in RULES))
    assert not book.build(), "the site was built in spite of all faults"
    text = book.page.read_text()
    for broken, _, message in RULES:
        said = re.findall(rf"page\.md:(\d+): WARNING: .*{re.escape(message)}", book.log)
        first = text[: text.index(broken)].count("\n") + 1
        assert any(int(line) in range(first, first + broken.count("\n")) for line in said), message
    assert re.search(r"index\.md: WARNING: no link leads to book/page", book.log)
    assert re.search(r"page\.md: WARNING: the chapter has 1 questions: ask 5", book.log)

    assert not book.build(), "what was said once is forgotten by the next build"
    book.index.write_text("# The book\n\n{doc}`page`\n\n```{bibliography}\n```\n")
    book.page.write_text(start + "".join(kept for _, kept, _ in RULES) + QUESTIONS)
    assert book.build(), book.log
    # A work that was not found at first is in the list, where the citation leads.
    link = re.search(r'Elman \[<a class="[^"]*" href="index\.html#([^"]+)"', book.html("page"))
    assert link is not None, "the citation is no link"
    assert f'id="{link[1]}"' in book.html("index")


def test_a_book_is_executed_only_when_it_must_be(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")

    def expect(executions: int) -> None:
        assert book.build(), book.log
        assert book.executions() == executions
        install, cell = [cell for cell in book.notebook().cells if cell.cell_type == "code"]
        assert install.execution_count is None
        assert cell.outputs[0].text == "some output\n"
        assert "some output" in (book.site / "book" / "page.html").read_text()
        static = book.site / "_static"
        fonts = {path.suffix for path in static.rglob("*.*") if path.parent.name.endswith("fonts")}
        assert fonts == {".woff"}  # what Sphinx copies once more is dropped once more

    expect(executions=1)
    # Nothing of this is a reason: that the site is gone, words, a caption, a comment, and numbers
    # that the page does not import. A build for each would take five seconds.
    shutil.rmtree(book.site)
    replace("# A page", "# A page with another title\n\nMore words.")(book)
    replace("```{code-cell} python3\n", "```{code-cell} python3\n---\nnote: a caption\n---\n")(book)
    book.package.write_text('"""Numbers."""\n\nONE = 1  # a comment\nTWO = 3\n')
    expect(executions=1)
    assert "More words." in (book.site / "book" / "page.html").read_text()
    replace("note: a caption", "tags: [hide-input]")(book)
    expect(executions=2)
    book.package.write_text("ONE = 2\nTWO = 3\n")
    expect(executions=3)
