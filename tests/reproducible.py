"""Build the site twice and see that nothing depends on the day, the folder or the order of a set.

    python tests/reproducible.py                     # from the outputs that the site has: bytes
    python tests/reproducible.py --cold              # and with all chapters executed anew: outputs
    python tests/reproducible.py --cold --threads 2  # so, with two threads a kernel

Each build has a folder and a hash seed of its own; all their files have to agree to the byte. What
the chapters put out is compared apart, for some of it is times: a cell that is tagged for nbval has
to put out the same again, any other the same but for the digits of numbers. With another number of
threads sums are rounded in another order: there the numbers of tagged cells may differ by the band
that is printed, in proportion.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "_build"
TAG = "nbval-check-output"
NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+(?:\.\d+)?(?:e[+-]\d+)?")
IN_A_COLUMN = re.compile(rf" *(?:{NUMBER.pattern})")  # with what fills the column
LONGEST = 3600  # seconds for a build
# Largest difference of a number between one thread and several, in proportion. With two threads
# 1.6 % in the deep chapter, and none in the others.
BAND = 0.02


def build(folder: Path, seed: str, threads: str = "1") -> Path:
    """Build the site in a folder, with the executions that lie there, and return its files."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(ROOT)]
    options = ["-W", "-n", "--keep-going", "-q", "--path-output", str(folder)]
    environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
    # Chapters run side by side: threads that spin while they wait would keep others from work.
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    done = subprocess.run(
        [*command, *options], env=environment, capture_output=True, text=True, timeout=LONGEST
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return folder / "_build" / "html"


def place(first: bytes, second: bytes) -> str:
    """Return the first place at which two files differ, as text."""
    start = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    pieces = [data[max(0, start - 40) : start + 60] for data in (first, second)]
    return f"byte {start}: {pieces[0]!r} and {pieces[1]!r}"


def differences(first: Path, second: Path) -> list[str]:
    """Return how the files of two folders differ, a line for each."""
    names = [
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for folder in (first, second)
    ]
    found = [f"{name}: in one of the two alone" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        data = [(folder / name).read_bytes() for folder in (first, second)]
        if data[0] != data[1]:
            found.append(f"{name}: {place(*data)}")
    return found


def said(cell: NotebookNode) -> str:
    """Return what a cell has put out as text, drawings without their curves."""
    pieces = []
    for output in cell.outputs:
        data = output.get("data", {})
        figure = any(kind.startswith("image/") for kind in data)
        pieces.append("figure" if figure else output.get("text", data.get("text/plain", "")))
    return "\n".join(pieces)


def furthest(first: str, second: str) -> float:
    """Return the largest difference between the numbers of two texts, in proportion."""
    pairs = zip(NUMBER.findall(first), NUMBER.findall(second), strict=True)
    numbers = [tuple(float(text.replace(",", "")) for text in pair) for pair in pairs]
    return max((abs(a - b) / max(abs(a), abs(b)) for a, b in numbers if a != b), default=0.0)


def compare(first: Path, second: Path, band: float) -> list[str]:
    """Return what of the outputs of two executions differs that should not; print what may.

    Without a band all that is no number has to be the same, too. Otherwise a text that a model has
    written may be another, unless its cell is tagged.
    """
    found = []
    for path in sorted((first / "notebooks").glob("*.ipynb")):
        cells = [
            [c for c in nbformat.read(p, as_version=4).cells if c.cell_type == "code"]
            for p in (path, second / "notebooks" / path.name)
        ]
        largest = 0.0
        for number, (old, new) in enumerate(zip(*cells, strict=True)):
            texts, where = (said(old), said(new)), f"{path.stem}, cell {number}"
            if texts[0] == texts[1]:
                continue
            masked = [IN_A_COLUMN.sub(" #", text) for text in texts]
            alike = masked[0] == masked[1]
            if TAG in old.metadata.get("tags", ()):
                by = furthest(*texts) if alike else float("inf")
                largest = max(largest, by)
                if by > band:
                    found.append(f"{where}: {place(texts[0].encode(), texts[1].encode())}")
            elif alike:
                print(f"{where}: other numbers, as times are", flush=True)
            elif band == 0:
                found.append(f"{where}: {place(texts[0].encode(), texts[1].encode())}")
            else:
                print(f"{where}: another text", flush=True)
        print(f"{path.stem}: tagged cells differ by at most {largest:.2%}", flush=True)
    return found


def main() -> int:
    """Build, compare, and return 0 if all agrees."""
    parser = argparse.ArgumentParser(description="Build the site twice and compare.")
    parser.add_argument("--cold", action="store_true", help="execute the chapters anew, too")
    parser.add_argument("--threads", default="1", help="of a kernel, in that execution")
    options = parser.parse_args()
    if not (BUILD / "executed").is_dir():
        sys.exit(f"there is no site in {BUILD}: run `make site`")
    found = []
    with tempfile.TemporaryDirectory(prefix="reproducible-") as name:
        sites = []
        for seed in ("1", "2"):
            folder = Path(name) / f"built-with-seed-{seed}"
            shutil.copytree(BUILD / "executed", folder / "_build" / "executed")
            sites.append(build(folder, seed))
        found += differences(*sites)
        count = sum(path.is_file() for path in sites[0].rglob("*"))
        print(f"{count} files twice from the same outputs, {len(found)} differ", flush=True)
        if options.cold:
            again = build(Path(name) / "cold", "3", options.threads)
            found += compare(sites[0], again, 0.0 if options.threads == "1" else BAND)
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
