"""The page of all tasks, put together from the metadata of the chapters: nothing by hand."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx_exercise.nodes import solution_node

from course.launch import Repository
from course.notebooks import read
from course.plain import dotted
from course.tasks import Task, tasks
from course.workbook import above, in_minutes, is_code, workbook_name

COLUMNS = {"Task": 60, "Minutes": 10, "Solution": 30}


class task_list(nodes.General, nodes.Element):  # type: ignore[misc]
    """The place for the tasks of one chapter."""


class TaskListDirective(SphinxDirective):
    """The tasks of all chapters, a section for each."""

    def run(self) -> list[nodes.Node]:
        """Make the sections; what stands in them is known when all pages are read."""
        lists(self.env).add(self.env.docname)
        sections: list[nodes.Node] = []
        for page in in_order(self.env):
            name = f"tasks-{page.rpartition('/')[2]}"
            section = nodes.section(ids=[name], names=[name])
            section += [nodes.title("", title_of(self.env, page)), task_list(page=page)]
            sections.append(section)
        return sections


def title_of(env: BuildEnvironment, page: str) -> str:
    """Return the title of a page that may not have been read yet."""
    notebook = read(env, page)
    assert notebook is not None
    lines = [line for cell in notebook.cells for line in cell.source.split("\n")]
    return next(str(line)[2:] for line in lines if line.startswith("# "))


def in_order(env: BuildEnvironment) -> list[str]:
    """Return the pages with tasks, in the order of the book."""
    order: list[str] = env.toctree_includes.get(env.config.root_doc, [])
    known = tasks(env)
    return [page for page in order if page in known] + sorted(known.keys() - set(order))


def lists(env: BuildEnvironment) -> set[str]:
    """Return the pages that have the list of tasks."""
    found: set[str] = env.__dict__.setdefault("course_task_lists", set())
    return found


def fill(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put a line of links and a table into the section of each chapter."""
    for place in list(document.findall(task_list)):
        place.replace_self([links(app, page, place["page"]), table(app, page, place["page"])])


def link(text: str, url: str, **attributes: str) -> nodes.reference:
    """Return a link."""
    return nodes.reference("", text, refuri=url, internal=False, **attributes)


def links(app: Sphinx, here: str, page: str) -> nodes.paragraph:
    """Return the line that says how long the tasks take, and where their workbook opens."""
    assert app.env is not None
    repository: Repository | None = app.config.course_found_repository
    path, own = workbook_name(page), tasks(app.env)[page]
    minutes = in_minutes(sum(task.minutes for task in own)).capitalize()
    title = app.env.titles[page].astext()
    ways = repository.launchers(path) if repository else {}
    line = nodes.paragraph("", f"{minutes} in all. ")
    for service, url in ways.items():
        line += [link(f"Open the workbook on {service}", url, reftitle=title), nodes.Text(", ")]
    line += link(
        "or download it" if ways else "Download the workbook",
        "../" * here.count("/") + path,
        reftitle=title,
    )
    line += nodes.Text(".")
    return line


def table(app: Sphinx, here: str, page: str) -> nodes.table:
    """Return the tasks of a chapter as a table: what, how long, where the solution stands."""
    assert app.env is not None
    document = app.env.get_doctree(page)
    rows = []
    for task in tasks(app.env)[page]:
        anchor, name = solution(app.env, page, document, task)
        uri = f"{app.builder.get_relative_uri(here, page)}#{anchor}"
        rows.append([nodes.Text(task.title), nodes.Text(str(task.minutes)), link(name, uri)])
    head = nodes.thead("", row([nodes.Text(name) for name in COLUMNS]))
    group = nodes.tgroup(cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=width) for width in COLUMNS.values()]
    group += [head, nodes.tbody("", *map(row, rows))]
    return nodes.table("", group, classes=["colwidths-auto"])


def row(cells: list[nodes.Node]) -> nodes.row:
    """Return a row of a table."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def solution(
    env: BuildEnvironment, page: str, document: nodes.document, task: Task
) -> tuple[str, str]:
    """Return where the solution of a task stands, as an anchor, and the name of that place."""
    cell = next(n for n in document.findall(is_code) if n["cell_index"] == task.cell)
    node = above(cell, solution_node)
    if node is not None:
        label = node["target_label"]
        number = env.toc_fignumbers.get(page, {}).get("exercise", {}).get(label, ())
        return label, f"Exercise {dotted(number)}"  # the solution opens below it
    node = above(cell, nodes.section)
    assert node is not None
    anchor = node["ids"][0]
    number = env.toc_secnumbers.get(page, {}).get(f"#{anchor}", ())
    return anchor, f"{dotted(number)}. {node[0].astext()}" if number else node[0].astext()


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Read the list again when any other page was: it may have other tasks."""
    return sorted(lists(env) - removed) if added | changed | removed else []


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Drop the list of a page that is read again."""
    lists(env).discard(page)


def setup(app: Sphinx) -> None:
    """Teach the builder the list."""
    app.add_directive("task-list", TaskListDirective)
    app.add_node(task_list)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget)
    app.connect("doctree-resolved", fill)
