"""The start page: a picture of what the course measures, and the chapters as questions.

``{surprise}`` draws a stretch of a committed measurement: above each letter a bar, how many bits it
cost a network, and a dash, how many it cost counting. Its argument is the stretch, its body the
caption::

    ```{surprise} i got up without a word
    The caption.
    ```

``{questions}`` lists every page whose header has a `question:`, with the figure that the header's
`picture:` names, and the minutes that it takes to read and to run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

MEASUREMENT = Path("d2lhelpers", "measurements", "surprise.json")
DEVICES = MEASUREMENT.with_name("devices.json")
# The drawing, in units of its view box: about a pixel each on a phone, two on a desktop.
COLUMNS, ADVANCE, BIT, LINE = 31, 11, 5, 64
FEET, LETTERS, LEGEND = 42, 56, 26  # where bars stand and letters, and the height of the legend


def lines_of(rows: list[dict[str, Any]], stretch: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a stretch of the measured text, line by line.

    Raises `ExtensionError` if the text does not have it.
    """
    text = "".join(row["symbol"] for row in rows)
    begin = text.find(stretch)
    if begin < 0:
        raise ExtensionError(f"{stretch!r} is not in {MEASUREMENT}, which has {text!r}")
    for line in wrap(stretch, COLUMNS):
        begin = text.index(line, begin)
        yield rows[begin : begin + len(line)]
        begin += len(line)


def draw(study: dict[str, Any], stretch: str) -> str:
    """Return the drawing of a stretch as SVG in the colours of the page."""
    lines = list(lines_of(study["results"], stretch))
    width, height = COLUMNS * ADVANCE + 2, LEGEND + len(lines) * LINE
    parts = []
    for number, line in enumerate(lines):
        top = LEGEND + number * LINE
        left = [1 + column * ADVANCE for column in range(len(line))]
        bars, dashes = [], []
        for x, row in zip(left, line, strict=True):
            bars.append(f"M{x + 1} {top + FEET}v-{row['network'] * BIT:.1f}h9V{top + FEET}z")
            dashes.append(f"M{x} {top + FEET - row['counting'] * BIT:.1f}h11")
        letters = "".join("\N{OPEN BOX}" if row["symbol"] == " " else row["symbol"] for row in line)
        places = " ".join(str(x + ADVANCE / 2) for x in left)
        parts.append(
            f'<path class="network" d="{"".join(bars)}"/>'
            f'<path class="counting" d="{"".join(dashes)}"/>'
            f'<text x="{places}" y="{top + LETTERS}">{letters}</text>'
        )
    says = (
        f"Bars and dashes over each letter of “{stretch}”. Both are high over the first letters of "
        "words and low inside words."
    )
    return (
        f'<svg class="surprise" viewBox="0 0 {width} {height}" role="img" aria-label="{says}">'
        '<path class="network" d="M2 20v-10h9v10z"/><text class="key" x="16" y="20">LSTM</text>'
        '<path class="counting" d="M62 15h11"/><text class="key" x="78" y="20">counting</text>'
        f'<path class="counting" d="M156 20v-{4 * BIT}"/><text class="key" x="163" y="20">'
        f"4 bits: 1 chance in 16</text>{''.join(parts)}</svg>"
    )


class Surprise(SphinxDirective):
    """The picture of the start page."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Make a picture of the measurement, with the body as its caption."""
        path = Path(self.env.srcdir) / MEASUREMENT
        self.env.note_dependency(str(path))
        study = json.loads(path.read_text(encoding="utf-8"))
        drawing = nodes.raw("", draw(study, self.arguments[0]), format="html")
        box = nodes.container("", drawing, classes=["opening"])
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


class questions(nodes.General, nodes.Element):  # type: ignore[misc]
    """The place of the list of questions: what stands there is known when all pages are read."""


class Questions(SphinxDirective):
    """The chapters as questions."""

    def run(self) -> list[nodes.Node]:
        """Leave a place."""
        return [questions()]


def seconds(env: BuildEnvironment, page: str) -> float:
    """Return how long a page takes from start to end on the first processor that was measured."""
    study = json.loads((Path(env.srcdir) / DEVICES).read_text(encoding="utf-8"))
    chapters = next(d["chapters"] for d in study["devices"] if d["kind"] == "cpu")
    return float(chapters.get(Path(page).name, 0.0))


def picture(env: BuildEnvironment, page: str) -> nodes.image:
    """Return the figure of a page that its header names; raises `ExtensionError` without one."""
    name = env.metadata[page].get("picture", "")
    for figure in env.get_doctree(page).findall(nodes.figure):
        if name in figure["names"]:  # as a drawing, where there is one beside the bitmap
            return list(figure.findall(nodes.image))[-1].deepcopy()
    raise ExtensionError(f"{page}: `picture: {name}` in its header names none of its figures")


def entry(app: Sphinx, page: str, where: str) -> nodes.list_item:
    """Return the item of one page, for the list on another."""
    env = app.env
    assert env is not None
    meta = env.metadata[page]
    uri = app.builder.get_relative_uri(where, page)
    number = ".".join(map(str, env.toc_secnumbers.get(page, {}).get("", ())))
    title = f"{number}. {env.titles[page].astext()}" if number else env.titles[page].astext()
    facts = f"{title} · {meta['wordcount']['minutes']} min to read"
    if run := seconds(env, page):
        facts += f", {max(1, round(run / 60))} min to run"
    question = nodes.reference("", meta["question"], refuri=uri, internal=True)
    return nodes.list_item(
        "",
        picture(env, page),
        nodes.paragraph("", "", question, classes=["question"]),
        nodes.paragraph("", facts, classes=["facts"]),
    )


def fill(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put the list into its place."""
    env = app.env
    assert env is not None
    for place in list(document.findall(questions)):
        pages = env.toctree_includes[env.config.root_doc]
        items = [entry(app, p, where=page) for p in pages if "question" in env.metadata[p]]
        place.replace_self(nodes.bullet_list("", *items, classes=["questions"]))


def rewrite(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the start page again whenever another page was read: it has their pictures."""
    return [env.config.root_doc]


def setup(app: Sphinx) -> None:
    """Teach the builder the two directives."""
    app.add_css_file("front.css")
    app.add_node(questions)
    app.add_directive("surprise", Surprise)
    app.add_directive("questions", Questions)
    app.connect("doctree-resolved", fill)
    app.connect("env-updated", rewrite)
