"""What every study writes beside its results: the machine, the versions, the day."""

import datetime
import json
import os
import platform
from pathlib import Path
from typing import cast

import torch

MEASUREMENTS = Path(__file__).parents[2] / "d2lhelpers" / "measurements"


def cpu() -> str:
    """Return the model of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """Return what the figures depend on besides the code."""
    return {
        "cpu": cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "os": platform.system(), "python": platform.python_version(), "torch": torch.__version__,
    }  # fmt: skip


def today() -> str:
    """Return the date, in UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def write(name: str, study: dict[str, object]) -> None:
    """Write a study, one line for each of its `results`; a reader never sees a part of it."""
    rows = ",\n".join(f"  {json.dumps(row)}" for row in cast(list[object], study["results"]))
    text = json.dumps(study | {"results": []}, indent=1)
    MEASUREMENTS.mkdir(exist_ok=True)
    aside = MEASUREMENTS / f"{name}.part"
    aside.write_text(text.replace("[]\n}", f"[\n{rows}\n ]\n}}\n"), encoding="utf-8")
    aside.replace(MEASUREMENTS / f"{name}.json")
