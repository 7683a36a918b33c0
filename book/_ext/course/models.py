"""The models that a page plays with: out of the executed chapters into files beside the site.

A chapter ends with cells, tagged ``remove-cell``, that publish what it has trained: their output
is of a kind of its own, the text of a header and the numbers behind it. They stand neither on the
page nor in its notebook. The directive ``models`` puts a table of all models on a page. How a file
is made up, d2lhelpers/export.py says, which reads it too; book/_static/play/model.js does.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from course.notebooks import executed_notebook, read
from course.plain import model_of
from course.store import note, noted

KIND = "models"
FOLDER = Path("_static", "models")
MAGIC = b"PLAY"
LIMIT = 350_000  # bytes of a file
COLUMNS = ("model", "chapter", "file", "measured on the test part", "as trained", "on the page")


def title(header: dict[str, Any]) -> str:
    """Return what a model is called where a reader meets it."""
    if header["kind"] == "counting":
        return f"counting, n = {header['order']}"
    layers = header["layers"]
    count = "" if len(layers) == 1 or header["both"] else f"{len(layers)} × "
    ways = " each way" if header["both"] else ""
    around = ", residual" if layers[0]["residual"] else ""
    return f"{count}{layers[0]['kind']}, {layers[0]['units']} units{ways}{around}"


def content(header: dict[str, Any], numbers: bytes) -> bytes:
    """Return the file of a model."""
    text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return MAGIC + struct.pack("<I", len(text)) + text + numbers


def collect(app: Sphinx, document: nodes.document) -> None:
    """Keep the models of a page that was read: the headers noted, the files aside."""
    env = app.env
    assert env is not None
    page = env.docname
    if read(env, page) is None or env.config.nb_execution_mode != "cache":
        return
    found = filter(None, map(model_of, executed_notebook(env, page).cells))
    headers = []
    for model in found:
        header = model["header"] | {"chapter": page}
        header["title"] = title(header)
        whole = content(header, base64.b64decode(model["numbers"]))
        if len(whole) > LIMIT:
            raise ExtensionError(
                f"{page}: the model {header['name']} has {len(whole):,} bytes: {LIMIT:,} at most"
            )
        path = Path(app.doctreedir) / KIND / page / f"{header['name']}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)
        headers.append(header | {"bytes": len(whole)})
    note(app, KIND, page, headers)


def published(app: Sphinx) -> list[dict[str, Any]]:
    """Return the headers of all models, in the order of the chapters."""
    notes = noted(app, KIND)
    assert app.env is not None
    numbers = {page: app.env.toc_secnumbers.get(page, {}).get("", ()) for page in notes}
    headers = [header for page in sorted(notes, key=numbers.__getitem__) for header in notes[page]]
    names = [header["name"] for header in headers]
    if len(set(names)) < len(names):
        raise ExtensionError(f"two models have the same name: {', '.join(sorted(names))}")
    return headers


class models(nodes.General, nodes.Element):  # type: ignore[misc]
    """The place of the table."""


class ModelsDirective(SphinxDirective):
    """A table of all models that the pages play with, and what each reaches."""

    def run(self) -> list[nodes.Node]:
        """Leave a place: another page may not have been read yet."""
        self.env.metadata[self.env.docname][KIND] = True
        return [models()]


def with_table(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the pages with a table in each build: a chapter may have trained anew."""
    return sorted(page for page in env.found_docs if env.metadata[page].get(KIND))


def fill(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put the table in its place."""
    for place in list(document.findall(models)):
        place.replace_self(table(app, page))


def table(app: Sphinx, page: str) -> nodes.table:
    """Return the table: a line for each model."""
    assert app.env is not None
    group = nodes.tgroup(cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=1) for _ in COLUMNS]
    head, body = nodes.thead(), nodes.tbody()
    head += line(nodes.Text(name) for name in COLUMNS)
    for header in published(app):
        uri = app.builder.get_relative_uri(page, header["chapter"])
        chapter = app.env.titles[header["chapter"]].astext()
        size = f"{header['bytes'] / 1000:.0f} kB"
        value, trained = f"{header['value']:.3f}", f"{header['trained']:.3f}"
        link = nodes.reference("", chapter, internal=True, refuri=uri)
        texts = [nodes.Text(text) for text in (size, header["measure"], trained, value)]
        body += line([nodes.Text(header["title"]), link, *texts])
    group += [head, body]
    found = nodes.table("", group, classes=["table"])
    return found


def line(entries: Any) -> nodes.row:
    """Return a line of the table."""
    row = nodes.row()
    row += [nodes.entry("", nodes.paragraph("", "", entry)) for entry in entries]
    return row


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the files when the site is there, and remove those that no chapter publishes."""
    if exception is not None or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    folder = Path(app.outdir) / FOLDER
    headers = {f"{header['name']}.bin": header for header in published(app)}
    if headers:
        folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*"):
        if path.name not in headers:
            path.unlink()
    for name, header in headers.items():
        kept = Path(app.doctreedir) / KIND / header["chapter"] / name
        (folder / name).write_bytes(kept.read_bytes())


def setup(app: Sphinx) -> None:
    """Take models from each page that is read, and write them when all pages are written."""
    app.add_directive("models", ModelsDirective)
    app.add_node(models)
    app.connect("doctree-read", collect)
    app.connect("env-updated", with_table)
    app.connect("doctree-resolved", fill)
    app.connect("build-finished", write)
