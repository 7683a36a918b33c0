"""How pytest-xdist shares out the tests.

It runs none where their names differ from process to process, and those of a group in one process,
which makes their fixture once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_names_do_not_depend_on_the_hash_seed() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    runs = [
        subprocess.Popen(
            [*command, str(TESTS)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    names = [
        [line for line in run.communicate(timeout=300)[0].splitlines() if "::" in line]
        for run in runs
    ]
    assert len(names[0]) > 1000, "nothing was collected"
    assert names[0] == names[1]


GROUPED = """
import os
import pytest

@pytest.mark.xdist_group("a page")
@pytest.mark.parametrize("number", range(6))
def test_of_a_group(number):
    print(os.environ["PYTEST_XDIST_WORKER"], file=open("workers", "a"))
"""


def test_a_group_stays_in_one_process(tmp_path: Path) -> None:
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadgroup"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 12
    assert len(set(workers)) == 1, "xdist_group does nothing: does pytest-xdist know this pytest?"
