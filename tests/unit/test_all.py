"""`make test` comes to an end, whatever a stage does, and says what was not well."""

from __future__ import annotations

import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SPEC = spec_from_file_location("all_stages", TESTS / "all.py")
assert SPEC is not None
STAGES = module_from_spec(SPEC)
sys.modules[SPEC.name] = STAGES  # where dataclasses look
assert SPEC.loader is not None
SPEC.loader.exec_module(STAGES)

PROCESS_THAT_LEAVES_ANOTHER = "import subprocess; subprocess.run(['sleep', '100'])"


@pytest.mark.parametrize("code", ["import time; time.sleep(100)", PROCESS_THAT_LEAVES_ANOTHER])
def test_a_stage_that_hangs_is_ended_with_all_that_it_started(code: str) -> None:
    start = time.monotonic()
    stage = STAGES.Stage("slow", [sys.executable, "-c", code], limit=1.0)
    assert not stage.run()
    assert time.monotonic() - start < 50
    assert stage.named == ["ended, for it took more than 1 s"]


def test_a_stage_tells_what_failed() -> None:
    said = "FAILED tests/a.py::b - c\n===== 1 failed, 20 passed, 2 errors in 3.00s ====="
    stage = STAGES.Stage("tests", [sys.executable, "-c", f"print({said!r}); exit(1)"])
    assert not stage.run()
    assert stage.named == ["FAILED tests/a.py::b - c"]
    assert [stage.count(kind) for kind in ("passed", "failed", "error")] == [20, 1, 2]


def test_what_runs_aside_keeps_what_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    stage = STAGES.Stage("aside", [sys.executable, "-c", "print('made')"])
    assert stage.run(aside=True)
    assert capfd.readouterr().out == ""
    assert stage.said.endswith("\nmade\n")
