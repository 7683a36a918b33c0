"""A page as plain notebook cells: what Sphinx has resolved, written as Markdown that Jupyter shows.

It starts from the finished document of the page and not from its source, so every number, name and
target is the one on the site. What has no plain form stops the build.
"""

from __future__ import annotations

import base64
import html
import mimetypes
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin

import nbformat
from docutils import nodes
from nbformat.v4 import new_markdown_cell
from sphinx import addnodes
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

from course import quiz

MODEL = "application/vnd.course.model+json"  # the kind of output that course.models takes out
Block = str | nbformat.NotebookNode  # a piece of Markdown, or a cell of its own

# What Markdown would read as code, emphasis, a line through, or the end of a link's text.
SPECIAL = re.compile(r"([\\`*_~]|\](?=[(\[:]))")
# A paragraph that begins so would be a list, a heading, a quotation or a table.
STARTS_A_BLOCK = re.compile(r"^(\d*)((?:[.)+-]|#+)(?=\s|$)|[>|])")
# A dollar by itself: MathJax looks for formulas in what Markdown has left, but not across elements.
DOLLAR = r"<span>\$</span>"
ALIGNMENTS = {"text-left": ":--", "text-center": ":-:", "text-right": "--:"}
PASSED_THROUGH = (nodes.inline, addnodes.number_reference, quiz.quiz_text)
BOXES = (nodes.document, nodes.container, nodes.compound, nodes.definition, nodes.legend)
LISTS = (nodes.bullet_list, nodes.enumerated_list)
ADMONITION_KINDS = (
    *(nodes.note, nodes.warning, nodes.tip, nodes.important, nodes.hint, nodes.attention),
    *(nodes.caution, nodes.danger, nodes.error, addnodes.seealso),
)


class PlainPage:
    """Writer of one page.

    ``site`` is the address of the site, or None if nobody knows it: then references stay as text.
    """

    def __init__(self, env: BuildEnvironment, page: str, site: str | None):
        self.env, self.page, self.site = env, page, site

    def cells(
        self, document: nodes.document, executed: nbformat.NotebookNode
    ) -> list[nbformat.NotebookNode]:
        """Return the cells of the page; code and outputs come from the executed notebook."""
        self.executed = executed
        cells = self.grouped(self.blocks(document))
        lost = [
            c
            for c in executed.cells
            if c.cell_type == "code" and not any(c is d for d in cells) and model_of(c) is None
        ]
        if lost:
            raise ExtensionError(
                f"{self.page}: the cell that begins {lost[0].source[:50]!r} is not on the page, "
                "and so not in the notebook, where later cells may need it: tag it hide-cell"
            )
        return cells

    def grouped(self, blocks: Iterable[Block]) -> list[nbformat.NotebookNode]:
        """Return blocks as cells: text that stands together is one, a heading begins one."""
        cells: list[nbformat.NotebookNode] = []
        text: nbformat.NotebookNode | None = None  # the cell that grows
        for block in blocks:
            if not isinstance(block, str):
                text = None
                cells.append(block)
            elif text is None or block.startswith("#"):
                text = new_markdown_cell(block)
                cells.append(text)
            else:
                text.source += f"\n\n{block}"
        return cells

    def fail(self, node: nodes.Node) -> ExtensionError:
        """Return the error that stops the build."""
        parent: nodes.Node | None = node
        while parent is not None and parent.line is None:
            parent = parent.parent
        line = "" if parent is None else f":{parent.line}"
        return ExtensionError(
            f"{self.page}{line}: '{type(node).__name__}' has no plain form for the notebook: "
            "use another construct, or teach it to book/_ext/course/plain.py"
        )

    # What stands in a line.

    def line(self, node: nodes.Element) -> str:
        """Return the children of a node as one line of Markdown."""
        text = "".join(self.inline(child) for child in node.children)
        return " ".join(text.split())

    def inline(self, node: nodes.Node) -> str:
        """Return a node within a line as Markdown, spaces at its ends kept."""
        if isinstance(node, nodes.Text):
            text = re.sub(r"&(?=#?\w+;)", "&amp;", node.astext()).replace("<", "&lt;")
            text = SPECIAL.sub(r"\\\1", text).replace("$", DOLLAR)
            return re.sub(r"\s+", " ", text)
        if isinstance(node, nodes.math):
            return f"${bare(node.astext())}$"
        if isinstance(node, nodes.literal):
            text = " ".join(node.astext().split())
            fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
            edge = " " if text[:1] == "`" or text[-1:] == "`" else ""
            return f"{fence}{edge}{text}{edge}{fence}"
        if isinstance(node, nodes.image):
            return self.image(node)
        if isinstance(node, nodes.raw) and node["format"] == "html":
            return str(node.astext())
        if isinstance(node, nodes.footnote_reference):
            return f"<sup>{html.escape(node.astext())}</sup>"
        if isinstance(node, nodes.comment) or (isinstance(node, nodes.target) and not len(node)):
            return ""
        inner = "".join(self.inline(child) for child in node.children)
        if isinstance(node, nodes.reference):  # a numbered one, too
            target = self.target(node)
            return f"[{inner}]({target})" if target else inner
        if isinstance(node, nodes.emphasis | nodes.title_reference):
            return f"*{inner}*"
        if isinstance(node, nodes.strong):
            return f"**{inner}**"
        if isinstance(node, nodes.superscript):
            return f"<sup>{inner}</sup>"
        if isinstance(node, nodes.subscript):
            return f"<sub>{inner}</sub>"
        if isinstance(node, PASSED_THROUGH):
            return inner
        raise self.fail(node)

    def target(self, node: nodes.reference) -> str | None:
        """Return where a reference leads: to a paper, to any address, or into the site."""
        uri: str = node.get("refuri") or "#" + node.get("refid", "")
        if uri.startswith(("http://", "https://", "mailto:")):
            return uri
        for citation in self.env.get_domain("cite").citations:  # type: ignore[attr-defined]
            if uri.endswith("#" + citation.citation_id) and "reftitle" in node:
                fields = citation.entry.fields
                doi = fields.get("doi")
                return f"https://doi.org/{doi}" if doi else fields.get("url")
        return self.site and urljoin(f"{self.site}{self.page}.html", uri)

    def image(self, node: nodes.image) -> str:
        """Return an image with its file inside, so that the notebook needs no other file."""
        path = Path(self.env.srcdir) / node["uri"]
        if not path.is_file():  # it is on another host
            raise self.fail(node)
        kind = mimetypes.guess_type(path.name)[0]
        data = base64.b64encode(path.read_bytes()).decode()
        alt = " ".join(node.get("alt", "").replace("[", "(").replace("]", ")").split())
        return f"![{alt}](data:{kind};base64,{data})"

    # What stands by itself.

    def inside(self, node: nodes.Element) -> list[Block]:
        """Return the blocks of all children."""
        return [block for child in node.children for block in self.blocks(child)]

    def texts(self, node: nodes.Element) -> list[str]:
        """Return the blocks of all children where no cell may stand: in a list, a box, a table."""
        found = self.inside(node)
        if not all(isinstance(block, str) for block in found):
            raise self.fail(node)
        return [str(block) for block in found]

    def blocks(self, node: nodes.Node) -> list[Block]:
        """Return a node as pieces of Markdown and cells."""
        if isinstance(node, nodes.container) and node.get("nb_element") == "cell_code":
            return self.code_cell(node)
        if isinstance(node, nodes.section):
            return self.section(node)
        if isinstance(node, nodes.target | nodes.comment | nodes.substitution_definition):
            return []
        if isinstance(node, exercise_node | exercise_enumerable_node):
            return self.exercise(node)
        if isinstance(node, solution_node):
            return self.solution(node)
        if isinstance(node, quiz.quiz):
            return self.question(node)
        if isinstance(node, BOXES):
            return self.inside(node)
        return [self.text(node)]

    def text(self, node: nodes.Node) -> str:
        """Return a node as one piece of Markdown."""
        if isinstance(node, nodes.paragraph):
            return STARTS_A_BLOCK.sub(r"\1\\\2", self.line(node))
        if isinstance(node, nodes.math_block):
            return self.formula(node)
        if isinstance(node, nodes.literal_block):
            code = node.astext().rstrip()
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
            return f"{fence}{node.get('language', '')}\n{code}\n{fence}"
        if isinstance(node, LISTS):
            return self.bullets(node)
        if isinstance(node, nodes.definition_list):
            return "\n".join(map(self.definition, node.children))
        if isinstance(node, nodes.table):
            return self.table(node)
        if isinstance(node, nodes.figure):
            legends = [text for legend in node.findall(nodes.legend) for text in self.texts(legend)]
            return "\n\n".join([self.inline(node[0]), self.caption(node), *legends])
        if isinstance(node, nodes.image):
            return self.image(node)
        if isinstance(node, nodes.block_quote):
            return quoted(self.texts(node))
        if isinstance(node, ADMONITION_KINDS):
            kind = type(node).__name__.capitalize().replace("Seealso", "See also")
            return quoted([f"**{kind}.**", *self.texts(node)])
        if isinstance(node, nodes.admonition | nodes.topic):
            title = self.line(node[0])
            return quoted([f"**{title}.**", *self.texts_after(node, 1)])
        if isinstance(node, nodes.footnote | nodes.citation):
            number = html.escape(node[0].astext())
            return self.led(f"<sup>{number}</sup>", node.children[1:])
        if isinstance(node, nodes.rubric):
            return f"**{self.line(node)}**"
        if isinstance(node, nodes.transition):
            return "---"
        if isinstance(node, nodes.raw) and node["format"] == "html":
            return str(node.astext())
        raise self.fail(node)

    def led(self, lead: str, following: Iterable[nodes.Node]) -> str:
        """Return blocks behind a few words: in their line if a paragraph comes first."""
        box = nodes.container("", *(node.deepcopy() for node in following))
        between = " " if len(box) and isinstance(box[0], nodes.paragraph) else "\n\n"
        return lead + between + "\n\n".join(self.texts(box))

    def definition(self, item: nodes.Element) -> str:
        """Return a term and all that is said about it as an item of a list."""
        terms = [self.line(node) for node in item.findall(nodes.term)]
        said = [c for d in item.findall(nodes.definition) for c in d.children]
        return "- " + indent(self.led(f"**{', '.join(terms)}**:", said), 2)

    def texts_after(self, node: nodes.Element, first: int) -> list[str]:
        """Return the blocks of the children from the given one on."""
        return self.texts(nodes.container("", *(c.deepcopy() for c in node.children[first:])))

    def section(self, node: nodes.section) -> list[Block]:
        """Return a section with its heading."""
        rest = [block for child in node.children[1:] for block in self.blocks(child)]
        return [self.heading(node), *rest]

    def heading(self, node: nodes.section) -> str:
        """Return the heading of a section, numbered as on the site."""
        level, parent = 0, node
        while isinstance(parent, nodes.section):
            level, parent = level + 1, parent.parent
        numbers = self.env.toc_secnumbers.get(self.page, {})
        anchor = "" if level == 1 else "#" + node["ids"][0]
        number = dotted(numbers.get(anchor, ()))
        title = self.line(node[0])
        return f"{'#' * level} {number + '. ' if number else ''}{title}"

    def number(self, kind: str, node: nodes.Element) -> str:
        """Return the number of an equation, a figure or an exercise, nothing if it has none."""
        numbers = self.env.toc_fignumbers.get(self.page, {}).get(kind, {})
        return next((dotted(numbers[name]) for name in node["ids"] if name in numbers), "")

    def formula(self, node: nodes.math_block) -> str:
        """Return an equation, with its number if it has one."""
        if node["nowrap"]:  # it brings its own environment, which may number its lines
            return str(node.astext().strip())
        number = self.number("displaymath", node)
        tag = f" \\tag{{{number}}}" if number else ""
        return f"$$\n{node.astext().strip()}{tag}\n$$"

    def bullets(self, node: nodes.Element) -> str:
        """Return a list, with or without numbers."""
        start = node.get("start", 1)
        ordered = isinstance(node, nodes.enumerated_list)
        items = []
        for number, item in enumerate(node.children, start):
            mark = f"{number}. " if ordered else "- "
            nested = [isinstance(child, LISTS) for child in item.children]
            between = "\n" if nested[1:] and all(nested[1:]) else "\n\n"
            items.append(mark + indent(between.join(self.texts(item)), len(mark)))
        return "\n".join(items)

    def table(self, node: nodes.table) -> str:
        """Return a table. Its cells hold one paragraph each."""
        rows = []
        for row in node.findall(nodes.row):
            entries = []
            for entry in row.children:
                if "morecols" in entry or "morerows" in entry or len(entry) > 1:
                    raise self.fail(entry)
                text = self.line(entry[0]) if len(entry) else ""
                entries.append(text.replace("|", r"\|"))  # in code, too
            rows.append(f"| {' | '.join(entries)} |")
        classes = [entry["classes"] for entry in next(iter(node.findall(nodes.row)))]
        marks = [next((ALIGNMENTS[c] for c in cell if c in ALIGNMENTS), "---") for cell in classes]
        columns = len(entries)
        if next(iter(node.findall(nodes.thead)), None) is None:
            rows.insert(0, "|" + "  |" * columns)
        rows.insert(1, f"|{'|'.join(marks)}|")
        captions = [f"*{self.line(title)}*\n" for title in node.children if is_title(title)]
        return "\n".join([*captions, *rows])

    def caption(self, node: nodes.figure) -> str:
        """Return the number and the caption of a figure."""
        text = " ".join(self.line(caption) for caption in node.findall(nodes.caption))
        number = self.number("figure", node)
        if not number:
            return text
        return f"**{self.env.config.numfig_format['figure'] % number}.** {text}"

    def code_cell(self, node: nodes.container) -> list[Block]:
        """Return an executed cell, and below it the caption of what it draws.

        No notebook gives the image of an output a text for those who cannot see it, so that text
        stands in a fold below the caption.
        """
        cell = self.executed.cells[node["cell_index"]]
        assert cell.cell_type == "code", cell
        if "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {"source_hidden": True}
        cell.metadata.pop("mystnb", None)  # the caption is Markdown now
        below = []
        for figure in node.findall(nodes.figure):
            below.append(self.caption(figure))
            for image in figure.findall(nodes.image):
                text = html.escape(image.get("alt", ""), quote=False)
                below.append(folded("Description of the figure", text))
        return [cell, new_markdown_cell("\n\n".join(below))] if below else [cell]

    def exercise(self, node: nodes.Element) -> list[Block]:
        """Return an exercise with its number."""
        number, title = self.number("exercise", node), self.line(node[0])
        rest = [block for child in node.children[1:] for block in self.unwrapped(child)]
        return [" ".join(f"### {node['title']} {number} {title}".split()), *rest]

    def solution(self, node: nodes.Element) -> list[Block]:
        """Return a solution under a heading, which JupyterLab and Colab keep closed."""
        heading = new_markdown_cell(f"#### {node['title']}")
        heading.metadata["jp-MarkdownHeadingCollapsed"] = True
        rest = [block for child in node.children[1:] for block in self.unwrapped(child)]
        return [heading, *rest]

    def unwrapped(self, node: nodes.Node) -> list[Block]:
        """Return the blocks of an exercise's body, which is a section without a title."""
        untitled = isinstance(node, nodes.section) and not (len(node) and is_title(node[0]))
        return self.inside(node) if untitled else self.blocks(node)

    def question(self, node: quiz.quiz) -> list[Block]:
        """Return a question: each option opens on its feedback."""
        parts = [self.led(f"**Question {node['number']}.**", node[0].children)]
        for option in node.findall(quiz.quiz_option):
            label, feedback = option.children
            verdict = "Right." if option["right"] else "No."
            parts.append(folded(in_html(label), self.led(f"**{verdict}**", feedback.children)))
        for again in node.findall(quiz.quiz_reread):
            parts.append(self.line(again))
        return [new_markdown_cell("\n\n".join(parts))]


def model_of(cell: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return the model that an executed cell hands to the build, of a cell that does nothing else.

    Such a cell is tagged remove-cell: it stands neither on the page nor in the notebook.
    """
    if "remove-cell" in cell.metadata.get("tags", []):
        for output in cell.get("outputs", []):
            if MODEL in output.get("data", {}):
                return output["data"][MODEL]  # type: ignore[no-any-return]
    return None


def dotted(number: Iterable[int]) -> str:
    """Return a number of several parts as it is read."""
    return ".".join(map(str, number))


def is_title(node: nodes.Node) -> bool:
    """Tell whether a node is the title of its parent."""
    return isinstance(node, nodes.title)


def indent(text: str, width: int) -> str:
    """Indent every line but the first."""
    return re.sub(r"\n(?!\n|$)", "\n" + " " * width, text)


def quoted(texts: Iterable[str]) -> str:
    """Return pieces of Markdown as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in "\n\n".join(texts).split("\n"))


def folded(label: str, body: str) -> str:
    """Return a fold: the label, which is HTML, opens on the body, which is Markdown."""
    return f"<details>\n<summary>{label}</summary>\n\n{body}\n\n</details>"


def bare(formula: str) -> str:
    """Return a formula that may stand in a line and in a table: no bar, no new line."""
    formula = re.sub(r"(?<!\\)((?:\\\\)*)\\\s", r"\1\\space ", formula)  # it may end in one
    words = formula.replace(r"\|", r"\Vert ").replace("|", r"\vert ").split()
    return " ".join(words)


def in_html(node: nodes.Node) -> str:
    """Return what stands in a line as HTML, for Markdown is not read in the label of a fold."""
    if isinstance(node, nodes.Text):
        return html.escape(node.astext(), quote=False)
    if isinstance(node, nodes.math):
        return f"${html.escape(bare(node.astext()), quote=False)}$"
    inner = "".join(in_html(child) for child in node.children)
    for kind, tag in ((nodes.literal, "code"), (nodes.emphasis, "em"), (nodes.strong, "strong")):
        if isinstance(node, kind):
            return f"<{tag}>{inner}</{tag}>"
    return inner
