"""The whole course to take along, as a PDF and as a zip, where they lie beside the pages.

They are made of the built site, by .github/paper.py, so at first they are not there. A page with
the directive ``downloads`` names those that are: when it is written, and when one is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

PDF, ZIP = "course.pdf", "course.zip"
LABELS = {PDF: "the whole course as one PDF", ZIP: "this site as a zip, to read offline"}
PLACE = re.compile(r'<p class="downloads" data-root="([^"]*)">.*?</p>')


def fill(page: str, there: Iterable[str]) -> str:
    """Return the HTML of a page, in which the place for downloads names those that are there."""

    def links(place: re.Match[str]) -> str:
        named = [f'<a href="{place[1]}{name}" download>{LABELS[name]}</a>' for name in there]
        text = f"To take along: {', '.join(named)}." if named else ""
        return f'<p class="downloads" data-root="{place[1]}">{text}</p>'

    return PLACE.sub(links, page)


class downloads(nodes.General, nodes.Element):  # type: ignore[misc]
    """The place for downloads."""


class DownloadsDirective(SphinxDirective):
    """The place for downloads."""

    def run(self) -> list[nodes.Node]:
        """Leave a place; what stands there is known when the page is written."""
        return [downloads()]


def visit_downloads(self: HTML5Translator, node: downloads) -> None:
    """Write the place."""
    root = "../" * self.builder.current_docname.count("/")
    site = Path(self.builder.outdir)
    empty = f'<p class="downloads" data-root="{root}"></p>'
    self.body.append(fill(empty, [name for name in LABELS if (site / name).is_file()]))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Teach the builder the place."""
    app.add_directive("downloads", DownloadsDirective)
    app.add_node(downloads, html=(visit_downloads, None))
