"""What a link shows before it is followed, by mouse, by keyboard and by touch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from course.previews import element, targets
from playwright.sync_api import Browser, Page, expect
from visits import Windows, open_page

pytestmark = pytest.mark.xdist_group("previews")


@pytest.fixture(scope="module")
def opened(windows: Windows, server: str) -> Iterator[Page]:
    """A chapter, opened once."""
    with windows.new_reader() as context:
        yield open_page(context, server + "book/gru.html").page


@pytest.fixture
def chapter(opened: Page) -> Page:
    """The chapter with the mouse in a corner and no preview."""
    opened.mouse.move(1, 1)
    opened.keyboard.press("Escape")
    expect(opened.locator(".preview")).not_to_be_visible()
    return opened


# What is linked, and what its preview holds.
KINDS = {
    "an equation of the page": ("a[href='#equation-eq-gru-gates']", ".katex"),
    "an equation of another page": ("a[href='rnn.html#equation-eq-rnn']", ".katex"),
    "a figure of the page": ("a[href='#fig-gru-gates']", "img"),
    "a work": ("a[href*='references.html#id']", "p:has-text('.')"),
    "a term": ("a[href='glossary.html#term-reset-gate']", "dd:has-text('past')"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_mouse_opens_and_closes_it(chapter: Page, kind: str) -> None:
    link, held = KINDS[kind]
    target = chapter.locator(f"article {link}:not(.headerlink)").first
    target.scroll_into_view_if_needed()
    target.hover()
    box = chapter.locator(".preview")
    expect(box.locator(held).first).to_be_visible(timeout=15_000)
    assert target.get_attribute("aria-describedby") == "preview"
    assert box.get_attribute("role") == "tooltip"
    size = box.bounding_box()
    assert size is not None
    assert size["x"] >= 0
    assert size["x"] + size["width"] <= 1280
    box.hover()  # it stays as long as the mouse is on it
    chapter.wait_for_timeout(300)
    expect(box).to_be_visible()
    chapter.mouse.move(1, 1)
    expect(box).not_to_be_visible()
    assert target.get_attribute("aria-describedby") is None


def test_the_keyboard_opens_it_and_escape_closes_it(chapter: Page) -> None:
    target = chapter.locator("article a[href='glossary.html#term-reset-gate']").first
    box = chapter.locator(".preview")
    chapter.keyboard.press("Tab")  # the keyboard is in use
    target.focus()
    expect(box.locator("dd")).to_be_visible()
    assert box.locator("a:not([tabindex='-1'])").count() == 0, "a stop of the keyboard in a tooltip"
    chapter.keyboard.press("Escape")
    expect(box).not_to_be_visible()
    chapter.keyboard.press("Shift+Tab")
    chapter.keyboard.press("Tab")
    expect(box).to_be_visible()
    chapter.keyboard.press("Tab")
    expect(box.locator("dd:has-text('past')")).not_to_be_visible()


def test_no_id_is_there_twice(chapter: Page) -> None:
    chapter.locator("article a[href='#equation-eq-gru-gates']:not(.headerlink)").first.hover()
    expect(chapter.locator(".preview .katex").first).to_be_visible()
    ids = chapter.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_a_finger_follows_the_link(browser: Browser, server: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = open_page(context, server + "book/gru.html").page
    page.locator("article a[href='glossary.html#term-reset-gate']").first.tap()
    page.wait_for_url("**/glossary.html#term-reset-gate")
    context.close()


def test_it_works_from_a_folder_and_on_a_phone(browser: Browser, site: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    visit = open_page(context, (site / "book" / "gru.html").as_uri())
    target = visit.page.locator("article a[href='glossary.html#term-reset-gate']").first
    target.scroll_into_view_if_needed()
    target.hover()
    box = visit.page.locator(".preview")
    expect(box.locator("dd")).to_be_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert visit.messages == []
    context.close()


def test_links_to_anchors_jump(chapter: Page) -> None:
    assert chapter.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_an_element_ends_where_it_does() -> None:
    text = '<p><div id="a"><div>x</div><br></div><div>y</div></p>'
    assert element(text, 3) == '<div id="a"><div>x</div><br></div>'
    with pytest.raises(ValueError, match="has no end"):
        element("<div><div></div>", 0)


def test_a_term_comes_with_its_definition() -> None:
    text = '<dl><dt id="term-a">a</dt><dt id="term-b">b</dt><dd><p>said</p></dd></dl>'
    assert targets(text) == {
        "term-a": '<dt id="term-a">a</dt><dd><p>said</p></dd>',
        "term-b": '<dt id="term-b">b</dt><dd><p>said</p></dd>',
    }
