"""Workbooks: beside the notebook of a chapter one in which the reader writes what it shows.

Nothing is written twice: text, code and figures are those of the chapter, as far as its tasks need
them. course.tasks says what a task is, course.blanks what is cut out of its cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from nbformat.v4 import new_code_cell, new_markdown_cell
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

from course import blanks
from course.cache import PACKAGE
from course.launch import Repository
from course.notebooks import FOLDER, executed_notebook, published
from course.plain import Block, PlainPage
from course.tasks import Task, prepared, tasks

KIND = "course"  # in the metadata of a cell: of which task it is the blank, or the check
INTRO = """\
# Your turn: {title}

Here you write what the chapter shows: {count}, {minutes} in all. What you need of its text and \
code comes with each task; the rest is left out.

1. **Run** the cells from the top. A check that finds nothing written says so.
2. **Write.** A task is a cell that says `raise NotImplementedError`. Put your code in place of \
that line. What comes in and what goes out stands above it, between the quotation marks.
3. **Check.** Run the cell and the one below it, which says what is right or what is wrong. Change \
your code and run both again, until it says *Passed*.

Write in any way you like, with other names inside, a loop more or a loop less: only what comes in \
and goes out is held to the course's."""


class WorkbookPage(PlainPage):
    """Writer of the workbook of one page: of its blocks those that belong to a task."""

    def __init__(self, env: BuildEnvironment, page: str, site: str | None, tasks: list[Task]):
        super().__init__(env, page, site)
        self.tasks = {task.cell: task for task in tasks}

    def cells(
        self, document: nodes.document, executed: nbformat.NotebookNode
    ) -> list[nbformat.NotebookNode]:
        """Return the cells of the workbook; code and figures come from the executed notebook."""
        self.executed = executed
        sources = {
            i: prepared(self.tasks[i], cell.source, Path(self.env.srcdir))
            if i in self.tasks
            else cell.source
            for i, cell in enumerate(executed.cells)
            if cell.cell_type == "code"
        }
        self.plan = blanks.Plan(sources, {i: task.heads for i, task in self.tasks.items()})
        self.plan.include(next(iter(sources)))  # the setup of the chapter
        for number, task in self.tasks.items():
            try:
                self.plan.include(number)
            except blanks.BlankError as error:
                raise task.fail(str(error)) from None
        self.shown: set[int] = set()  # the nodes whose text the workbook has
        self.whole = False  # within such a node
        for node in list(document.findall(is_code)):
            if node["cell_index"] in self.tasks:
                self.show_above(self.tasks[node["cell_index"]], node, document)
        return self.grouped(self.blocks(document))

    def show_above(self, task: Task, cell: nodes.Node, document: nodes.document) -> None:
        """Mark what is to be read before a task: its section up to the cell, those it names."""
        marked: list[nodes.Node] = []
        for label in task.read:
            found = [n for n in document.findall(nodes.section) if label in n["ids"]]
            if not found:
                raise task.fail(f"read: {label} is no section of {self.page}")
            marked += found[0].children
        solution = above(cell, solution_node)
        if solution is not None:
            label = solution["target_label"]
            marked += [node for node in document.findall(is_exercise) if node["label"] == label]
        else:
            while not isinstance(cell.parent, nodes.section):
                cell = cell.parent
            marked += cell.parent.children[: cell.parent.index(cell)]
        shown = [n for n in marked if not isinstance(n, nodes.section | nodes.title)]
        self.shown.update(map(id, shown))
        for container in [code for node in shown for code in node.findall(is_code)]:
            number = container["cell_index"]
            if number not in self.tasks and self.plan.light(number):
                self.plan.include(number)

    def blocks(self, node: nodes.Node) -> list[Block]:
        """Return what of a node the workbook has: the text that is shown, the cells it needs."""
        if is_code(node):
            return self.code_cell(node)
        if self.whole or id(node) in self.shown:
            before, self.whole = self.whole, True
            found = super().blocks(node)
            self.whole = before
            return found
        rest = [block for child in node.children for block in self.blocks(child)]
        shown = isinstance(node, nodes.section) and isinstance(node.parent, nodes.section)
        if shown and any(id(child) in self.shown for child in node.children[1:]):
            return [self.heading(node), *rest]
        return rest

    def code_cell(self, node: nodes.container) -> list[Block]:
        """Return a cell as far as the workbook needs it, a task's with its blanks and check."""
        number = node["cell_index"]
        code, cell = self.plan.text(number), self.executed.cells[number]
        if number in self.tasks:
            return task_cells(self.tasks[number], code)
        if not code:
            return []
        if "hide-input" not in cell.metadata.get("tags", []):
            return [new_code_cell(code)]
        cell.execution_count = None  # a drawing is there before it is run
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = None
        return super().code_cell(node)


def above(node: nodes.Node, kind: type[nodes.Element]) -> nodes.Element | None:
    """Return what of a kind a node stands in, if in any."""
    while node is not None and not isinstance(node, kind):
        node = node.parent
    return node


def is_code(node: nodes.Node) -> bool:
    """Tell whether a node is a code cell of the page."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def is_exercise(node: nodes.Node) -> bool:
    """Tell whether a node is the statement of an exercise."""
    return isinstance(node, exercise_node | exercise_enumerable_node)


def task_cells(task: Task, code: str) -> list[Block]:
    """Return what a reader gets of a task: a line that says so, the blank, the check."""
    text = (
        f"**Your turn: {task.title}** ({in_minutes(task.minutes)}). Write "
        f"{' and '.join(f'`{name}`' for name in task.local)} in the next cell, in place of "
        "`raise NotImplementedError`. Run it, and then the check below it. Stuck? "
        f"`check.{task.check}.hint()` in a cell of its own gives a hint, and each time another."
    )
    blank, check = (
        new_code_cell(task.cut(code)),
        new_code_cell(f"check.{task.check}({task.wanted})"),
    )
    blank.metadata[KIND], check.metadata[KIND] = {"blank": task.check}, {"check": task.check}
    return [new_markdown_cell(text), blank, check]


def in_minutes(minutes: int) -> str:
    """Return a time in words."""
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def workbook_name(page: str) -> str:
    """Return the path of a page's workbook, from the root of the site."""
    return f"{FOLDER}/workbook/{Path(page).name}.ipynb"


def workbook(
    app: Sphinx, page: str, document: nodes.document, repository: Repository | None
) -> nbformat.NotebookNode:
    """Return the workbook of a page that has tasks, nothing in it executed."""
    assert app.env is not None
    notebook, own = executed_notebook(app.env, page), tasks(app.env)[page]
    writer = WorkbookPage(app.env, page, repository.site if repository else None, own)
    intro = INTRO.format(
        title=writer.line(document[0][0]),
        count=f"{len(own)} task{'s' * (len(own) != 1)}",
        minutes=in_minutes(sum(task.minutes for task in own)),
    )
    start = [new_markdown_cell(intro), new_code_cell(f"from {PACKAGE} import check")]
    notebook.cells = [*start, *writer.cells(document, notebook)]
    return published(app, page, notebook, repository)


def export(app: Sphinx, document: nodes.document, page: str) -> None:
    """Write the workbook of a page that has tasks, when all its references are resolved."""
    assert app.env is not None
    if app.builder.format != "html" or page not in tasks(app.env):
        return
    path = Path(app.outdir) / workbook_name(page)
    path.parent.mkdir(exist_ok=True, parents=True)
    notebook = workbook(app, page, document, app.config.course_found_repository)
    nbformat.write(nbformat.from_dict(notebook), path)


def add_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Put the workbook into the menus of its chapter, after the notebook."""
    assert app.env is not None
    if document is None or page not in tasks(app.env):
        return
    path = workbook_name(page)
    download = {
        "type": "link",
        "url": context["pathto"](path, 1),
        "text": "Workbook",
        "icon": "fas fa-pen",
        "tooltip": "Download the workbook: you write the code, it is checked",
        "label": "download-workbook-button",
    }
    for menu in context.get("header_buttons", []):
        if menu.get("label") == "download-buttons":
            menu["buttons"].insert(1, download)
        if menu.get("label") == "launch-buttons":
            notebooks = list(menu["buttons"])
            urls = app.config.course_found_repository.launchers(path)
            for (service, url), notebook in zip(urls.items(), notebooks, strict=True):
                workbook = {
                    "url": url,
                    "text": f"{service}: workbook",
                    "tooltip": f"Write this chapter's code yourself on {service}",
                    "label": f"workbook-{service.lower()}-button",
                }
                menu["buttons"].append(notebook | workbook)


def setup(app: Sphinx) -> None:
    """Write the workbook after the notebook, whose menus it joins."""
    app.connect("doctree-resolved", export, priority=901)
    app.connect("html-page-context", add_buttons, priority=901)
