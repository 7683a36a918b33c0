"""The executed notebooks beside the site: whole, small, and fit to be compared with a new run.

nbval itself then runs them again; see the Makefile. That it would notice a fault is shown here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "_build" / "html" / "notebooks"
COMPARED = "nbval-check-output"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb")) or [FOLDER / "none-because-the-site-is-not-built.ipynb"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Each notebook of the site."""
    if not request.param.is_file():
        pytest.fail(f"there is no notebook in {FOLDER}: run `make site`", pytrace=False)
    return request.param


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that have something to run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    """Return all outputs of a notebook."""
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_every_page_with_code_has_its_notebook() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = toc.get("parts", [toc])
    files = [toc["root"], *(chapter["file"] for part in parts for chapter in part["chapters"])]
    pages = [ROOT / f"{file}.md" for file in files]
    with_code = [page.stem for page in pages if "{code-cell}" in page.read_text(encoding="utf-8")]
    assert with_code
    assert sorted(with_code) == [path.stem for path in NOTEBOOKS]


def test_every_cell_was_executed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    # The first cell installs what a stranger lacks; it is the only one that was not run.
    assert counts == [None, *range(1, len(counts))], "not run once, from top to bottom"
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []


def test_a_kernel_is_named(path: Path) -> None:
    kernel = nbformat.read(path, as_version=4).metadata.kernelspec
    assert (kernel.name, kernel.language) == ("python3", "python")


def test_there_is_something_to_compare(path: Path) -> None:
    # nbval passes a cell that has no outputs to compare.
    compared = [
        cell
        for cell in code_cells(nbformat.read(path, as_version=4))
        if COMPARED in cell.metadata.get("tags", [])
    ]
    assert len(compared) >= 2
    assert [cell.source for cell in compared if not cell.outputs] == []


def test_figures_are_drawings(path: Path) -> None:
    # The site shows the SVG; a notebook that was not run where it is opened, the PNG.
    figures = [
        kinds
        for out in outputs(nbformat.read(path, as_version=4))
        if (kinds := {kind for kind in out.get("data", {}) if kind.startswith("image/")})
    ]
    assert all(kinds == {"image/svg+xml", "image/png"} for kinds in figures)


def test_size(path: Path) -> None:
    assert path.stat().st_size < 1_500_000


def nbval(path: Path) -> bool:
    """Run a notebook again as the Makefile does; tell whether it gave the same outputs."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    options = ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(path.parent)]
    result = subprocess.run([*command, *options, str(path)], capture_output=True, text=True)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    return result.returncode == 0


@pytest.fixture(scope="module")
def small() -> NotebookNode:
    """A small notebook, executed."""
    notebook = new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    notebook.cells = [
        new_code_cell("x = 1.25"),
        new_code_cell("print(2 * x)", metadata={"tags": [COMPARED]}),
        new_code_cell("import time; print(time.time())"),  # differs each time, is not compared
    ]
    NotebookClient(notebook).execute()
    return notebook


def write(notebook: NotebookNode, folder: Path) -> Path:
    path = folder / "small.ipynb"
    nbformat.write(notebook, path)
    return path


def test_nbval_passes_the_same_outputs(small: NotebookNode, tmp_path: Path) -> None:
    assert nbval(write(small, tmp_path))


def test_nbval_notices_another_number(small: NotebookNode, tmp_path: Path) -> None:
    changed = nbformat.from_dict(small)
    assert changed.cells[1].outputs[0].text == "2.5\n"
    changed.cells[1].outputs[0].text = "2.6\n"
    assert not nbval(write(changed, tmp_path))


def test_nbval_notices_a_cell_that_raises(small: NotebookNode, tmp_path: Path) -> None:
    changed = nbformat.from_dict(small)
    changed.cells[2].source = "assert x == 2"
    assert not nbval(write(changed, tmp_path))
