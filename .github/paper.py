"""The built site on paper, and in one file: what `make pdf` and `make zip` do after `make site`.

    python .github/paper.py pdf    makes _build/html/course.pdf
    python .github/paper.py zip    makes _build/html/course.zip

Both lie beside the pages then, so that they are published with them, and the start page links to
them. The PDF is what Chromium prints of all pages in one document, which paper.js makes of them:
its text, equations and figures are those of the site.
"""

from __future__ import annotations

import argparse
import functools
import io
import os
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book" / "_ext")]

import browser  # noqa: E402
from course.downloads import PDF, ZIP, fill  # noqa: E402
from course.launch import git  # noqa: E402

SITE = ROOT / "_build" / "html"
WIDTH = 658  # CSS pixels between the margins of an A4 page: 174 mm, see paper.css
FOLDER = "recurrent-neural-networks"  # in the zip
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # that a zip can tell
LEFT_OUT = (PDF, ZIP, ".buildinfo", ".nojekyll")  # and what Binder installs

# Makes equations, tables and code that are wider than the page smaller, and returns what is wider
# than the page even so.
FIT = """width => {
  for (const box of document.querySelectorAll(".katex-display")) {
    const wide = box.scrollWidth / box.clientWidth;
    if (wide > 1) box.style.fontSize = `${Math.floor(98 / wide) / 100}em`;
  }
  for (const box of document.querySelectorAll("table, pre")) {
    const wide = box.scrollWidth / box.parentElement.clientWidth;
    if (wide > 1) box.style.zoom = Math.floor(98 / wide) / 100;
  }
  return [...document.querySelectorAll("main *")].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && (box.right > width + 1 || box.left < -1) && !e.closest(".hide-tail, svg");
  }).map(e => e.outerHTML.slice(0, 200));
}"""
LINKED = "[...document.querySelectorAll('nav a')].map(link => link.hash.slice(1))"
NUMBER = """numbers => document.querySelectorAll("nav .page").forEach(
  (place, i) => { place.textContent = numbers[i]; })"""

# Chromium starts a print from the breaks of the one before, and may then put a heading on one sheet
# and on the next by turns, though nothing has changed. Laid out anew, every print is the same.
ANEW = """() => {
  const main = document.querySelector("main");
  for (const shown of ["none", ""]) {
    main.style.display = shown;
    main.getBoundingClientRect();
  }
}"""


class Handler(SimpleHTTPRequestHandler):
    """A server that does not write to the terminal."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def pages(toc: dict[str, Any]) -> Iterator[str]:
    """Return the paths of the pages, in the order of the contents."""
    name = toc.get("root") or toc.get("file")
    if name:
        yield f"{name}.html"
    for kind in ("parts", "chapters", "sections"):
        for part in toc.get(kind, ()):
            yield from pages(part)


def make_pdf(site: Path, target: Path, paths: list[str], title: str, author: str) -> int:
    """Print pages of a site into one file, and return how many sheets it has.

    Raises `RuntimeError` if there is no browser, if something is wider than a sheet, or if a line
    of the contents leads nowhere.
    """
    revision = git(ROOT, "log", "-1", "--format=%h of %cs")
    note = f"By {author}." + (f" Revision {revision}." if revision else "")
    given = {"pages": paths, "title": title, "note": note}
    style = (HERE / "paper.css").read_text(encoding="utf-8")
    empty = f"<!doctype html><html lang=en><title>{title}</title><style>{style}</style>"
    handler = functools.partial(Handler, directory=str(site))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = playwright.chromium.launch(
            executable_path=browser.install(), args=browser.ARGUMENTS
        )
        page = chromium.new_page(viewport={"width": WIDTH, "height": 900})
        page.set_default_timeout(300_000)
        page.emulate_media(media="print", color_scheme="light")
        address = f"http://127.0.0.1:{server.server_port}/paper.html"
        page.route(address, lambda route: route.fulfill(body=empty, content_type="text/html"))
        page.goto(address)
        page.evaluate((HERE / "paper.js").read_text(encoding="utf-8"), given)
        if wide := page.evaluate(FIT, WIDTH):
            raise RuntimeError("wider than a sheet:\n" + "\n".join(wide))
        # Printed once to learn where each heading stands, then with that in the contents. Should
        # the numbers have moved anything, once more.
        linked = page.evaluate(LINKED)
        page.evaluate(NUMBER, ["000"] * len(linked))
        page.evaluate(ANEW)
        sheets = numbers(page.pdf(prefer_css_page_size=True))
        for _ in range(3):
            if lost := [name for name in linked if name not in sheets]:
                raise RuntimeError(f"the contents lead nowhere: {lost}")
            page.evaluate(NUMBER, [sheets[name] for name in linked])
            page.evaluate(ANEW)
            printed = page.pdf(prefer_css_page_size=True, outline=True, tagged=True)
            before, sheets = sheets, numbers(printed)
            if before == sheets:
                break
        else:
            raise RuntimeError("the contents do not come to rest: their numbers move the headings")
        chromium.close()
        server.shutdown()
    target.write_bytes(printed)
    return len(PdfReader(target).pages)


def numbers(printed: bytes) -> dict[str, int]:
    """Return the sheet, from 1, of each place of a PDF that a link leads to."""
    reader = PdfReader(io.BytesIO(printed))
    return {
        name.removeprefix("/"): (reader.get_destination_page_number(place) or 0) + 1
        for name, place in reader.named_destinations.items()
    }


def make_zip(site: Path, target: Path) -> int:
    """Put a site into one file, the same for the same site, and return how many files it holds."""
    paths = {path.relative_to(site).as_posix(): path for path in site.rglob("*") if path.is_file()}
    files = {
        name: path
        for name, path in sorted(paths.items())
        if name not in LEFT_OUT and not name.startswith((".binder/", ".git/"))
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, path in files.items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", FIRST_DAY)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            content = path.read_bytes()
            if path.suffix == ".html":  # neither file is in the zip
                content = fill(content.decode("utf-8"), []).encode("utf-8")
            packed.writestr(entry, content)
    return len(files)


def main() -> None:
    """Make what is asked for, and let the start page link to it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("pdf", "zip"))
    kind = parser.parse_args().kind
    begun = time.perf_counter()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    target = SITE / (PDF if kind == "pdf" else ZIP)
    aside = target.with_suffix(".part")
    if kind == "pdf":
        count = make_pdf(SITE, aside, list(pages(toc)), config["title"], config["author"])
    else:
        count = make_zip(SITE, aside)
    os.replace(aside, target)
    for path in pages(toc):
        text = (SITE / path).read_text(encoding="utf-8")
        there = [name for name in (PDF, ZIP) if (SITE / name).is_file()]
        if (filled := fill(text, there)) != text:
            (SITE / path).write_text(filled, encoding="utf-8")
    size, seconds = target.stat().st_size / 1e6, time.perf_counter() - begun
    what = "sheets" if kind == "pdf" else "files"
    print(f"{target.relative_to(ROOT)}: {count} {what}, {size:.1f} MB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
