"""The tests have the same names in every process: pytest-xdist runs none where they differ."""

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
        for seed in ("1", "2", "3")
    ]
    names = [
        [line for line in run.communicate(timeout=300)[0].splitlines() if "::" in line]
        for run in runs
    ]
    assert len(names[0]) > 1000, "nothing was collected"
    assert names[0] == names[1] == names[2]
