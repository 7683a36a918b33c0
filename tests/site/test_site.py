"""The site as a whole: its switches, its search, its links, its weight."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import BrowserContext
from test_pages import missing_icons
from visits import SITE, chapters, open_page, pages


class Links(HTMLParser):
    """The targets of a page, and where it leads."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                assert value not in self.anchors, f"two elements have the id {value}"
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


@pytest.fixture(scope="module")
def links(site: Path) -> dict[Path, Links]:
    return {site / path: Links(site / path) for path in ("index.html", *pages())}


def test_links_lead_somewhere(site: Path, links: dict[Path, Links]) -> None:
    broken = []
    for path, page in links.items():
        for target in page.targets:
            url = urlsplit(target)
            if url.scheme:
                if url.scheme not in ("https", "mailto", "data"):
                    broken.append(f"{path.relative_to(site)}: {target} is not safe")
                continue
            goal = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not goal.is_relative_to(site.resolve()) or not goal.is_file():
                broken.append(f"{path.relative_to(site)}: {target} is not there")
            elif url.fragment and goal in links and url.fragment not in links[goal].anchors:
                broken.append(f"{path.relative_to(site)}: {target} has no such place")
    assert broken == []


def test_the_root_leads_to_the_first_page(context: BrowserContext, server: str) -> None:
    page = open_page(context, server).page
    page.wait_for_url(server + "book/index.html")


def test_search_finds_a_word(context: BrowserContext, server: str) -> None:
    visit = open_page(context, server + chapters()[0])
    page = visit.page
    page.locator(".search-button__button:visible").first.click()
    page.keyboard.type("perplexity")
    page.keyboard.press("Enter")
    result = page.locator("#search-results li a").first
    result.wait_for()
    assert "book/" in (result.get_attribute("href") or "")
    page.wait_for_load_state("networkidle")
    for summary in page.locator("#search-results li").all_inner_texts():
        assert "perplexity" in summary.lower()
        assert "\\" not in summary, "the source of a formula"
    assert visit.messages == []
    assert visit.failed == []
    result.click()
    page.wait_for_url("**/book/*.html*")
    assert "perplexity" in page.locator("article").inner_text().lower()


def test_the_mode_is_kept(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + chapters()[0]).page
    theme = "document.documentElement.dataset.theme"
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(theme) == "light"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    button = page.locator(".theme-switch-button:visible")
    button.click()  # a reader whose system is light gets the dark mode first
    assert page.evaluate(theme) == "dark"
    page.reload()
    assert page.evaluate(theme) == "dark"
    assert page.evaluate(ground) != "rgb(255, 255, 255)"
    for expected in ("light", "auto"):
        page.locator(".theme-switch-button:visible").click()
        assert page.evaluate("document.documentElement.dataset.mode") == expected


def test_a_chapter_can_be_downloaded_as_a_notebook(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    page.get_by_role("button", name="Download this page").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=".ipynb").click()
    assert download.value.url == server + "notebooks/rnn.ipynb"


def test_a_solution_opens_by_keyboard(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    solution = page.locator(".solution.dropdown").first
    text, button = solution.locator("section p").first, solution.locator("button.toggle-button")
    assert not text.is_visible()
    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    page.keyboard.press("Enter")
    text.wait_for()
    assert button.get_attribute("aria-expanded") == "true"


def test_paper_is_white(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/notation.html").page  # a chapter takes long
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
          window.printed = getComputedStyle(document.body).backgroundColor;
        })"""
    )
    assert page.pdf().startswith(b"%PDF")
    assert page.evaluate("window.printed") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="print")
    assert (
        page.locator(".bd-header-article, .bd-sidebar-primary, footer")
        .locator("visible=true")
        .count()
        == 0
    )


def test_figures_change_with_the_mode(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    style = """mode => {
      document.documentElement.dataset.theme = mode;
      const s = getComputedStyle(document.querySelector("article figure img"));
      return [s.filter, s.mixBlendMode, s.backgroundColor];
    }"""
    clear = "rgba(0, 0, 0, 0)"
    assert page.evaluate(style, "light") == ["none", "normal", clear]
    assert page.evaluate(style, "dark") == ["invert(1) hue-rotate(180deg)", "screen", clear]


def test_an_icon_that_is_not_in_the_font_is_noticed(
    context: BrowserContext, server: str, site: Path
) -> None:
    page = open_page(context, server + chapters()[0]).page
    add = """classes => document.querySelector("article").insertAdjacentHTML(
      "beforeend", `<i class="${classes}"></i>`)"""
    page.evaluate(add, "fa-solid fa-anchor")
    page.evaluate(add, "fa-solid fa-no-such-icon")
    assert missing_icons(page, site) == ["fa-solid fa-anchor", "fa-solid fa-no-such-icon"]


def test_nothing_large_is_published_for_no_use(site: Path) -> None:
    assert not list((SITE / "_static").rglob("fontawesome.js*"))
    fonts = site / "_static" / "vendor" / "fontawesome" / "webfonts"
    assert sum(path.stat().st_size for path in fonts.iterdir()) < 30_000
