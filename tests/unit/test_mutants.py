"""The planted faults: each has its place, and a sample of them is found in every run of the tests.

`make mutants` plants them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants import FAULTS, RED, ROOT, copy, run

SAMPLE = range(3, len(FAULTS), 29)


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_fault_has_its_place(number: int) -> None:
    fault = FAULTS[number]
    assert (ROOT / fault.file).read_text("utf-8").count(fault.piece) == 1
    assert fault.piece != fault.instead


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(tmp_path_factory.mktemp("mutants"))


@pytest.mark.xdist_group("mutants")
@pytest.mark.parametrize("number", SAMPLE)
def test_a_planted_fault_is_found(number: int, checkout: Path) -> None:
    fault = FAULTS[number]
    before = fault.plant(checkout)
    status, found_by = run(fault.tests, checkout)
    (checkout / fault.file).write_text(before, "utf-8")
    assert status in RED, f"{fault.piece!r} -> {fault.instead!r} was not found: {found_by}"
