"""The text of a notebook: whatever the page is written with, Jupyter and Colab can show it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from minibook import QUIZ, MiniBook, append
from nbformat import NotebookNode

pytestmark = pytest.mark.xdist_group("one book for all constructs")
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "_build" / "html" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb")) or [FOLDER / "none-because-the-site-is-not-built.ipynb"]
WITHOUT_EXERCISES = {"results", "running"}  # pages with code that are no chapters
CODE = re.compile(r"^(`{3,})(?!\{).*?\n(?:.*\n)*?\1$|`[^`\n]+`(?!`)", re.MULTILINE)
BIB = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
WORKS = {
    f"https://doi.org/{value}" if field == "doi" else value
    for field, value in re.findall(r"^  (doi|url) += \{(.+)\},$", BIB, re.MULTILINE)
}
RAW = {
    "directive": re.compile(r"^\s*(?:`{3,}|:{3,})\{.*", re.MULTILINE),
    "end of a directive": re.compile(r"^\s*:{3,}\s*$", re.MULTILINE),
    "option of a directive": re.compile(r"^\s*:[a-z-]+:.*", re.MULTILINE),
    "role": re.compile(r"\{[a-z][a-z:-]*\}`[^`]*`"),
    "label": re.compile(r"^\s*\([\w-]+\)=.*", re.MULTILINE),
    "link without an address": re.compile(r"(?<!\\)\]\((?!https?:|data:|mailto:)[^)]*\)"),
    "footnote": re.compile(r"\[\^\w+\]"),
    "comment": re.compile(r"^%.*", re.MULTILINE),
    "block break": re.compile(r"^\+\+\+.*", re.MULTILINE),
}


def raw(text: str) -> list[str]:
    """Return what no notebook shows: MyST outside of code."""
    roles = RAW["role"].findall(text)  # a role looks like code behind a brace
    bare = CODE.sub("", re.sub(RAW["role"], "", text))
    return roles + [found for kind in RAW.values() for found in kind.findall(bare)]


def markdown(notebook: NotebookNode) -> str:
    """Return all text of a notebook."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Each notebook of the site."""
    if not request.param.is_file():
        pytest.fail(f"there is no notebook in {FOLDER}: run `make site`", pytrace=False)
    return request.param


def test_the_sources_are_raw_and_the_notebooks_are_not(path: Path) -> None:
    source = (ROOT / "book" / f"{path.stem}.md").read_text(encoding="utf-8")
    assert len(raw(source)) > 3, "the test no longer sees what it looks for"
    assert raw(markdown(nbformat.read(path, as_version=4))) == []


def test_nothing_of_the_page_is_lost(path: Path) -> None:
    source = (ROOT / "book" / f"{path.stem}.md").read_text(encoding="utf-8")
    notebook = nbformat.read(path, as_version=4)
    text = markdown(notebook)
    formulas = source.count("```{math}") + len(re.findall(r"^\$\$$", source, re.MULTILINE)) // 2
    assert formulas == text.count("$$") // 2
    assert source.count(":label: eq-") == text.count(r"\tag{")
    assert source.count("```{exercise-start}") == text.count("### Exercise ")
    assert source.count("```{solution-start}") == text.count("#### Solution to Exercise ")
    assert source.count("```{quiz}") == text.count("**Question ")
    assert source.count("- [x] ") == text.count("**Right.**")
    assert source.count("- [ ] ") == text.count("**No.**")
    captions = len(re.findall(r"^    name: fig-", source, re.MULTILINE))
    assert captions == len(re.findall(r"^\*\*Fig\. [\d.]+\*\* ", text, re.MULTILINE))
    assert captions == text.count("<summary>Description of the figure</summary>")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    published = source.count(":tags: [remove-cell]")  # models for the pages: see test_play.py
    assert len(code) == source.count("```{code-cell}") - published + 1


def test_every_citation_leads_to_the_work(path: Path) -> None:
    source = (ROOT / "book" / f"{path.stem}.md").read_text(encoding="utf-8")
    text = markdown(nbformat.read(path, as_version=4))
    roles = re.findall(r"\{cite:[pt]\}`([^`]+)`", source)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if link in WORKS]
    assert len(links) >= sum(len(role.split(",")) for role in roles)
    assert bool(roles) == (path.stem != "running")


def test_a_solution_is_closed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    solutions = [cell for cell in notebook.cells if cell.source.startswith("#### Solution")]
    assert bool(solutions) == (path.stem not in WITHOUT_EXERCISES)
    assert all(cell.metadata["jp-MarkdownHeadingCollapsed"] for cell in solutions)
    assert [cell.id for cell in solutions] == notebook.metadata.colab.collapsed_sections
    # A heading of the same rank or a higher one ends what is closed.
    levels = [len(cell.source) - len(cell.source.lstrip("#")) for cell in solutions]
    assert set(levels) <= {4}


def test_colab_is_asked_for_a_gpu_where_the_page_says_so(path: Path) -> None:
    source = (ROOT / "book" / f"{path.stem}.md").read_text(encoding="utf-8")
    metadata = nbformat.read(path, as_version=4).metadata
    wanted = "\naccelerator: GPU\n" in source.split("\n---\n")[0] + "\n"
    assert metadata.get("accelerator") == ("GPU" if wanted else None)
    assert metadata.colab.get("gpuType") == ("T4" if wanted else None)


# For each construct, its source, and what the notebook has instead.
SITE = "https://somebody.github.io/course/"
CONSTRUCTS = {
    "emphasis": ("*a* **b** `c_d`", "*a* **b** `c_d`"),
    "code with a backtick": ("`` a`b ``", "``a`b``"),
    "signs that mean something": (r"2 \* 3 \< 4 and a\_b\_c", r"2 \* 3 &lt; 4 and a\_b\_c"),
    "a year at the start": (r"1986\. A year.", r"1986\. A year."),
    "a dash at the start": (r"\- A dash.", r"\- A dash."),
    "a hash at the start": (r"\# A hash.", r"\# A hash."),
    "a bracket at the start": (r"\>A bracket.", r"\>A bracket."),
    "a link that is none": (r"\[there\](https://example.org)", r"[there\](https://example.org)"),
    "a line through that is none": (r"\~~not\~~ so", r"\~\~not\~\~ so"),
    "dollars": (r"\$5 or \$6", r"<span>\$</span>5 or <span>\$</span>6"),
    "an entity": (r"A & B, `&lt;` and \&lt;", "A & B, `&lt;` and &amp;lt;"),
    "a formula in a line": ("so $a_1 < b$, then", "so $a_1 < b$, then"),
    "a formula with a space at its end": ("so $a\\ $ and $b$", r"so $a\space$ and $b$"),
    "an equation": ("$$\nc = d\n$$", "$$\nc = d\n$$"),
    "an equation with a number": ("```{math}\n:label: eq-2\nc\n```", "$$\nc \\tag{2}\n$$"),
    "lines of equations": (
        "\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}",
        "\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}",
    ),
    "eq": ("see {eq}`eq-small`", f"see [(1)]({SITE}book/page.html#equation-eq-small)"),
    "ref": ("see {ref}`label-of-page`", f"see [A page]({SITE}book/page.html#label-of-page)"),
    "ref with a text": ("{ref}`so <label-of-page>`", f"[so]({SITE}book/page.html#label-of-page)"),
    "doc": ("{doc}`index`", f"[The book]({SITE}book/index.html)"),
    "a term": ("{term}`word`", f"[word]({SITE}book/references.html#term-word)"),
    "numref": ("{numref}`fig-dot`", f"[Fig. 1]({SITE}book/page.html#fig-dot)"),
    "a figure": (
        "```{figure} dot.svg\n:name: fig-dot\n:alt: A black dot by itself.\n\n"
        "A dot of $r = 1$.\n```",
        None,
    ),
    "a figure with a legend": (
        "```{figure} dot.svg\n:alt: Another black dot, linked.\n:target: https://example.org\n\n"
        "Two.\n\nA legend.\n```",
        None,
    ),
    "a link by label": ("[there](label-of-page)", f"[there]({SITE}book/page.html#label-of-page)"),
    "a link to a page": ("[there](index.md)", f"[there]({SITE}book/index.html)"),
    "a link outside": ("[there](https://example.org/a_b)", "[there](https://example.org/a_b)"),
    "cite:p": ("{cite:p}`cho2014`", "[[Cho *et al.*, 2014](https://doi.org/10.3115/v1/D14-1179)]"),
    "cite:t": ("{cite:t}`ba2016`", "[[2016](https://arxiv.org/abs/1607.06450)]"),
    "bullets": ("- a\n- b\n\n  more", "- a\n- b\n\n  more"),
    "numbers": ("3. a\n4. b", "3. a\n4. b"),
    "a list in a list": ("- a\n  - b\n- c", "- a\n  - b\n- c"),
    "definitions": ("word\n: meaning", "- **word**: meaning"),
    "two definitions": ("sign\n: first\n: second", "- **sign**: first\n\n  second"),
    "a list as a definition": ("list\n: - a", "- **list**:\n\n  - a"),
    "a quotation": ("> a\n> b\n\nc", "> a b"),
    "a block of code": ("```python\na = {1}\n```", "```python\na = {1}\n```"),
    "code with a fence": ("````\n```\nx\n```\n````", "\n```\nx\n```\n````"),
    "a note": ("```{note}\nMind *this*.\n```", "> **Note.**\n>\n> Mind *this*."),
    "a warning": (":::{warning}\nMind.\n:::", "> **Warning.**\n>\n> Mind."),
    "seealso": ("```{seealso}\nThat.\n```", "> **See also.**\n>\n> That."),
    "a titled box": ("```{admonition} Title\nBody\n```", "> **Title.**\n>\n> Body"),
    "a topic": ("```{topic} Title\nBody\n```", "> **Title.**\n>\n> Body"),
    "a table": ("| a | b |\n|---|---|\n| $\\|x\\|$ | `c` |", None),
    "columns to the right": ("| x | y | z |\n|--:|:-:|:--|\n| 1 | 2 | 3 |", "|--:|:-:|:--|"),
    "a list-table": ("```{list-table}\n:header-rows: 1\n\n* - a\n  - b\n* - c\n  - d\n```", None),
    "a footnote": ("word[^1]\n\n[^1]: The note.", "word<sup>1</sup>"),
    "superscript": ("{sup}`2` {sub}`3`", "<sup>2</sup> <sub>3</sub>"),
    "a break": ("***", "---"),
    "a comment": ("% hidden", ""),
    "a label": ("(another)=\n\nText after a label.", "Text after a label."),
    "html": ("<b>bold</b>", "<b>bold</b>"),
    "a question": (
        QUIZ.replace("Not so.", "`a < b` is *not* so."),
        "**Question 1.** Why?\n\n"
        "<details>\n<summary>So.</summary>\n\n**Right.** Yes.\n\n</details>\n\n"
        "<details>\n<summary><code>a &lt; b</code> is <em>not</em> so.</summary>\n\n"
        "**No.** No.\n\n</details>",
    ),
    "feedback that begins with a list": (
        QUIZ.replace("a-name", "other-name").replace("Yes.", "- One.\n  - Two."),
        "**Right.**\n\n- One.\n- Two.\n\n</details>",
    ),
    "an exercise": (
        "```{exercise} Try\n:label: ex-try\n\nDo $x$.\n```",
        "### Exercise 1 (Try)\n\nDo $x$.",
    ),
    "its solution": (
        "```{solution} ex-try\n:class: dropdown\n\nDone, {eq}`eq-small`.\n```",
        f"Done, [(1)]({SITE}book/page.html#equation-eq-small).",
    ),
}
EXPECTED = {
    "a figure with a legend": [
        "[![Another black dot, linked.](data:image/svg+xml;base64,",
        ")](https://example.org)",
        "Two.\n\nA legend.",
    ],
    "a figure": [
        "**Fig. 1.** A dot of $r = 1$.",
        "![A black dot by itself.](data:image/svg+xml;base64,",
    ],
    "a table": ["| a | b |\n|---|---|\n| $\\vert x\\vert$ | `c` |"],
    "a list-table": ["| a | b |\n|---|---|\n| c | d |"],
    "a footnote": ["word<sup>1</sup>", "<sup>1</sup> The note."],
    "its solution": ["#### Solution to Exercise 1"],
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> MiniBook:
    """A book with all constructs on a page, in a repository on GitHub."""
    book = MiniBook(tmp_path_factory.mktemp("constructs") / "book")
    dot = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="1"/></svg>'
    (book.root / "book" / "dot.svg").write_text(dot)
    append("".join(f"\n\n{source}\n" for source, _ in CONSTRUCTS.values()))(book)
    toc = book.root / "_toc.yml"
    toc.write_text(toc.read_text().replace("chapters:\n", "chapters:\n- file: book/references\n"))
    (book.root / "book" / "references.md").write_text(
        "# References\n\n```{bibliography}\n```\n\n```{glossary}\nword\n  What it means.\n```\n"
    )
    book.environment = {"GITHUB_REPOSITORY": "Somebody/course", "GITHUB_SHA": "abc123"}
    assert book.build(), book.log
    return book


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_a_construct_becomes_plain(construct: str, book: MiniBook) -> None:
    text = markdown(book.notebook())
    expected = CONSTRUCTS[construct][1]
    for piece in [*EXPECTED.get(construct, []), *([] if expected is None else [expected])]:
        assert piece in text


def test_all_constructs_together_leave_nothing_raw(book: MiniBook) -> None:
    assert len(raw(book.page.read_text())) > 20
    assert raw(markdown(book.notebook())) == []


def test_the_fixture_has_every_construct_of_the_book() -> None:
    used: set[str] = set()
    known: set[str] = set()
    for names, sources in (
        (used, [page.read_text(encoding="utf-8") for page in (ROOT / "book").glob("*.md")]),
        (known, [source for source, _ in CONSTRUCTS.values()]),
    ):
        for source in sources:
            names.update(re.findall(r"\{([a-z][a-z:-]*)\}`", source))
            names.update(re.findall(r"^(?:`{3,}|:{3,})\{([a-z-]+)\}", source, re.MULTILINE))
    gated = {f"{kind}-{end}" for kind in ("exercise", "solution") for end in ("start", "end")}
    # The page of every book has code; the others stand on pages without any.
    alone = {"bibliography", "quiz-score", "glossary", "surprise", "questions", "container"}
    alone |= {"downloads", "task-list", "play", "models"}
    assert used - gated - {"code-cell"} - alone <= known


def test_without_a_repository_there_are_no_dead_links(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    book.environment = {"GITHUB_REPOSITORY": ""}
    assert book.build(), book.log
    text = markdown(book.notebook())
    assert "Equation (1) and A page." in text
    assert "](" not in text
