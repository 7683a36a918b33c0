"""Everything that has to hold, stage by stage: `make test`.

A stage that fails keeps no other from running; what failed is named in the last lines. Only
without a site there is nothing to look at: then the unit tests run, and no notebook.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

MAKE = os.environ.get("MAKE", "make")
# Every core runs tests; those of one page, one server or one environment stay together.
PYTEST = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "loadgroup"]
COUNT = re.compile(r"(\d+) (passed|failed|errors?)\b")
LAST = re.compile(r"[= ]*(?:no tests ran|\d+ [a-z]+).* in [\d.]+s.*")  # what pytest closes with


@dataclass
class Stage:
    """What is run, and how it went."""

    name: str
    command: list[str]
    passed: bool = False
    seconds: float = 0.0
    closing: str = "not run"
    named: list[str] = field(default_factory=list)

    def run(self) -> bool:
        """Run the command, show what it says, and tell whether it went well."""
        print(f"\n===== {self.name}: {' '.join(self.command)}", flush=True)
        self.closing, start = "", time.monotonic()
        with subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if line.startswith(("FAILED ", "ERROR ", "left out, ")):
                    self.named.append(line.strip())
                if LAST.fullmatch(line.strip()):
                    self.closing = line.strip("= \n")
        self.seconds, self.passed = time.monotonic() - start, process.returncode == 0
        return self.passed

    def count(self, kind: str) -> int:
        """Return how many tests ended so, as pytest's closing line says."""
        return sum(int(n) for n, what in COUNT.findall(self.closing) if what.startswith(kind))


def main() -> int:
    """Run the stages and sum them up; return 0 if all went well."""
    site = Stage("site", [MAKE, "site"])
    browser = Stage("browser", [sys.executable, "tests/browser.py"])
    tests = Stage("tests", [*PYTEST, "tests"])
    notebooks = Stage("notebooks", [sys.executable, "tests/stranger.py"])
    stages = [Stage("lint", [MAKE, "lint"]), site, browser, tests, notebooks]
    for stage in stages:
        if stage is tests and not site.passed:
            tests.command[-1] = "tests/unit"
        if stage is not notebooks or site.passed:
            stage.run()
    print("\n===== in short")
    for stage in stages:
        verdict = "passed" if stage.passed else "FAILED"
        print(f"{stage.name:10} {verdict} {stage.seconds:5.0f} s  {stage.closing}".rstrip())
        for line in stage.named:
            print(f"  {line}")
    failed = sum(stage.count("failed") + stage.count("error") for stage in stages)
    print(f"{sum(stage.count('passed') for stage in stages)} passed, {failed} failed")
    return int(not all(stage.passed for stage in stages))


if __name__ == "__main__":
    sys.exit(main())
