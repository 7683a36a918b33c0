"""Tests that need a real book run where the book is, and are named where it is not.

    @pytest.mark.real_book("time_machine")

marks a test that needs a text of `d2lhelpers.text.DOWNLOADS`. No test fetches one: without the book
in the cache folder the test is left out, and the last lines say so and how to get it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()  # by the test's name, the books that it lacks


def missing_books(item: pytest.Item) -> list[str]:
    """Return the names of the books that a test needs and that are not here."""
    needed = [name for mark in item.iter_markers("real_book") for name in mark.args]
    if not needed:
        return []
    from d2lhelpers.text import DOWNLOADS, cache_folder

    return [name for name in needed if not (cache_folder() / DOWNLOADS[name].file_name).is_file()]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose book is not here."""
    lacks = {item: books for item in items if (books := missing_books(item))}
    config.stash[LEFT_OUT] = {item.name: books for item, books in lacks.items()}
    if lacks:
        config.hook.pytest_deselected(items=list(lacks))
        items[:] = [item for item in items if item not in lacks]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the process that reports know, if the tests run in several."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a process that ran tests has left out: they all left out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say in a line each how misuse ended and what was left out, below everything else."""
    yield
    outcomes: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "outcome":  # one, or one and how often
                outcomes.update([value] if isinstance(value, str) else dict([value]))
    if outcomes:
        counts = ", ".join(f"{count:,} ended in a {kind}" for kind, count in outcomes.items())
        terminalreporter.line(f"{outcomes.total():,} cases of misuse: {counts}")
    left_out = terminalreporter.config.stash.get(LEFT_OUT, {})
    if left_out:
        books = sorted({book for lacking in left_out.values() for book in lacking})
        terminalreporter.line(
            f"left out, for {' and '.join(books)} {'is' if len(books) == 1 else 'are'} not in the "
            f"cache: {', '.join(sorted(left_out))}; `make books` fetches what is missing"
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, without windows: one a process, for Playwright does not start a second time."""
    import browser as browsers
    from playwright.sync_api import sync_playwright

    path = browsers.find()
    if path is None:
        pytest.fail(f"there is no browser: {browsers.MEND}", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=browsers.ARGUMENTS)
        yield chromium
        chromium.close()
