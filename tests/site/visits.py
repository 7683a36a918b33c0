"""The pages of the built site, and what opening one of them does."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Request, Response

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
LOUD = ("error", "warning")
# The rules of axe that a colour scheme can break.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def pages() -> list[str]:
    """Return the paths of all pages, but the root's, which only sends on to the first one."""
    found = [path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")]
    return sorted(path for path in found if path != "index.html" and not path.startswith("_")) or [
        "no page, because the site is not built"
    ]


def chapters() -> list[str]:
    """Return the paths of the pages that were written by hand."""
    return [path for path in pages() if path not in ("search.html", "404.html")]


def one_at_a_time(paths: list[str]) -> list[object]:
    """Return pages as parameters; the tests of one run in one process, which opens it once."""
    return [pytest.param(path, marks=pytest.mark.xdist_group(path)) for path in paths]


class Windows:
    """Windows of the browser, which one reader after the other gets, each as if it were new.

    A new window costs Chromium a second of processor time: it starts processes for what stands
    around a page. Each here keeps an empty page, so that it stays open.
    """

    def __init__(self, browser: Browser, server: str):
        self.browser, self.origins = browser, (server, "file:///")
        self.free: dict[str, list[tuple[BrowserContext, CDPSession]]] = defaultdict(list)

    @contextmanager
    def new_reader(self, **options: Any) -> Iterator[BrowserContext]:
        """Lend a window to somebody who is here for the first time, wide and light unless told."""
        options = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"} | options
        free = self.free[repr(sorted(options.items()))]
        if not free:
            context = self.browser.new_context(**options)
            free.append((context, context.new_cdp_session(context.new_page())))
        context, empty = free.pop()
        yield context
        for page in context.pages[1:]:
            page.close()
        context.unroute_all()
        context.clear_permissions()
        empty.send("Network.clearBrowserCache")
        for origin in self.origins:
            empty.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        free.append((context, empty))


@dataclass
class Visit:
    """A page that was opened, and all that it did until it was idle."""

    url: str
    page: Page
    messages: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    shift: float = 0.0  # how far what was to be seen has moved while it loaded


def until(page: Page, condition: str, argument: object = None, seconds: float = 30) -> None:
    """Wait for a condition in a page. Playwright's own way would need `eval` in the page."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition, argument):
        assert time.monotonic() < end, f"still not so: {condition}"
        page.wait_for_timeout(20)


LAY_OUT = """(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("article section { content-visibility: visible !important }");
  document.adoptedStyleSheets.push(sheet);
})()"""


def lay_out(page: Page) -> None:
    """Lay out all sections, as if the reader had been everywhere: of this page, and the next ones.

    The style sheet that does it is not counted among those of the page.
    """
    page.add_init_script(LAY_OUT)
    page.evaluate(LAY_OUT)


# What is neither chosen, nor holds it, nor is held by it.
OTHERS = """chosen => {
  const found = [...document.body.querySelectorAll(chosen)];
  const around = new Set(found);
  for (const e of around) if (e !== document.body) around.add(e.parentElement);
  return [...around].filter(e => !found.includes(e))
    .flatMap(e => [...e.children]).filter(e => !around.has(e));
}"""


@contextmanager
def without(page: Page, chosen: str, argument: object = None) -> Iterator[None]:
    """Take elements out of a page for a while: those that a function of JavaScript returns.

    What looks at all of a page, as axe does, takes as long as the page is large.
    """
    page.evaluate(
        f"""argument => {{
          window.away = ({chosen})(argument).map(e => [e, document.createComment("")]);
          for (const [e, place] of away) e.replaceWith(place);
        }}""",
        argument,
    )
    yield
    page.evaluate("away.reverse().forEach(([e, place]) => place.replaceWith(e))")


def open_page(context: BrowserContext, url: str, whole: bool = True) -> Visit:
    """Open a page, wait until it has loaded all that it wants, and lay out the whole of it."""
    visit = Visit(url, context.new_page())

    def note_response(response: Response) -> None:
        if response.status >= 400:
            visit.failed.append(f"{response.status} {response.url}")
        elif response.status == 200:
            visit.sizes[response.url] = int(response.headers.get("content-length", 0))

    def note_failure(request: Request) -> None:
        visit.failed.append(f"{request.failure} {request.url}")

    visit.page.on("response", note_response)
    visit.page.on("requestfailed", note_failure)
    visit.page.on("pageerror", lambda error: visit.messages.append(f"uncaught: {error}"))
    visit.page.on(
        "console",
        lambda m: visit.messages.append(f"{m.type}: {m.text}") if m.type in LOUD else None,
    )
    visit.page.goto(url, wait_until="networkidle")
    visit.page.evaluate("document.fonts.ready")
    if whole:
        lay_out(visit.page)
    return visit


SHIFT = """() => new Promise(done => {
  new PerformanceObserver(list => done(
    list.getEntries().reduce((sum, entry) => sum + entry.value, 0)
  )).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(0), 100);
})"""


def open_and_watch(context: BrowserContext, url: str) -> Visit:
    """Open a page, and measure by how much its layout shifts (the sum of Chromium's entries)."""
    visit = open_page(context, url, whole=False)
    visit.shift = visit.page.evaluate(SHIFT)
    return visit
