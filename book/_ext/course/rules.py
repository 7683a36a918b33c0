"""What a page has to keep to, said at its file and line: nobody should find it out from a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from course.quiz import questions

LOGGER = logging.getLogger(__name__)
MAX_LINES, MAX_COLUMNS = 25, 76  # of a cell
MIN_ALT = 20  # characters that say what a figure shows
MIN_QUESTIONS = 5  # in a chapter


def cells(document: nodes.document) -> Iterator[nodes.container]:
    """Yield the cells of a page."""
    for node in document.findall(nodes.container):
        if "cell" in node["classes"]:
            yield node


def of_cell(cell: nodes.container) -> Iterator[str]:
    """Yield what is wrong with a cell."""
    parts = list(cell.findall(nodes.container))
    code = [p[0].astext() for p in parts if "cell_input" in p["classes"] and len(p)]
    shown = [p for p in parts if "cell_output" in p["classes"]]
    for source in code:
        lines = source.rstrip("\n").split("\n")
        if len(lines) > MAX_LINES:
            yield f"the cell has {len(lines)} lines: at most {MAX_LINES} fit a page; split it"
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                yield f"line {number} of the cell has {len(line)} columns: {MAX_COLUMNS} fit a page"
    about = cell.get("cell_metadata", {}).get("mystnb", {})
    figure, alt = about.get("figure", {}), about.get("image", {}).get("alt", "")
    if not figure and not any(any(p.findall(nodes.image)) for p in shown):
        return
    for need in ("caption", "name"):
        if not str(figure.get(need, "")).strip():
            yield f"the figure of the cell has no {need}: give it one, mystnb: figure: {need}:"
    if len(alt) < MIN_ALT:
        yield (
            f"the text for those who cannot see the figure has {len(alt)} characters: say in "
            f"{MIN_ALT} or more what it shows, mystnb: image: alt:"
        )


def of_page(app: Sphinx, document: nodes.document) -> None:
    """Warn of what is wrong with a page that was read, each at its line."""
    for cell in cells(document):
        for fault in of_cell(cell):
            LOGGER.warning(fault, location=cell)
    drawn = {id(image) for cell in cells(document) for image in cell.findall(nodes.image)}
    for image in document.findall(nodes.image):
        if id(image) not in drawn and len(image.get("alt", "")) < MIN_ALT:
            LOGGER.warning(
                f"the image's text for those who cannot see it has {len(image.get('alt', ''))} "
                f"characters: say in {MIN_ALT} or more what it shows",
                location=image,
            )


def chapters(env: BuildEnvironment) -> list[str]:
    """Return the pages that have a number."""
    return sorted(page for page, numbers in env.toc_secnumbers.items() if numbers.get(""))


def of_chapters(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of a chapter that asks too little."""
    for page in chapters(env):
        asked = sum(where == page for where in questions(env).values())
        if asked < MIN_QUESTIONS:
            LOGGER.warning(
                f"the chapter has {asked} questions: ask {MIN_QUESTIONS} or more",
                location=(page, None),
            )


def of_start(app: Sphinx, document: nodes.document, page: str) -> None:
    """Warn of a chapter to which the start page, with all that is put there, has no link."""
    env = app.env
    assert env is not None
    if page != env.config.root_doc or app.builder.format != "html":
        return
    links = {node.get("refuri", "").partition("#")[0] for node in document.findall(nodes.reference)}
    for chapter in chapters(env):
        if app.builder.get_relative_uri(page, chapter) not in links:
            LOGGER.warning(
                f"no link leads to {chapter}: every chapter is reached from the start page",
                location=(page, None),
            )


def forget(app: Sphinx, exception: Exception | None) -> None:
    """Let the next build read all pages again if this one has warned.

    Sphinx says a warning once, when it reads the page: without this, the next build would pass. And
    what another page has taken from the faulty one, as a list of references does, would stay.
    """
    if exception is None and app._warncount:
        (Path(app.doctreedir) / ENV_PICKLE_FILENAME).unlink(missing_ok=True)


def setup(app: Sphinx) -> None:
    """Look at each page when it was read, and at all of them together."""
    app.connect("doctree-read", of_page)
    app.connect("env-check-consistency", of_chapters)
    app.connect("doctree-resolved", of_start, priority=950)
    app.connect("build-finished", forget)
