"""What is folded away: solutions, and the code of drawings. Both are `<details>` of HTML.

They open without a script, by keyboard, and where the browser finds a word in them or a link leads
into them. The extensions would fold solutions with a script, under buttons of one and the same
name, and show all of them where there are no scripts.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator
from sphinx_exercise.nodes import solution_node, solution_title


class Titles(SphinxPostTransform):
    """Make a solution's title its summary, without a link: a click on it opens the solution."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for solution in self.document.findall(solution_node):
            title = solution[0]
            for link in list(title.findall(nodes.reference)):
                link.parent.replace(link, link.children)
            solution[0] = solution_title("", "", *title.children)


class CodeBelow(SphinxPostTransform):
    """Put the folded code of a drawing below what it draws."""

    default_priority = 200  # right after myst-nb has folded it
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for code in list(self.document.findall(HideCodeCellNode)):
            cell = code.parent
            cell.remove(code)
            cell.append(code)


def visit_solution(translator: HTML5Translator, node: solution_node) -> None:
    """Begin a solution."""
    translator.body.append(translator.starttag(node, "details", CLASS="admonition"))


def depart_solution(translator: HTML5Translator, node: solution_node) -> None:
    """End a solution."""
    translator.body.append("</details>\n")


def visit_title(translator: HTML5Translator, node: solution_title) -> None:
    """Begin a solution's title."""
    translator.body.append(translator.starttag(node, "summary", "", CLASS="admonition-title"))


def depart_title(translator: HTML5Translator, node: solution_title) -> None:
    """End a solution's title."""
    translator.body.append("</summary>\n")


def visit_code(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    """Begin folded code, under what a click would do."""
    show, hide = (translator.encode(node[f"prompt_{name}"]) for name in ("show", "hide"))
    translator.body.append(
        f'<details class="code-fold"><summary><span class="closed">{show}</span>'
        f'<span class="opened">{hide}</span></summary>\n'
    )


def depart_code(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    """End folded code."""
    translator.body.append("</details>\n")


def setup(app: Sphinx) -> None:
    """Take the place of what the extensions write, on the site alone."""
    app.add_post_transform(Titles)
    app.add_post_transform(CodeBelow)
    app.add_node(solution_node, override=True, html=(visit_solution, depart_solution))
    app.add_node(solution_title, override=True, html=(visit_title, depart_title))
    app.add_node(HideCodeCellNode, override=True, html=(visit_code, depart_code))
