"""Everything that has to hold, stage by stage: `make test`.

A stage that fails keeps no other from running; what failed is named in the last lines. Only
without a site there is nothing to look at: then the unit tests run, and no notebook. JupyterLab and
the environment of a stranger, in which the notebooks run, are installed beside the first stages.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

MAKE = os.environ.get("MAKE", "make")
# Every core runs tests; those of one page, one server or one environment stay together.
PYTEST = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "loadgroup"]
PYTEST += ["--max-worker-restart", "0"]  # a test that hangs would hang again
COUNT = re.compile(r"(\d+) (passed|failed|errors?)\b")
LONGEST = 5400.0  # seconds for a stage, on a slow machine that also downloads
LAST = re.compile(r"[= ]*(?:no tests ran|\d+ [a-z]+).* in [\d.]+s.*")  # what pytest closes with


@dataclass(eq=False)
class Stage:
    """What is run, and how it went."""

    name: str
    command: list[str]
    limit: float = LONGEST
    passed: bool = False
    seconds: float = 0.0
    closing: str = "not run"
    named: list[str] = field(default_factory=list)
    said: str = ""  # what was kept
    process: subprocess.Popen[str] | None = None

    def run(self, aside: bool = False) -> bool:
        """Run the command and tell whether it went well; show what it says, or else keep it."""
        said = [f"\n===== {self.name}: {' '.join(self.command)}\n"]
        if not aside:
            print(said.pop(), end="", flush=True)
        self.closing, start = "", time.monotonic()
        with subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            self.process = process
            why = f"ended, for it took more than {self.limit:g} s"
            timer = threading.Timer(self.limit, self.end, [why])
            timer.start()
            try:
                for line in process.stdout:
                    if aside:
                        said.append(line)
                    else:
                        print(line, end="", flush=True)
                    if line.startswith(("FAILED ", "ERROR ", "left out, ")):
                        self.named.append(line.strip())
                    if LAST.fullmatch(line.strip()):
                        self.closing = line.strip("= \n")
            except BaseException:  # nothing goes on behind the back of who ended this
                self.end("interrupted")
                raise
            finally:
                timer.cancel()
        self.seconds, self.passed = time.monotonic() - start, process.returncode == 0
        self.said = "".join(said)
        return self.passed

    def end(self, why: str) -> None:
        """End the command and all that it has started."""
        self.named.append(why)
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def count(self, kind: str) -> int:
        """Return how many tests ended so, as pytest's closing line says."""
        return sum(int(n) for n, what in COUNT.findall(self.closing) if what.startswith(kind))


def main() -> int:
    """Run the stages and sum them up; return 0 if all went well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="stranger-") as folder:
        python = sys.executable
        stranger = Stage("stranger", [python, "tests/stranger.py", "--prepare", folder])
        jupyterlab = Stage("jupyterlab", [MAKE, "jupyterlab"])
        site = Stage("site", [MAKE, "site"])
        browser = Stage("browser", [python, "tests/browser.py"])
        tests = Stage("tests", [*PYTEST, "tests"])
        notebooks = Stage("notebooks", [python, "tests/stranger.py", "--prepared", folder])
        aside = [jupyterlab, stranger]
        stages = [Stage("lint", [MAKE, "lint"]), site, browser, tests]
        beside = {stage: threading.Thread(target=stage.run, args=[True]) for stage in aside}
        for thread in beside.values():
            thread.start()
        try:
            for stage in stages:
                if stage is tests:
                    beside[jupyterlab].join()
                    if not site.passed:
                        tests.command[-1] = "tests/unit"
                stage.run()
        except BaseException:
            for stage in aside:
                stage.end("interrupted")
            raise
        finally:
            for thread in beside.values():
                thread.join()
        print(*(stage.said for stage in aside), sep="", end="", flush=True)
        stages += [*aside, notebooks]
        if site.passed and stranger.passed:
            notebooks.run()
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
