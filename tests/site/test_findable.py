"""How pages are found: titles, descriptions, addresses, cards, a map of the site."""

from __future__ import annotations

import re
import struct
from collections import Counter
from html import unescape
from pathlib import Path
from urllib.parse import urljoin
from xml.etree import ElementTree

import pytest
import yaml
from course.findable import rooted
from course.launch import find_repository
from minibook import MiniBook
from visits import ROOT, chapters

META = re.compile(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"')
REPOSITORY = find_repository(ROOT, "", "gh-pages")


def head(path: Path) -> str:
    """Return what stands in a page before its body."""
    return path.read_text(encoding="utf-8").partition("<body")[0]


def metas(path: Path) -> dict[str, str]:
    """Return the metadata of a page by their names."""
    return {name: unescape(value) for name, value in META.findall(head(path))}


def titles(path: Path) -> list[str]:
    return re.findall("<title>(.*?)</title>", head(path), flags=re.S)


@pytest.mark.parametrize("path", [*chapters(), "404.html", "search.html"])
def test_a_page_says_what_it_is(site: Path, path: str) -> None:
    found = metas(site / path)
    assert head(site / path).count('name="viewport"') == 1
    assert 20 <= len(found["description"]) <= 160, found["description"]
    assert found["og:title"]
    assert found["og:description"] == found["description"]
    (title,) = titles(site / path)
    own, _, book = unescape(title).casefold().partition(" \N{EM DASH} ")
    assert not book or (book not in own and own not in book), f"{title!r} says it twice"


def test_no_two_pages_are_called_or_described_alike(site: Path) -> None:
    called = Counter(title for path in chapters() for title in titles(site / path))
    described = Counter(metas(site / path)["description"] for path in chapters())
    assert [name for name, times in (called + described).items() if times > 1] == []


def test_each_page_has_a_card_of_its_own(site: Path) -> None:
    cards = {}
    for path in chapters():
        address = metas(site / path)["og:image"]
        file = site / address.removeprefix(REPOSITORY.site) if REPOSITORY else None
        file = file or (site / path).parent / address
        data = file.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert struct.unpack(">2I", data[16:24]) == (1200, 630)
        cards[path] = data
    assert len(set(cards.values())) == len(cards)


@pytest.mark.parametrize("path", [*chapters(), "404.html"])
def test_the_address_follows_from_the_repository(site: Path, path: str) -> None:
    found = re.findall('<link rel="canonical" href="([^"]*)"', head(site / path))
    known = REPOSITORY is not None and path != "404.html"
    assert found == ([urljoin(REPOSITORY.site, path)] if known and REPOSITORY else [])


def test_addresses_of_a_lost_page_hold_at_any_depth() -> None:
    page = '<a href="book/a.html#b"><img src="_static/c.svg"><a href="#d"><a href="https://e.f/">'
    assert rooted(page, "/course/") == (
        '<a href="/course/book/a.html#b"><img src="/course/_static/c.svg">'
        '<a href="#d"><a href="https://e.f/">'
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> MiniBook:
    """A book whose repository is known."""
    book = MiniBook(tmp_path_factory.mktemp("published") / "book")
    book.environment = {"GITHUB_REPOSITORY": "Some-Body/course"}
    assert book.build(), book.log
    return book


@pytest.mark.xdist_group("published")
def test_with_a_repository_everything_has_its_address(published: MiniBook) -> None:
    home = "https://some-body.github.io/course/"
    page = (published.site / "book" / "page.html").read_text()
    assert f'<link rel="canonical" href="{home}book/page.html"' in page
    assert f'<meta property="og:url" content="{home}book/page.html" />' in page
    assert 'href="https://github.com/Some-Body/course/blob/HEAD/book/page.md"' in page
    assert 'href="https://github.com/Some-Body/course/issues/new?title=book%2Fpage%3A+"' in page
    places = ElementTree.parse(published.site / "sitemap.xml").getroot()
    found = [
        place.text for place in places.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    ]
    assert found == [f"{home}book/index.html", f"{home}book/page.html"]
    lost = (published.site / "404.html").read_text()
    assert 'href="/course/book/index.html"' in lost
    assert 'rel="canonical"' not in lost
    assert not re.findall(r'(?:href|src)="(?!/course/|#|https?:|data:)[^"]', lost)


def test_without_a_repository_no_page_claims_one(site: Path) -> None:
    if REPOSITORY is None:
        assert not (site / "sitemap.xml").exists()
        assert "github.com" not in (site / "book" / "rnn.html").read_text(encoding="utf-8")


def test_the_citation_has_the_title_and_the_authors_of_the_book() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    subtitle = config["sphinx"]["config"]["course_subtitle"]
    assert citation["title"] == f"{config['title']}: {subtitle}"
    assert [author["name"] for author in citation["authors"]] == [config["author"]]
