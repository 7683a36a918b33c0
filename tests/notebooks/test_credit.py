"""What is published says under which licences: each notebook, and the foot of each page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from course import notebooks

SITE = Path(__file__).parents[2] / "_build" / "html"
AUTHOR = "the course's authors"


class Licences(HTMLParser):
    """The addresses that a page gives as its licences."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("rel") == "license":
            self.found.append(values["href"] or "")


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Without a site there is nothing to look at."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site in {SITE}: run `make site`", pytrace=False)


def test_every_notebook_says_its_licences() -> None:
    found = sorted((SITE / "notebooks").glob("*.ipynb"))
    assert found
    for path in found:
        notebook = nbformat.read(path, as_version=4)
        assert notebook.metadata.authors == [{"name": AUTHOR}]
        assert notebook.metadata.license == notebooks.LICENSE
        head = notebook.cells[1].source
        assert AUTHOR in head
        assert notebooks.LICENSES in head


def test_every_page_says_its_licences() -> None:
    found = sorted((SITE / "book").glob("*.html"))
    assert len(found) > 5
    for path in found:
        page = Licences()
        page.feed(path.read_text(encoding="utf-8"))
        assert [address.rstrip("/").split("/")[-2:] for address in page.found] == [
            ["license", "mit"],
            ["by", "4.0"],
            ["zero", "1.0"],
        ]
