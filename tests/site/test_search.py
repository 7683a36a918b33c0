"""The search: what is asked for is found where it stands, as a whole word, with its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from course.search import records_of, spoken
from docutils import nodes
from playwright.sync_api import BrowserContext, Page
from visits import Windows, open_page

pytestmark = pytest.mark.xdist_group("search.html")
HITS = """() => [...document.querySelectorAll("#search-results li")].map(e => ({
  href: e.querySelector("a").getAttribute("href"),
  title: e.querySelector("a").innerText,
  context: e.querySelector(".context").innerText,
  marked: [...e.querySelectorAll("mark")].map(m => m.innerText),
}))"""


@pytest.fixture(scope="module")
def results(windows: Windows, server: str) -> Iterator[Page]:
    """The page of results, opened once."""
    with windows.new_reader() as context:
        yield open_page(context, server + "search.html?q=gate").page


def ask(page: Page, query: str) -> list[dict[str, Any]]:
    """Return the hits of a query that is typed into the page."""
    page.locator(".bd-search-container input[type=search]").fill(query)
    found: list[dict[str, Any]] = page.evaluate(HITS)
    return found


@cache
def anchors(path: Path) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("BPTT", "book/glossary.html#term-BPTT|book/glossary.html#term-back-propagation-"),
        ("nn.GRU", "book/gru.html#"),
        ("perplexity", "book/glossary.html#term-perplexity"),
        ("gradient clipping", "book/glossary.html#term-|book/rnn.html#gradient-clipping"),
        ("peepholes", "book/lstm.html#"),
        ("zoneout", "book/deep-rnn.html#"),
        ("viterbi", "book/references.html|book/bidirectional-rnn.html#"),
        ("draw_truncated", "book/rnn.html#"),
    ],
)
def test_finds_what_is_asked_for(results: Page, site: Path, query: str, first: str) -> None:
    hits = ask(results, query)
    assert hits, query
    assert any(hits[0]["href"].startswith(f"./{place}") for place in first.split("|")), hits[0]
    for hit in hits:
        path, _, anchor = hit["href"].partition("#")
        assert not anchor or anchor in anchors(site / path), hit
    said = " ".join(hit["title"] + hit["context"] for hit in hits[:3]).lower()
    assert query.lower() in said


def test_other_names_of_a_thing_are_looked_for(results: Page) -> None:
    places = [hit["href"] for hit in ask(results, "BPTT")]
    assert "./book/rnn.html#back-propagation-through-time" in places[:4]


def test_nothing_is_found_inside_a_word(results: Page) -> None:
    for hit in ask(results, "not"):
        assert all(re.match("not", word, re.I) for word in hit["marked"]), hit
    assert not [hit for hit in ask(results, "annot") if "cannot" in hit["context"]]


def test_whole_words_come_first(results: Page) -> None:
    hits = ask(results, "gate")
    whole = [bool(re.search(r"\bgate\b", hit["title"] + hit["context"], re.I)) for hit in hits]
    assert whole[0]
    assert whole == sorted(whole, reverse=True)


def test_all_words_have_to_be_there(results: Page) -> None:
    assert not ask(results, "perplexity xylophone")
    assert "Nothing" in results.locator("#search-results [role=status]").inner_text()
    assert ask(results, "  ") == []


def test_what_is_typed_is_only_text(results: Page) -> None:
    ask(results, '<img src=x onerror="document.title=1"> (.*')
    assert results.locator("#search-results img").count() == 0
    assert results.title() != "1"


def test_works_from_a_folder(context: BrowserContext, site: Path) -> None:
    visit = open_page(context, (site / "search.html").as_uri() + "?q=forget+gate")
    hits = visit.page.evaluate(HITS)
    assert visit.messages == []
    assert "forget" in hits[0]["title"].lower()


def test_a_formula_is_spoken_as_letters() -> None:
    assert spoken(r"\mathbf{W}_{xh}") == "W_xh"
    assert spoken(r"\tau = 3") == "τ= 3"


def test_text_belongs_to_the_section_that_it_stands_in() -> None:
    inner = nodes.section("", nodes.title("", "Inner"), nodes.paragraph("", "two"), ids=["b"])
    outer = nodes.section(
        "", nodes.title("", "Outer"), nodes.paragraph("", "one"), inner, ids=["a", "label"]
    )
    document = nodes.section("", outer)
    assert records_of(document) == [("a", "Outer", ["one"]), ("b", "Inner", ["two"])]  # type: ignore[arg-type]
