"""The built site, served to a real browser. What is missing fails the tests, it skips none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import browser as browsers
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, sync_playwright

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
LOUD = ("error", "warning")


def pages() -> list[str]:
    """Return the paths of all pages, but the root's, which only sends on to the first one."""
    found = [path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")]
    return sorted(path for path in found if path != "index.html" and not path.startswith("_")) or [
        "no page, because the site is not built"
    ]


def chapters() -> list[str]:
    """Return the paths of the pages that were written by hand."""
    return [path for path in pages() if path not in ("search.html", "genindex.html")]


@dataclass
class Visit:
    """A page that was opened, and all that it did until it was idle."""

    url: str
    page: Page
    messages: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)


class Handler(SimpleHTTPRequestHandler):
    """A server that does not write to the terminal."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site in {SITE}: run `make site`", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[str]:
    """The address of the site, on this machine."""
    handler = partial(Handler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, without windows."""
    path = browsers.find()
    if path is None:
        pytest.fail(f"there is no browser: {browsers.MEND}", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=browsers.ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor who is here for the first time."""
    fresh = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield fresh
    fresh.close()


def open_page(context: BrowserContext, url: str) -> Visit:
    """Open a page and wait until it has loaded all that it wants."""
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
    return visit


@pytest.fixture(scope="module", params=pages())
def visit(browser: Browser, server: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Every page in turn, opened once for all the tests of a file."""
    fresh = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield open_page(fresh, server + request.param)
    fresh.close()


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    """The page of the visit, which a test may resize and recolour: it is set right afterwards."""
    yield visit.page
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.emulate_media(color_scheme="light", reduced_motion="no-preference", media="screen")
