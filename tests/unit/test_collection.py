"""How pytest-xdist shares out the tests.

It runs none where their names differ from process to process, and those of a group in one process,
which makes their fixture once. A test that hangs is ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SETTINGS = TESTS.parent / "pyproject.toml"


def test_names_do_not_depend_on_the_hash_seed(request: pytest.FixtureRequest) -> None:
    """The tests of this process have the same names, in the same order, under another seed."""
    own = [item.nodeid.partition("@")[0] for item in request.session.items]  # "@": xdist's group
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    other = subprocess.run(
        [*command, *dict.fromkeys(name.partition("::")[0] for name in own)],
        cwd=request.config.rootpath,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": seed},
        timeout=300,
    )
    names = [line.partition("@")[0] for line in other.stdout.splitlines() if "::" in line]
    chosen = set(own)
    assert [name for name in names if name in chosen] == own


GROUPED = """
import os
import pytest

@pytest.mark.xdist_group("a page")
@pytest.mark.parametrize("number", range(6))
def test_of_a_group(number):
    print(os.environ["PYTEST_XDIST_WORKER"], file=open("workers", "a"))
"""


def run_in_two_processes(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder, without plugins but xdist, which costs a second."""
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadgroup"]
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_group_stays_in_one_process(tmp_path: Path) -> None:
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(GROUPED)
    done = run_in_two_processes(tmp_path)
    assert done.returncode == 0, done.stdout
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 12
    assert len(set(workers)) == 1, "xdist_group does nothing: does pytest-xdist know this pytest?"


HANGS = """
import time

def test_that_waits():
    time.sleep(250)
"""


def test_a_test_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(HANGS)
    settings = ["-c", str(SETTINGS), "--rootdir", str(tmp_path), "-o", "faulthandler_timeout=2"]
    done = run_in_two_processes(tmp_path, *settings, "--max-worker-restart", "0", "test_a.py")
    assert done.returncode != 0
    assert "crashed while running 'test_a.py::test_that_waits'" in done.stdout
