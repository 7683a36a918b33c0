"""Execute chapters with other initial weights, and say which of their asserts fall.

    python tests/seeds.py                              # every chapter, five sets of weights
    python tests/seeds.py book/gru.md --seeds 0 --show # one chapter as it is, with what it prints

Set 0 is the one that the pages have. In set k every seed of weights is 1,000 k larger, so that an
assert, or a sentence that stands on one, which holds by luck of the seed is found. All asserts of a
cell are looked at, also those after one that falls. Chapters run side by side, one on each core.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import os
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")  # they run side by side

ROOT = Path(__file__).parents[1]
SEEDS = range(5)
BETWEEN = 1000  # from a set of weights to the next


@dataclass
class Report:
    """What one run of a chapter has shown: asserts met, those that fell, what it printed."""

    chapter: Path
    seed: int
    asserts: int = 0
    fallen: list[str] = field(default_factory=list)
    printed: str = ""
    seconds: float = 0.0


class Recorded(ast.NodeTransformer):
    """Let each assert be counted, and one that falls be noted instead of stopping the cell."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        source = ast.unparse(node)
        count = ast.parse(f"__asserts__.append({source!r})").body
        guarded = ast.parse(
            f"try:\n    pass\nexcept AssertionError:\n    __fallen__.append({source!r})"
        )
        guarded.body[0].body = [node]  # type: ignore[attr-defined]
        return [*count, *guarded.body]


def code_cells(chapter: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the source of each code cell."""
    import jupytext

    for number, cell in enumerate(jupytext.read(chapter).cells):
        if cell.cell_type == "code":
            yield number, cell.source


def run(chapter: Path, seed: int, show: bool) -> Report:
    """Execute a chapter with one set of weights."""
    import torch

    torch.set_num_threads(1)
    report, start = Report(chapter, seed), time.perf_counter()
    asserts: list[str] = []
    fallen: list[str] = []
    names: dict[str, Any] = {
        "__name__": "__main__", "__asserts__": asserts, "__fallen__": fallen
    }  # fmt: skip
    set_seed = torch.manual_seed
    set_seed(BETWEEN * seed)
    with patch("torch.manual_seed", lambda number: set_seed(number + BETWEEN * seed)):
        for number, source in code_cells(chapter):
            output, begun = io.StringIO(), time.perf_counter()
            tree = ast.fix_missing_locations(Recorded().visit(ast.parse(source)))
            try:
                with contextlib.redirect_stdout(output):
                    exec(compile(tree, f"{chapter.name}[{number}]", "exec"), names)
            except Exception:  # whatever it is, it belongs into the report
                fallen.append("".join(traceback.format_exc(limit=-2)))
            took = time.perf_counter() - begun
            report.printed += f"--- cell {number}, {took:.1f} s\n{output.getvalue()}"
            if fallen[len(report.fallen) :]:
                news = [f"cell {number}: {what}" for what in fallen[len(report.fallen) :]]
                report.fallen += news
                report.printed += "".join(f"FALLEN {line}\n" for line in news)
            if show:
                print(report.printed, end="", flush=True)
                report.printed = ""
    report.asserts, report.seconds = len(asserts), time.perf_counter() - start
    return report


def main() -> int:
    """Run the chapters, print a line for each run and what fell; return 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", type=Path, help="files, or none for all")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="K")
    parser.add_argument("--show", action="store_true", help="print what the cells print")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs side by side")
    options = parser.parse_args()
    chapters = options.chapters or [
        path
        for path in sorted((ROOT / "book").glob("*.md"))
        if "train(" in path.read_text("utf-8") and any(code_cells(path))
    ]
    jobs = [(chapter, seed) for seed in options.seeds for chapter in chapters]
    if len(jobs) == 1:
        reports = [run(*jobs[0], options.show)]
    else:
        reports = []
        with ProcessPoolExecutor(options.jobs, max_tasks_per_child=1) as pool:
            for future in as_completed(pool.submit(run, *job, False) for job in jobs):
                reports.append(report := future.result())
                print(
                    f"{report.chapter.stem:18} weights {report.seed}: {report.asserts} asserts, "
                    f"{len(report.fallen)} fallen, {report.seconds:.0f} s",
                    flush=True,
                )
                if options.show:
                    print(report.printed)
    for report in sorted(reports, key=lambda r: (r.chapter, r.seed)):
        for line in report.fallen:
            print(f"FALLEN {report.chapter.stem}, weights {report.seed}, {line}")
    fallen = sum(len(report.fallen) for report in reports)
    asserts = sum(report.asserts for report in reports)
    print(f"{len(reports)} runs, {asserts} asserts met, {fallen} fallen")
    return int(fallen > 0)


if __name__ == "__main__":
    sys.exit(main())
