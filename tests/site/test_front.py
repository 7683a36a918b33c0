"""The start page: what its first screen holds, and that its picture and its list are true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from course import front
from playwright.sync_api import Browser, Page
from sphinx.errors import ExtensionError
from visits import ROOT, open_page

pytestmark = pytest.mark.xdist_group("book/index.html")
ROWS = [
    {"symbol": symbol, "network": 1.0 + number, "counting": 2.5}
    for number, symbol in enumerate("to be or not to be")
]


@pytest.fixture(scope="module")
def start(browser: Browser, server: str) -> Iterator[Page]:
    """The start page, opened once for all tests."""
    context = browser.new_context(viewport={"width": 1280, "height": 768})
    yield open_page(context, server + "book/index.html").page
    context.close()


def test_the_picture_is_the_measurement() -> None:
    drawing = front.draw({"results": ROWS}, "be or not")
    bars, dashes = drawing.rsplit('<path class="network" d="', 1)[1].split('"', 1)
    heights = [float(h) / front.BIT for h in re.findall(r"v-([\d.]+)h9", bars)]
    assert heights == pytest.approx([row["network"] for row in ROWS[3:12]])  # the first "be"
    levels = [float(y) for y in re.findall(r"M\d+ ([\d.]+)h11", dashes)]
    feet = front.LEGEND + front.FEET
    assert [(feet - y) / front.BIT for y in levels] == pytest.approx([2.5] * 9)
    assert "be␣or␣not</text>" in drawing


def test_a_stretch_that_was_not_measured_stops_the_build() -> None:
    with pytest.raises(ExtensionError, match="'to do' is not in"):
        front.draw({"results": ROWS}, "to do")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 768)])
def test_the_first_screen(start: Page, width: int, height: int) -> None:
    start.set_viewport_size({"width": width, "height": height})
    sentence = start.locator("article h1 + p")
    assert len(re.findall(r"[.?!](?=\s|$)", sentence.inner_text())) == 1
    doors = start.locator(".doors a")
    hrefs = [(door.inner_text(), door.get_attribute("href")) for door in doors.all()]
    assert hrefs == [
        ("Start reading", "rnn.html"),
        ("Run it", "running.html"),
        ("Play", "play.html"),
    ]
    for part in (sentence, start.locator("svg.surprise"), *doors.all()):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height, part
    letters = start.locator("svg.surprise text").first
    scale = start.locator("svg.surprise").evaluate("e => e.getScreenCTM().a")
    assert scale * float(letters.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) >= 11


def test_the_first_chapter_comes_next(start: Page) -> None:
    assert start.locator("a.right-next").get_attribute("href") == "rnn.html"


def test_the_chapters_are_questions(start: Page, site: Path) -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    part = next(part for part in contents["parts"] if part.get("numbered"))
    found = start.evaluate(
        """() => [...document.querySelectorAll(".questions > li")].map(e => ({
          href: e.querySelector(".question a").getAttribute("href"),
          question: e.querySelector(".question").innerText,
          facts: e.querySelector(".facts").innerText,
          picture: e.querySelector("img").getAttribute("src"),
        }))"""
    )
    names = [chapter["file"].removeprefix("book/") for chapter in part["chapters"]]
    assert [item["href"] for item in found] == [f"{name}.html" for name in names]
    study = json.loads((ROOT / front.DEVICES).read_text(encoding="utf-8"))
    seconds = study["devices"][0]["chapters"]
    for name, item in zip(names, found, strict=True):
        assert item["question"].endswith("?")
        chapter = (site / "book" / f"{name}.html").read_text(encoding="utf-8")
        assert item["picture"] in re.findall(r'<img[^>]* src="([^"]*)"', chapter)
        read, run = map(int, re.findall(r"(\d+) min", item["facts"]))
        assert run == max(1, round(seconds[name] / 60))
        prose = re.sub(
            r"```\{code-cell\}.*?\n```", "", (ROOT / "book" / f"{name}.md").read_text(), flags=re.S
        )
        assert 150 < len(prose.split()) / read < 300, "words a minute"


def test_every_promise_has_its_page(start: Page) -> None:
    promises = start.locator("#what-is-different-here li")
    assert promises.count() >= 5
    for promise in promises.all():
        assert promise.locator("a[href*='.html#']").count() == 1, promise.inner_text()
