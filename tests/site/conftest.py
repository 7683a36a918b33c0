"""The built site, served to a real browser. What is missing fails the tests, it skips none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from serve import served
from visits import SITE, Visit, Windows, lay_out, one_at_a_time, open_and_watch, pages

expect.set_options(timeout=30_000)  # ms: the machine may be busy, and waiting costs nothing else


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site in {SITE}: run `make site`", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[str]:
    """The address of the site, on this machine."""
    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def windows(browser: Browser, server: str) -> Windows:
    """Windows for readers who are here for the first time."""
    return Windows(browser, server)


@pytest.fixture
def context(windows: Windows) -> Iterator[BrowserContext]:
    """A visitor who is here for the first time."""
    with windows.new_reader() as fresh:
        yield fresh


@pytest.fixture(scope="module", params=one_at_a_time(pages()))
def visit(windows: Windows, server: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Every page in turn, opened once for all the tests of a file."""
    with windows.new_reader() as fresh:
        opened = open_and_watch(fresh, server + request.param)
        lay_out(opened.page)
        yield opened


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    """The page of the visit, which a test may resize and recolour: it is set right afterwards."""
    yield visit.page
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.emulate_media(color_scheme="light", reduced_motion="no-preference", media="screen")
