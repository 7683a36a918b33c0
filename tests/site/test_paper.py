"""The book on paper, a page of it or all, and the site in one file."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from course.downloads import LABELS, PDF, ZIP, fill
from playwright.sync_api import Browser, BrowserContext
from pypdf import PdfReader
from pypdfium2 import PdfDocument
from visits import ROOT, open_page

sys.path.insert(0, str(ROOT / ".github"))
import paper

pytestmark = pytest.mark.xdist_group("paper")
CHAPTERS = [
    "1. Recurrent neural networks", "2. Gated recurrent units", "3. Long short-term memory",
    "4. Deep recurrent neural networks", "5. Bidirectional recurrent neural networks",
]  # fmt: skip


def words(text: str) -> str:
    """Return text as it is searched: spaces are one, ligatures are letters."""
    return " ".join(text.replace("ﬁ", "fi").replace("ﬂ", "fl").split())


def read(printed: bytes) -> list[str]:
    """Return the text of each sheet; pypdf, which knows links, would take thirty times as long."""
    return [words(page.get_textpage().get_text_range()) for page in PdfDocument(printed)]


@pytest.fixture(scope="module")
def file(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book's file. That it is made at all says that nothing in it is wider than a sheet."""
    target = tmp_path_factory.mktemp("paper") / PDF
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    names = list(paper.pages(toc))
    # In a thread of its own: Playwright runs once in each, and the tests' browser has this one.
    with ThreadPoolExecutor(1) as thread:
        made = thread.submit(paper.make_pdf, site, target, names, "The title", "the authors")
        sheets = made.result(timeout=500)
    assert len(PdfReader(target).pages) == sheets > 100
    return target


@pytest.fixture(scope="module")
def book(file: Path) -> PdfReader:
    """The whole book."""
    return PdfReader(file)


@pytest.fixture(scope="module")
def sheets(file: Path) -> list[str]:
    """The text of each sheet of the book."""
    return read(file.read_bytes())


def outline(reader: PdfReader, items: list[Any], depth: int = 1) -> Iterator[tuple[int, str, int]]:
    """Return level, title and sheet, from 0, of each bookmark."""
    for item in items:
        if isinstance(item, list):
            yield from outline(reader, item, depth + 1)
        else:
            yield depth, words(item.title), reader.get_destination_page_number(item) or 0


def test_the_book_has_bookmarks_that_lead_to_their_headings(
    book: PdfReader, sheets: list[str]
) -> None:
    found = list(outline(book, book.outline))
    tops = [title for depth, title, _ in found if depth == 1]
    assert [title for title in tops if title[0].isdigit()] == CHAPTERS
    assert len(found) > 100
    for _, title, sheet in found:
        start = words(title)[:25]
        assert start in sheets[sheet], (title, sheet)


def test_the_contents_name_the_right_sheets(book: PdfReader, sheets: list[str]) -> None:
    first = {title: sheet for _, title, sheet in outline(book, book.outline)}
    contents = " ".join(sheets[1:4])
    for title in CHAPTERS:
        (number,) = re.findall(re.escape(title) + r" (\d+)", contents)
        assert int(number) == first[title] + 1


def test_links_of_the_book_stay_in_it_or_leave_for_the_web(book: PdfReader) -> None:
    places, inside, outside = set(book.named_destinations), 0, set()
    for page in book.pages:
        for annotation in page.get("/Annots", []):
            link = annotation.get_object()
            if "/Dest" in link:
                assert str(link["/Dest"]) in places
                inside += 1
            elif "/A" in link:
                outside.add(str(link["/A"].get("/URI")))
    assert inside > 500
    assert outside
    assert [url for url in outside if not url.startswith("https://")] == []


def test_the_book_holds_every_equation_question_and_solution(sheets: list[str], site: Path) -> None:
    text = " ".join(sheets)
    for path in site.glob("book/*.html"):
        page = path.read_text(encoding="utf-8")
        for number in re.findall(r'class="eqno">(\(\d+\.\d+\))', page):
            assert number in text
        for number in re.findall(r'class="caption-number">(Exercise \d+\.\d+)', page):
            assert text.count(f"Solution to {number} ") == 1
    questions = sum(
        path.read_text(encoding="utf-8").count("<b>Question ") for path in site.glob("book/*.html")
    )
    assert len(re.findall(r"\bQuestion \d+", text)) >= 2 * questions  # asked, and answered
    assert "Show the code" not in text


def test_a_chapter_can_be_printed(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/gru.html").page
    text = read(page.pdf(format="A4"))
    assert text[0].startswith(CHAPTERS[1])
    whole = " ".join(text)
    for button in ("Show the code", "Skip to main content", "Click to", "Contents", "Check Clear"):
        assert button not in whole
    assert "Three matrices each of" in whole  # a solution
    page.emulate_media(media="print")
    split = """() => [...document.querySelectorAll("div.cell_input, .quiz, figure")]
      .filter(e => e.checkVisibility() && getComputedStyle(e).breakInside !== "avoid")
      .map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(split) == []
    seen = "main button:visible, .prev-next-footer:visible, #pst-skip-link:visible"
    assert page.locator(seen).count() == 0


def test_the_zip_is_the_site_and_always_the_same(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    count = paper.make_zip(site, one)
    paper.make_zip(site, other)
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "out")
    assert len(names) == count == len(set(names))
    assert names == sorted(names)
    assert not [name for name in names if name.endswith((PDF, ZIP, ".buildinfo"))]
    folder = tmp_path / "out" / paper.FOLDER
    context = browser.new_context(offline=True)
    visit = open_page(context, (folder / "book" / "index.html").as_uri())
    assert visit.failed == visit.messages == []
    assert visit.page.locator("a[download]").count() == 0
    visit.page.get_by_role("link", name="Start reading").click()
    visit.page.wait_for_url("**/rnn.html")  # a click does not wait for the page that it opens
    assert visit.page.locator("h1:visible").count() == 1
    assert visit.page.locator(".katex").count() > 50
    context.close()


def test_only_what_is_there_is_offered(site: Path) -> None:
    page = (site / "book" / "index.html").read_text(encoding="utf-8")
    nothing, both = fill(page, []), fill(page, LABELS)
    assert "<a" not in re.findall(r'<p class="downloads".*?</p>', nothing)[0]
    assert re.findall(r'<a href="([^"]*)" download>', both) == [f"../{PDF}", f"../{ZIP}"]
    assert fill(both, [PDF]) == fill(nothing, [PDF])
    there = [name for name in LABELS if (site / name).is_file()]
    assert page == fill(page, there)
