"""The browser in which the tests look at the site: the system's, or Playwright's own.

    python tests/browser.py

prints the browser, and installs one first where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

NAMES = ("chromium", "chromium-browser", "google-chrome")
LONGEST = 900  # seconds for a step of an installation
PLAYWRIGHT = (sys.executable, "-m", "playwright")
MEND = f"`{sys.executable} {os.path.relpath(__file__)}` installs one"
ARGUMENTS = [  # in a container, as root, and quiet: no request but those of the page
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def works(path: str) -> bool:
    """Tell whether a program starts; Ubuntu's `chromium` without snap is a stub that does not."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwrights_own() -> str:
    """Return where Playwright keeps the browser that it downloads itself, there or not."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def find() -> str | None:
    """Return the path of a browser that works, or None."""
    for name in NAMES:
        path = shutil.which(name)
        if path and works(path):
            return path
    path = playwrights_own()
    return path if works(path) else None


def install() -> str:
    """Return a browser, installed if need be. Raises `RuntimeError` if none can be had."""
    ways: list[list[Sequence[str]]] = []
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        ways.append([(apt, "update"), (apt, "install", "-y", "chromium")])
    ways.append([(*PLAYWRIGHT, "install", "chromium")])
    path = find()
    for commands in ways:
        if path is None:
            for command in commands:
                with suppress(subprocess.TimeoutExpired):  # then the next way
                    subprocess.run(command, timeout=LONGEST)
            path = find()
    if path is None:
        tried = "\n".join("  " + " ".join(command) for way in ways for command in way)
        raise RuntimeError(
            f"no browser could be installed; tried:\n{tried}\n"
            "Install Chromium or Chrome, so that one of these is on PATH: " + ", ".join(NAMES)
        )
    return path


if __name__ == "__main__":
    try:
        print(install())
    except RuntimeError as error:
        sys.exit(str(error))
