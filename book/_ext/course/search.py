"""The search: what every section says, as a script that only the page of results loads.

Sphinx's own index knows the pages that have a word, cut down to its stem. This one has the text, so
that a hit can lead to its section and show its sentence, and a name such as `nn.GRU` is found as it
is written. `search.js` looks things up in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node

from course import store

NOTES, FILE, VARIABLE = "search", "search-index.js", "courseIndex"
EXERCISES = (exercise_node, exercise_enumerable_node)  # a solution stands behind its exercise
UNREAD = (nodes.raw, nodes.comment, nodes.math_block, nodes.image, nodes.target, addnodes.index)
GREEK = {"tau": "τ", "sigma": "σ", "phi": "φ", "delta": "δ", "theta": "θ", "rho": "ρ", "ell": "ℓ"}
COMMAND = re.compile(r"\\([a-zA-Z]+)\s*")
Record = tuple[str, str, list[str]]  # an anchor, a heading, and blocks of text


def spoken(formula: str) -> str:
    """Return a formula of a line as plain letters, such as W_xh."""
    text: str = COMMAND.sub(lambda match: GREEK.get(match[1], ""), formula)
    return re.sub(r"[{}\\]", "", text).strip()


def plain(node: nodes.Node) -> str:
    """Return the text of a node as one line."""
    if isinstance(node, nodes.math):
        return spoken(node.astext())
    if isinstance(node, nodes.Text):
        return str(node.astext())
    return "".join(map(plain, node.children))


def walk(node: nodes.Node, records: list[Record]) -> None:
    """Add the text of a node to the last record, and the records that begin inside it."""
    if isinstance(node, UNREAD) or node_kind(node) == "cell_code_output":
        return
    if isinstance(node, nodes.literal_block):
        records[-1][2].append(node.astext())
    elif isinstance(node, nodes.TextElement) and not isinstance(node, nodes.term):
        if text := " ".join(plain(node).split()):
            records[-1][2].append(text)
    else:
        if begun := begin(node):
            records.append(begun)
        for child in node.children[heading_at(node) :]:
            walk(child, records)


def node_kind(node: nodes.Node) -> str:
    """Return what myst-nb calls a part of a cell."""
    return str(node.get("nb_element", "")) if isinstance(node, nodes.Element) else ""


def heading_at(node: nodes.Node) -> int:
    """Return at which of its children the text of a node begins."""
    if isinstance(node, nodes.definition_list_item):
        return sum(isinstance(child, nodes.term) for child in node.children)
    return int(len(node.children) > 0 and isinstance(node.children[0], nodes.title))


def begin(node: nodes.Node) -> Record | None:
    """Return a new record if a node begins a section, an exercise or an entry of the glossary."""
    if not isinstance(node, nodes.Element):
        return None
    if isinstance(node, nodes.definition_list_item):
        terms = [term for term in node.children if isinstance(term, nodes.term)]
        if not terms or not terms[0]["ids"]:
            return None
        return terms[0]["ids"][0], ", ".join(map(plain, terms)), []
    if isinstance(node, (nodes.section, *EXERCISES)) and heading_at(node) and node["ids"]:
        return node["ids"][0], " ".join(plain(node[0]).split()), []
    return None


def records_of(document: nodes.document) -> list[Record]:
    """Return the text of a page by its sections."""
    records: list[Record] = [("", "", [])]
    walk(document, records)
    return [record for record in records if record[1] or record[2]]


def note_text(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Keep the text of a page that is written."""
    if document is not None:
        store.note(app, NOTES, page, records_of(document))


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """Write the texts of all pages in the order of the contents."""
    if exception is not None or app.builder.format != "html":
        return
    env = app.env
    assert env is not None
    notes = store.noted(app, NOTES)
    pages = [env.config.root_doc, *env.toctree_includes.get(env.config.root_doc, [])]
    index = []
    for page in [page for page in pages if page in notes]:
        numbers = env.toc_secnumbers.get(page, {})
        number = ".".join(map(str, numbers.get("", ())))
        title = f"{number}. {env.titles[page].astext()}" if number else env.titles[page].astext()
        index.append([f"{page}.html", title, notes[page]])
    store.write_script(app, FILE, VARIABLE, index)


def replace_sphinx(app: Sphinx) -> None:
    """Have the builder make no index of its own, which also leaves the page to `result_page`."""
    if isinstance(app.builder, StandaloneHTMLBuilder):
        app.builder.search = False


def result_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the page of results."""
    yield "search", {"title": "Search"}, "results.html"


def use_templates(app: Sphinx, config: Config) -> None:
    config.templates_path.insert(0, str(Path(__file__).parent / "templates"))


def setup(app: Sphinx) -> None:
    """Take the place of Sphinx's own search."""
    app.connect("config-inited", use_templates)
    app.connect("builder-inited", replace_sphinx)
    app.connect("html-page-context", note_text)
    app.connect("html-collect-pages", result_page)
    app.connect("build-finished", write_index)
