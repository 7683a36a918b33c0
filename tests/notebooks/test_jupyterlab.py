"""The notebooks as JupyterLab shows them, in a real browser, opened and not run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page, expect
from test_plain import NOTEBOOKS, WITHOUT_EXERCISES, raw
from test_workbooks import WORKBOOKS

pytestmark = pytest.mark.xdist_group("one JupyterLab for all")
LAB = Path(sys.prefix) / "jupyterlab" / "bin" / "jupyter-lab"  # put there by the Makefile
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells, not those in view
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
# Close what is open, and open a notebook; nothing is run, so it needs no kernel.
OPEN = """async path => {
    const app = window.jupyterapp;
    for (const widget of Array.from(app.shell.widgets("main"))) widget.dispose();
    await app.commands.execute("docmanager:open", {
        path, factory: "Notebook", kernelPreference: {canStart: false, shouldStart: false}});
}"""
FORMULA = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$[^$\n]+?\$", re.DOTALL)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab in a folder that has the notebooks and nothing else."""
    if not NOTEBOOKS[0].is_file():
        pytest.fail(
            f"there is no notebook in {NOTEBOOKS[0].parent}: run `make site`", pytrace=False
        )
    if not LAB.is_file():
        pytest.fail(
            f"JupyterLab is not in {LAB}: run `make test`, which installs it", pytrace=False
        )
    folder = tmp_path_factory.mktemp("lab")
    (folder / "workbook").mkdir()
    for path in [*NOTEBOOKS, *WORKBOOKS]:
        shutil.copy(path, folder / "workbook" if path in WORKBOOKS else folder)
    nbformat.write(faulty(), folder / "faulty.ipynb")
    settings = folder / ".settings"
    for name, values in SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTER_CONFIG_DIR": str(folder / ".config")}
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=", "--ip=127.0.0.1"]
    options += ["--LabApp.expose_app_in_browser=True"]  # for OPEN
    log = (folder / ".log").open("w+")
    server = subprocess.Popen(
        [LAB, *options, f"--port={port}", f"--ServerApp.root_dir={folder}"],
        env=os.environ | own,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5)
            break
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                pytest.fail(f"JupyterLab did not start:\n{log.read()}", pytrace=False)
            time.sleep(0.1)
    yield address
    server.terminate()
    server.wait(30)
    log.close()


def faulty() -> NotebookNode:
    """Return a notebook with something raw, something broken and something missing."""
    notebook = new_notebook()
    picture = new_output("display_data", {"image/png": "bm90IGFuIGltYWdl"})
    notebook.cells = [
        new_markdown_cell("# A role\n\nSee {eq}`eq-small`."),
        new_markdown_cell("A formula, $\\frac{x$, and $x$."),
        new_code_cell("draw()", outputs=[picture], execution_count=1),
    ]
    return notebook


class Opened:
    """A notebook, the page on which JupyterLab shows it, and what the page said in between."""

    def __init__(self, page: Page, path: Path, folder: str = ""):
        self.page = page
        self.is_chapter = path.stem not in WITHOUT_EXERCISES
        self.notebook: NotebookNode = nbformat.read(path, as_version=4)
        self.said: list[str] = []
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.evaluate(OPEN, folder + path.name)
        page.wait_for_selector(".jp-Notebook .jp-MarkdownOutput", timeout=90_000)
        cells = len(self.notebook.cells)
        page.wait_for_function(
            f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {cells}"
        )
        self.formulas = sum(len(FORMULA.findall(text)) for text in self.sources("markdown"))
        # Until all is typeset: as many formulas as there should be, or no more for a while.
        shown, since, start = -1, 0.0, time.monotonic()
        while time.monotonic() - start < 90:
            count = page.locator("mjx-container").count()
            if count != shown:
                shown, since = count, time.monotonic()
            if count == self.formulas > 0:
                quiet = 0.3
            else:  # MathJax itself is long in coming
                quiet = 30.0 if count == 0 < self.formulas else 3.0
            if time.monotonic() - since > quiet:
                break
            page.wait_for_timeout(100)

    def sources(self, kind: str) -> list[str]:
        """Return the sources of the cells of a kind."""
        return [cell.source for cell in self.notebook.cells if cell.cell_type == kind]


@pytest.fixture(scope="module")
def page(browser: Browser, lab: str) -> Iterator[Page]:
    """One page of JupyterLab for all notebooks: the program itself starts once."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{lab}/lab?reset", wait_until="load", timeout=90_000)
    page.wait_for_function("window.jupyterapp?.restored", timeout=90_000)
    page.evaluate("window.jupyterapp.restored.then(() => null)")
    yield page
    context.close()


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def opened(page: Page, request: pytest.FixtureRequest) -> Opened:
    """Each notebook, opened once for all tests."""
    return Opened(page, request.param)


def test_every_text_is_rendered(opened: Opened) -> None:
    shown = opened.page.locator(".jp-MarkdownCell .jp-RenderedMarkdown")
    texts = [text.strip() for text in shown.evaluate_all("all => all.map(e => e.textContent)")]
    assert len(texts) == len(opened.sources("markdown"))
    assert "" not in texts
    # What is left of Markdown or of MyST can be read as such; code may look like it.
    bare = shown.evaluate_all(
        "all => all.map(e => { const copy = e.cloneNode(true);"
        "copy.querySelectorAll('code, mjx-container').forEach(c => c.remove());"
        "return copy.textContent; })"
    )
    for text in bare:
        assert raw(text) == []
        assert not re.search(r"[`$]|\*\*|\]\(|\\[a-zA-Z]|^#+ |</?\w+>", text, re.MULTILINE), text


def test_every_formula_is_typeset(opened: Opened) -> None:
    assert opened.page.locator("mjx-container").count() == opened.formulas
    assert opened.formulas > 10 or not opened.is_chapter
    assert opened.page.locator("mjx-merror, mjx-container [data-mjx-error]").count() == 0
    tags = sum(text.count(r"\tag{") for text in opened.sources("markdown"))
    assert opened.page.locator("mjx-container mjx-mlabeledtr").count() == tags


def test_every_figure_is_shown(opened: Opened) -> None:
    outputs = [o for c in opened.notebook.cells if c.cell_type == "code" for o in c.outputs]
    figures = [o for o in outputs if any(k.startswith("image/") for k in o.get("data", {}))]
    images = opened.page.locator(".jp-OutputArea-output img").evaluate_all(
        "all => all.map(e => e.complete && e.naturalWidth > 100)"
    )
    assert images == [True] * len(figures)
    assert bool(images) == opened.is_chapter


def test_every_fold_opens_on_its_text(opened: Opened) -> None:
    folds = opened.page.locator(".jp-MarkdownCell details")
    expected = sum(text.count("<details>") for text in opened.sources("markdown"))
    assert folds.count() == expected
    assert bool(expected) == opened.is_chapter
    closed = folds.evaluate_all("all => all.every(e => !e.open)")
    assert closed
    lengths = folds.evaluate_all(
        "all => all.map(e => { e.querySelector('summary').click();"
        "return e.open ? e.innerText.length - e.querySelector('summary').innerText.length : 0; })"
    )
    assert min(lengths, default=6) > 5


def test_a_question_is_answered_by_mouse_and_keyboard(opened: Opened) -> None:
    question = opened.page.locator(".jp-MarkdownCell", has_text="Question 1.").first
    if not opened.is_chapter:
        assert question.count() == 0
        return
    fold = question.locator("details").first
    fold.evaluate("e => { e.open = false; }")
    fold.locator("summary").click()
    assert re.search(r"(Right|No)\.", fold.inner_text())
    fold.locator("summary").press("Enter")
    assert not re.search(r"(Right|No)\.", fold.inner_text())


def test_solutions_are_closed_and_open_with_their_cells(opened: Opened) -> None:
    solutions = [text for text in opened.sources("markdown") if text.startswith("#### Solution")]
    assert bool(solutions) == opened.is_chapter
    if not solutions:
        return
    source = solutions[0]
    title = source.removeprefix("#### ")
    cell = opened.page.locator(".jp-MarkdownCell", has=opened.page.get_by_text(title, exact=True))
    number = 1 + next(i for i, c in enumerate(opened.notebook.cells) if c.source == source)
    body = opened.page.locator(".jp-Notebook .jp-Cell").nth(number)
    expect(body).to_be_hidden(timeout=30_000)
    cell.locator(".jp-collapseHeadingButton, .jp-showHiddenCellsButton").last.click()
    expect(body).to_be_visible(timeout=30_000)


def test_nothing_went_wrong(opened: Opened) -> None:
    assert opened.said == []
    assert opened.page.locator(".jp-Dialog").count() == 0
    assert opened.page.locator(".jp-RenderedText[data-mime-type*='error']").count() == 0
    links = opened.page.locator(".jp-RenderedMarkdown a[href]:not(.jp-InternalAnchorLink)")
    for link in links.evaluate_all("all => all.map(e => e.getAttribute('href'))"):
        assert link.startswith(("https://", "http://"))


@pytest.mark.parametrize("path", WORKBOOKS, ids=lambda path: path.stem)
def test_a_workbook_is_shown_whole(page: Page, path: Path) -> None:
    opened = Opened(page, path, "workbook/")
    test_every_text_is_rendered(opened)
    assert page.locator("mjx-container").count() == opened.formulas > 0
    assert page.locator("mjx-merror, mjx-container [data-mjx-error]").count() == 0
    images = page.locator(".jp-OutputArea-output img")
    drawn = sum(bool(cell.get("outputs")) for cell in opened.notebook.cells)
    widths = images.evaluate_all("all => all.map(e => e.complete ? e.naturalWidth : 0)")
    assert len(widths) == drawn
    assert min(widths, default=101) > 100
    test_nothing_went_wrong(opened)


def test_faults_are_noticed(page: Page, tmp_path: Path) -> None:
    nbformat.write(faulty(), tmp_path / "faulty.ipynb")
    opened = Opened(page, tmp_path / "faulty.ipynb")
    for test in (test_every_text_is_rendered, test_every_formula_is_typeset):
        with pytest.raises(AssertionError):
            test(opened)
    with pytest.raises(AssertionError, match="False"):
        test_every_figure_is_shown(opened)
