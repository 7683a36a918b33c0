"""A notebook says what its page says: both are rendered, each by its own program, and compared.

The page is Sphinx's, with formulas set by KaTeX, which keeps their source. The notebook's Markdown
is rendered here by markdown-it. Every block of text of the page, formulas included, has to be a
block of the notebook, and in the same order.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

SITE = Path(__file__).parents[2] / "_build" / "html"
PAGES = sorted(path.stem for path in (SITE / "notebooks").glob("*.ipynb"))
MARKDOWN = (
    MarkdownIt("commonmark", {"html": True})
    .enable("table")
    .use(dollarmath_plugin, allow_space=True, double_inline=True)
)
NOT_TEXT = ".headerlink, .cell, script, style, button, .eqno, .katex-html"
BLOCKS = "p, li, h1, h2, h3, h4, h5, th, td, dt, dd, figcaption"
BAR = re.compile(r"\\vert(?![a-zA-Z]) ?")  # a bar could be taken for the border of a table
TAG = re.compile(r"\\tag{.*?}")
# What only one of the two has in front of a block: how a question is laid out, and a fold's title.
ONLY_THERE = re.compile(r"^(?:Question \d+\.|Right\.|No\.) ")
OF_A_FOLD = re.compile(r"^(Solution to Exercise [\d.]+) \(.*\)$")


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def formula(tex: str) -> str:
    return f"⟦{plain(BAR.sub('|', TAG.sub('', tex)))}⟧"


def blocks(soup: BeautifulSoup) -> list[str]:
    """Return the text of each innermost block."""
    found = [block for block in soup.select(BLOCKS) if not block.find(["p", "li"])]
    texts = [ONLY_THERE.sub("", plain(block.get_text())) for block in found]
    return [OF_A_FOLD.sub(r"\1", text) for text in texts if text]


def page_blocks(page: str) -> list[str]:
    html = BeautifulSoup((SITE / "book" / f"{page}.html").read_text("utf-8"), "html.parser")
    article = html.select_one("article.bd-article")
    assert article is not None
    for element in article.select(NOT_TEXT):
        element.decompose()
    for element in article.select(".katex"):
        source = element.select_one("annotation")
        assert source is not None
        element.replace_with(formula(source.text))
    return blocks(article)


def notebook_blocks(notebook: NotebookNode) -> list[str]:
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            soup = BeautifulSoup(MARKDOWN.render(cell.source), "html.parser")
            for element in soup.select(".math"):
                element.replace_with(formula(element.text))
            found += blocks(soup)
    return found


def lost(page: list[str], notebook: list[str]) -> list[str]:
    """Return the blocks of a page that do not follow in the notebook, in the page's order."""
    missing, at = [], 0
    for block in page:
        try:
            at = notebook.index(block, at) + 1
        except ValueError:
            missing.append(block)
    return missing


@pytest.mark.parametrize("page", PAGES or ["none, for the site is not built: run `make site`"])
def test_every_block_of_the_page_is_in_the_notebook(page: str) -> None:
    there = page_blocks(page)
    assert len(there) > 10
    notebook = nbformat.read(SITE / "notebooks" / f"{page}.ipynb", as_version=4)
    assert lost(there, notebook_blocks(notebook)) == []


def test_a_block_that_differs_is_found() -> None:
    page = ["One.", "so ⟦a_1⟧", "Two."]
    assert lost(page, ["One.", "so ⟦a_1⟧", "else", "Two."]) == []
    assert lost(page, ["One.", "so ⟦a_2⟧", "Two."]) == ["so ⟦a_1⟧"]
    assert lost(page, ["Two.", "so ⟦a_1⟧", "One."]) == ["so ⟦a_1⟧", "Two."]
