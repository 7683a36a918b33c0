"""Run the notebooks of the site as a stranger would: elsewhere, without the repository.

    python tests/stranger.py             # with the versions that built the site
    python tests/stranger.py --oldest    # with the oldest ones that the package allows
    python tests/stranger.py --prepare FOLDER ; python tests/stranger.py --prepared FOLDER

A fresh virtual environment in a fresh folder gets a kernel, and then only what the first cell of a
notebook installs, from a wheel of this checkout. PyTorch alone is there before, as it is on Colab:
this checkout's own, linked. nbval runs the notebooks there and compares, and `tests/workbooks.py`
runs the workbooks: blank, filled in, with one mistake at a time. With --oldest PyTorch is installed
by the first cell, too, and as numbers may then differ in their last digits, nothing is compared:
what the cells assert has to hold.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from course.launch import PACKAGE, install_cell  # noqa: E402

LONGEST = 1200  # seconds for a step: a slow line to fetch PyTorch over
FOUND = f"""import {PACKAGE}, importlib.metadata
print({PACKAGE}.__file__, *importlib.metadata.requires("{PACKAGE}"), sep="\\n")"""


def oldest() -> list[str]:
    """Return the lower bounds of the package's dependencies, as versions to install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = [re.fullmatch(r"([\w-]+)>=([\d.]+)", text) for text in project["dependencies"]]
    return [f"{bound[1]}=={bound[2]}.*" for bound in bounds if bound]


def build_wheel(folder: Path) -> Path:
    """Build a wheel of the helper package; the checkout stays as it is."""
    source = folder / "source"
    shutil.copytree(ROOT / PACKAGE, source / PACKAGE)
    shutil.copy(ROOT / "pyproject.toml", source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*command, str(folder), str(source)], check=True, timeout=LONGEST)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_kernel(folder: Path) -> None:
    """Make a virtual environment with a kernel, and let Jupyter know it as `stranger`."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    kernel = [pin for pin in pins if pin.startswith("ipykernel==")]
    install = [python, "-m", "pip", "install", "--quiet", *kernel]
    subprocess.run(install, check=True, timeout=LONGEST)
    spec = folder / "jupyter" / "kernels" / "stranger" / "kernel.json"
    spec.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": "stranger", "language": "python"}))


def link(package: str, folder: Path) -> None:
    """Let the environment have a package of this one, without a copy of its files."""
    (site,) = folder.glob("env/lib/python*/site-packages")
    distribution = importlib.metadata.distribution(package)
    for name in {path.parts[0] for path in distribution.files or []} - {".."}:
        (site / name).symlink_to(Path(str(distribution.locate_file(name))).resolve())


def copy_notebooks(folder: Path, source: str, compare: bool) -> None:
    """Copy the notebooks and the workbooks; their first cell installs from the given source."""
    (folder / "notebooks").mkdir(exist_ok=True)
    (folder / "workbook").mkdir()
    for path in sorted((SITE / "notebooks").rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        first = notebook.cells[0].source
        address = re.search(r"https://\S+\.zip", first)
        assert first == install_cell(address[0] if address else None), first
        notebook.cells[0].source = install_cell(source)
        for cell in notebook.cells:
            if not compare:
                cell.metadata.pop("tags", None)
        nbformat.write(notebook, folder / path.parent.name / path.name)


def run_first_cell(folder: Path, source: str) -> NotebookNode:
    """Run the first cell alone, and find out what it has brought."""
    (folder / "notebooks").mkdir()
    notebook = new_notebook(cells=[new_code_cell(install_cell(source)), new_code_cell(FOUND)])
    client = NotebookClient(
        notebook,
        kernel_name="stranger",
        timeout=LONGEST,
        resources={"metadata": {"path": str(folder / "notebooks")}},
    )
    client.execute()
    where, *requires = notebook.cells[1].outputs[0].text.splitlines()
    assert Path(where).is_relative_to(folder / "env"), f"{PACKAGE} is not the stranger's: {where}"
    assert any(re.match(r"torch\b", text) for text in requires), f"no PyTorch in {requires}"
    return notebook


def prepare(folder: Path, old: bool = False) -> None:
    """Make the environment in an empty folder, and let the first cell fill it."""
    pins = oldest() if old else (ROOT / "requirements.txt").read_text().splitlines()
    (folder / "constraints.txt").write_text("\n".join(pins))
    settle(folder)
    make_kernel(folder)
    if not old:
        link("torch", folder)
    wheel = build_wheel(folder).as_uri()
    os.environ["PIP_CONSTRAINT"] = str(folder / "constraints.txt")
    run_first_cell(folder, wheel)


def settle(folder: Path) -> None:
    """Set the variables under which a stranger's programs run."""
    os.environ.pop("PYTHONPATH", None)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in the Makefile: they run side by side
    os.environ["PIP_COMPILE"] = "0"  # of thousands of modules a chapter needs some
    os.environ["JUPYTER_PATH"] = str(folder / "jupyter")


def run(folder: Path, compare: bool = True) -> int:
    """Run the notebooks and the workbooks in an environment, and return pytest's verdict."""
    settle(folder)
    os.environ["PIP_CONSTRAINT"] = str(folder / "constraints.txt")
    (wheel,) = folder.glob("*.whl")
    copy_notebooks(folder, wheel.as_uri(), compare)
    listing = [folder / "env" / "bin" / "python", "-m", "pip", "list", "--format", "freeze"]
    installed = subprocess.run(
        listing, capture_output=True, text=True, check=True, timeout=LONGEST
    ).stdout
    shown = re.findall(r"^(?:torch|numpy|matplotlib|d2lhelpers)==.*", installed, re.M)
    print("the stranger has", ", ".join(shown), flush=True)
    options = ["--nbval-lax", "--nbval-kernel-name", "stranger", "--nbval-cell-timeout", "600"]
    workers = ["--numprocesses", str(1 + (os.cpu_count() or 1))]  # a worker waits for its kernel
    workers += ["--dist", "loadfile", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *workers, "-c", "/dev/null"]
    command += ["--rootdir", str(folder), "notebooks", str(ROOT / "tests" / "workbooks.py")]
    os.environ |= {"WORKBOOKS": str(folder / "workbook"), "WORKBOOKS_KERNEL": "stranger"}
    return subprocess.run(command, cwd=folder, timeout=4 * LONGEST).returncode


def main() -> int:
    """Prepare the environment, run the notebooks in it, or one of the two."""
    parser = argparse.ArgumentParser(description="Run the notebooks as a stranger would.")
    parser.add_argument("--oldest", action="store_true", help="with the oldest versions allowed")
    parser.add_argument("--prepare", type=Path, help="only make the environment, in this folder")
    parser.add_argument("--prepared", type=Path, help="run in the environment in this folder")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare.resolve())
        return 0
    if not list(SITE.glob("notebooks/*.ipynb")):
        sys.exit(f"there is no notebook in {SITE}: run `make site`")
    if options.prepared:
        return run(options.prepared.resolve())
    with tempfile.TemporaryDirectory(prefix="stranger-") as name:
        folder = Path(name).resolve()
        prepare(folder, options.oldest)
        return run(folder, compare=not options.oldest)


if __name__ == "__main__":
    sys.exit(main())
