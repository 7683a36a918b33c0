"""The first cell of a notebook: it installs the helper package and touches nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest
from course.launch import KEPT, PACKAGE, install_cell

pytestmark = pytest.mark.xdist_group("one environment to copy")


def wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> Path:
    """Write a wheel of one empty module."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": "\n".join([*lines, *(f"Requires-Dist: {r}" for r in requires), ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(file, text)
    return path


class Machine:
    """A virtual environment that has some packages, and an index that has newer ones."""

    def __init__(self, empty: Path, folder: Path, **here: str):
        self.folder, self.index = folder, folder / "index"
        self.index.mkdir()
        shutil.copytree(empty, folder / "env", symlinks=True)
        self.python = folder / "env" / "bin" / "python"
        for name, version in here.items():
            path = wheel(folder, name, version)
            subprocess.run(
                [self.python, "-m", "pip", "install", "-q", "--no-index", path], check=True
            )
        for name in KEPT:
            wheel(self.index, name, "99.0")
        self.source = wheel(self.index, PACKAGE, "0.1", ("torch>=2.2", "numpy>=1.26", "matplotlib"))

    def run_first_cell(self) -> str:
        """Run the first cell, offline, and return what pip says."""
        cell = install_cell(self.source.as_uri())
        # Outside of a notebook there is no %pip.
        call = (
            r"\1import subprocess, sys; print(subprocess.run([sys.executable, '-m', 'pip', "
            f"'install', '--no-index', '--find-links', {str(self.index)!r}, "
            r"*f'\2'.split()], capture_output=True, text=True))"
        )
        script, count = re.subn(r"^( *)%pip install (.*)$", call, cell, flags=re.MULTILINE)
        assert count == 1
        command = [self.python, "-c", script]
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def packages(self) -> dict[str, str]:
        """Return the versions of what is installed."""
        command = [self.python, "-m", "pip", "list", "--format", "freeze"]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return dict(line.split("==") for line in listing.splitlines())


@pytest.fixture(autouse=True)
def no_other_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout on the path would be a package that is here."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that has pip and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    return folder


def test_what_is_here_stays_and_what_is_missing_comes(empty: Path, tmp_path: Path) -> None:
    machine = Machine(empty, tmp_path, torch="2.5.1+cu124", numpy="1.26.4")
    machine.run_first_cell()
    found = machine.packages()
    assert {name: found[name] for name in (*KEPT, PACKAGE)} == {
        "torch": "2.5.1+cu124",
        "numpy": "1.26.4",
        "matplotlib": "99.0",
        PACKAGE: "0.1",
    }


def test_an_empty_machine_gets_everything(empty: Path, tmp_path: Path) -> None:
    machine = Machine(empty, tmp_path)
    machine.run_first_cell()
    assert set(KEPT) | {PACKAGE} <= machine.packages().keys()


def test_a_torch_that_is_too_old_is_not_replaced(empty: Path, tmp_path: Path) -> None:
    machine = Machine(empty, tmp_path, torch="2.1.0", numpy="1.26.4")
    before = machine.packages()
    said = machine.run_first_cell()
    assert machine.packages() == before
    assert "Cannot install d2lhelpers==0.1 and torch==2.1.0" in said


def test_a_package_that_is_here_is_left_alone(empty: Path, tmp_path: Path) -> None:
    machine = Machine(empty, tmp_path, d2lhelpers="0.0")
    before = machine.packages()
    assert machine.run_first_cell() == ""
    assert machine.packages() == before


@pytest.mark.parametrize("source", ["https://example.org/a.zip", None])
def test_the_cell_is_short(source: str | None) -> None:
    lines = install_cell(source).split("\n")
    assert len(lines) <= 12
    assert lines[0].startswith("# @title ")


def test_an_unknown_source_is_said() -> None:
    script = install_cell(None).replace(PACKAGE, "no_such_package")
    result = subprocess.run(["python3", "-c", script], capture_output=True, text=True)
    assert "ModuleNotFoundError: no_such_package is missing: run `pip install .`" in result.stderr
