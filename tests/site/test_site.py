"""The site as a whole: its switches, its search, its links, its weight."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from serve import POLICY
from test_pages import missing_icons
from visits import SITE, Windows, chapters, open_page, pages, until


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


# What a reader leaves behind, and whether anything of it is there.
LEAVE = "() => { localStorage.setItem('mark', '1'); document.cookie = 'mark=1; max-age=999'; }"
LEFT = "() => [localStorage.getItem('mark'), document.cookie]"
CACHED = """() => performance.getEntriesByType("resource")
  .filter(e => e.transferSize === 0).map(e => e.name)"""


def test_a_window_is_handed_on_as_new(windows: Windows, server: str, site: Path) -> None:
    addresses = [server + "404.html", (site / "404.html").as_uri()]
    for _ in range(2):
        with windows.new_reader() as context:
            for address in addresses:
                visit = open_page(context, address)
                assert visit.page.evaluate(LEFT) == [None, ""], address
                assert visit.failed == []  # nobody's routes are left
                assert address.startswith("file:") or visit.page.evaluate(CACHED) == []
                visit.page.evaluate(LEAVE)
            context.route("**/*.css*", lambda route: route.abort())
            assert len(context.pages) == 3  # with the empty one
        addresses.append(addresses.pop(0))


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
    solution = page.locator("details.solution").first
    text, title = solution.locator("section p").first, solution.locator("summary")
    assert title.inner_text().startswith("Solution to Exercise 1.1 (")
    assert title.locator("a").count() == 0
    assert not text.is_visible()
    title.focus()
    page.keyboard.press("Enter")
    text.wait_for()
    titles = page.locator("details.solution > summary").all_inner_texts()
    assert len(set(titles)) == len(titles) == page.locator(".exercise").count()


def test_the_code_of_a_drawing_opens_below_it(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    fold = page.locator("details.code-fold").first
    summary, code = fold.locator("summary"), fold.locator("pre")
    figure = page.locator("div.cell:has(details.code-fold) figure").first
    below, above = summary.bounding_box(), figure.bounding_box()
    assert below is not None
    assert above is not None
    assert below["y"] >= above["y"] + above["height"]
    assert below["height"] < 40
    assert summary.inner_text() == "Show the code that draws this"
    assert not code.is_visible()
    summary.click()
    code.wait_for()
    assert summary.inner_text() == "Hide the code"


def test_code_is_copied_by_mouse_and_keyboard(context: BrowserContext, server: str) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_page(context, server + "book/rnn.html").page
    # A line that breaks on a phone is one line all the same, copied or selected.
    page.set_viewport_size({"width": 390, "height": 844})
    block = page.locator("div.cell_input pre:has(.long):visible").first
    written = block.evaluate("e => e.textContent.trimEnd()")
    block.hover()
    block.locator("xpath=..").locator("button.copybtn").click()
    assert page.evaluate("navigator.clipboard.readText()") == written
    block.evaluate("e => getSelection().selectAllChildren(e)")
    assert page.evaluate("getSelection().toString().trimEnd()") == written
    # The keyboard stops once a section, and the arrows lead on.
    stops = """() => [...document.querySelectorAll("button.copybtn")].filter(e => e.tabIndex === 0)
      .map(e => e.closest("article > section > section")?.id)"""
    sections = page.evaluate(stops)
    assert len(set(sections)) == len(sections) < page.locator("button.copybtn").count() / 2
    buttons = page.locator("button.copybtn:visible")
    buttons.nth(0).focus()
    page.keyboard.press("ArrowDown")
    assert buttons.nth(1).evaluate("e => e === document.activeElement && e.tabIndex === 0")
    page.keyboard.press("Enter")
    written = buttons.nth(1).evaluate("e => e.parentElement.querySelector('pre').textContent")
    assert page.evaluate("navigator.clipboard.readText()") == written.rstrip("\n")
    page.keyboard.press("ArrowUp")
    assert buttons.nth(0).evaluate("e => e === document.activeElement")


def test_the_buttons_of_the_header_work(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Download this page").click()
    page.locator("[data-click='window.print()']").click()
    assert page.evaluate("window.printed")
    page.locator("[data-click='toggleFullScreen()']").click()
    until(page, "document.fullscreenElement !== null")
    done = "[data-click='window.print()'], [data-click='toggleFullScreen()']"
    assert page.locator(f"[data-click]:not({done}), [onclick]").count() == 0


@pytest.mark.parametrize("path", pages())
def test_no_script_stands_in_a_page(site: Path, path: str) -> None:
    text = (site / path).read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]* src=)[^>]*>", text) == []
    assert re.findall(r'<[^>]+\son[a-z]+="', text) == []
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in text


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_first_paint_has_the_readers_mode(
    browser: Browser, server: str, mode: Literal["light", "dark"], scripts: bool
) -> None:
    context = browser.new_context(color_scheme=mode, java_script_enabled=scripts)
    page = context.new_page()
    if scripts:  # all that would come after the first paint does not come
        page.route(re.compile("/(theme|site).js"), lambda route: route.abort())
    page.goto(server + "book/rnn.html")
    grounds, words = {}, {}
    for name in ("body", "div.cell_input pre"):
        style = page.locator(name).first.evaluate(
            "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
        )
        grounds[name], words[name] = (
            sum(int(value) for value in re.findall(r"\d+", colour)[:3]) for colour in style
        )
    for name in grounds:
        dark, light = sorted((grounds[name], words[name]))
        assert light - dark > 400, (grounds, words)
        assert (grounds[name] == dark) == (mode == "dark"), (grounds, words)
    context.close()


def test_lines_of_code_break_on_a_phone(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    page.set_viewport_size({"width": 360, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    wide, broken = page.evaluate(
        """() => {
          const blocks = [...document.querySelectorAll("div.cell_input pre")];
          // Of a broken line, no part begins further left than two characters behind its first.
          const off = [...document.querySelectorAll("div.cell_input .long")].filter(line => {
            const range = document.createRange();
            range.selectNodeContents(line);
            const boxes = [...range.getClientRects()].filter(box => box.width > 1);
            const left = boxes[0].left;
            return boxes.some(box => box.top > boxes[0].bottom - 2 && box.left < left + 10);
          });
          return [blocks.filter(e => e.scrollWidth > e.clientWidth).length,
            off.map(e => e.textContent)];
        }"""
    )
    assert (wide, broken) == (0, [])


def test_no_word_of_code_is_cut_and_no_row_of_a_printed_table(
    context: BrowserContext, server: str
) -> None:
    page = open_page(context, server + "book/rnn.html").page
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    cut, rows, parted = page.evaluate(
        """() => {
          const lines = range => new Set([...range.getClientRects()].map(box => box.top)).size;
          const cut = [];
          for (const line of document.querySelectorAll("div.cell_input .long")) {
            const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
            for (let text; (text = texts.nextNode());) {
              for (const word of text.data.matchAll(/\\w+/g)) {
                const range = document.createRange();
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                if (lines(range) > 1) cut.push(word[0]);
              }
            }
          }
          const rows = [...document.querySelectorAll(".cell_output .printed")];
          const parted = rows.filter(row => row.clientHeight > 25).map(row => row.textContent);
          return [cut, rows.length, parted];
        }"""
    )
    assert rows > 20
    assert (cut, parted) == ([], [])


def test_what_scrolls_sideways_shows_it(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html").page
    page.set_viewport_size({"width": 280, "height": 800})
    equation = page.locator(".katex-display.more-right").first
    equation.wait_for()
    assert "gradient" in equation.evaluate("e => getComputedStyle(e).maskImage")
    assert page.locator(".katex-display.more-left").count() == 0
    equation.focus()
    assert equation.evaluate("e => getComputedStyle(e).maskImage") == "none"
    element = equation.element_handle()
    element.evaluate("e => { e.scrollLeft = e.scrollWidth }")
    until(page, "e => e.matches('.more-left:not(.more-right)')", element)
    page.set_viewport_size({"width": 1280, "height": 800})
    until(page, "e => !e.matches('.more-left, .more-right, [tabindex]')", element)


def test_a_section_is_laid_out_when_it_comes_near(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/rnn.html", whole=False).page
    # That the theme measures nothing is to be seen by what it would write to each block of code.
    assert page.locator("article pre[tabindex]").count() == 0
    near = """() => [...document.querySelectorAll("article > section > section")].map(
      e => e.firstElementChild.checkVisibility({contentVisibilityAuto: true}))"""
    assert page.evaluate(near)[-1] is False
    links = page.locator(".page-toc a")
    links.last.click()
    expect(links.last).to_have_class(re.compile("active"))
    expect(page.locator(".page-toc a.active")).to_have_count(1)
    assert page.evaluate(near)[-1] is True
    top = page.locator("article " + str(links.last.get_attribute("href"))).bounding_box()
    assert top is not None
    assert -10 < top["y"] < 200, "a link leads to its section, whatever lies between"
    links.first.click()
    expect(links.first).to_have_class(re.compile("active"))


def test_paper_is_white(context: BrowserContext, server: str) -> None:
    page = open_page(context, server + "book/notation.html").page  # a chapter takes long
    page.emulate_media(color_scheme="dark")
    until(page, "document.documentElement.dataset.theme === 'dark'")
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
