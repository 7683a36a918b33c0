"""Every way to a browser, with a PATH on which programs are a few lines of shell."""

from __future__ import annotations

import os
from pathlib import Path

import browser
import pytest


def program(folder: Path, name: str, body: str = "") -> str:
    """Write a program that runs these lines of shell."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def installer(folder: Path, name: str, product: str) -> str:
    """Write a program that logs how it is called, and makes a working browser of `install`."""
    return program(
        folder,
        name,
        f"echo {name} $@ >> {folder}/log\n"
        f'case "$*" in *install*) echo "#!/bin/sh" > {product}; /bin/chmod +x {product};; esac',
    )


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it, and a Playwright without a browser of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(browser, "playwrights_own", lambda: str(folder / "own"))
    monkeypatch.setattr(browser, "PLAYWRIGHT", [program(folder, "playwright", "exit 1")])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


@pytest.mark.parametrize("name", browser.NAMES)
def test_finds_the_browser_of_the_system(bin: Path, name: str) -> None:
    path = program(bin, name)
    assert browser.find() == path
    assert browser.install() == path


def test_passes_over_a_stub_that_does_not_start(bin: Path) -> None:
    program(bin, "chromium", "echo install the snap >&2; exit 1")
    path = program(bin, "google-chrome")
    assert browser.find() == path


def test_finds_the_browser_of_playwright(bin: Path) -> None:
    assert browser.find() is None
    path = program(bin, "own")
    assert browser.find() == path


def test_installs_with_apt_as_root(bin: Path) -> None:
    installer(bin, "apt-get", f"{bin}/chromium")
    assert browser.install() == f"{bin}/chromium"
    log = (bin / "log").read_text().splitlines()
    assert log == ["apt-get update", "apt-get install -y chromium"]


def test_installs_with_playwright_where_apt_is_not_for_us(
    bin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer(bin, "apt-get", f"{bin}/chromium")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(browser, "PLAYWRIGHT", [installer(bin, "playwright", f"{bin}/own")])
    assert browser.install() == f"{bin}/own"
    assert (bin / "log").read_text().splitlines() == ["playwright install chromium"]


def test_installs_with_playwright_where_apt_has_only_a_stub(
    bin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bin, "apt-get", "exit 100")
    monkeypatch.setattr(browser, "PLAYWRIGHT", [installer(bin, "playwright", f"{bin}/own")])
    assert browser.install() == f"{bin}/own"


def test_says_what_it_tried_where_nothing_helps(bin: Path) -> None:
    program(bin, "apt-get", "exit 100")
    with pytest.raises(RuntimeError) as caught:
        browser.install()
    message = str(caught.value)
    assert f"{bin}/apt-get install -y chromium" in message
    assert f"{bin}/playwright install chromium" in message
    assert "chromium-browser" in message
