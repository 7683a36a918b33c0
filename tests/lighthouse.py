"""What Lighthouse says of every page of the built site, on a phone: `make lighthouse`.

    python tests/lighthouse.py LIGHTHOUSE [PAGE ...]

LIGHTHOUSE is its program; without pages, all are looked at. The site is served compressed. A page
is opened up to three times, for a busy machine makes it look slower than it is, and the best time
counts. The last column names what failed. Ends with 1 if a page does not reach the targets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import browser

sys.path.insert(0, str(Path(__file__).parent / "site"))
from serve import served
from visits import SITE, pages

TRIES = 3
TARGETS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
LIMITS = {  # each the largest value that will do
    "total-byte-weight": 250_000,
    "network-requests": 20,
    "cumulative-layout-shift": 0.02,
    "total-blocking-time": 200,
}
HEADER = ("page", *TARGETS, "bytes", "requests", "shift", "blocking ms", "LCP ms", "failed")


def audit(program: str, address: str) -> dict[str, Any]:
    """Return Lighthouse's report of an address."""
    flags = "--headless=new " + " ".join(browser.ARGUMENTS)
    command = [program, address, "--quiet", "--output=json", f"--chrome-flags={flags}"]
    environment = os.environ | {"CHROME_PATH": browser.find() or ""}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    if result.returncode:
        sys.exit(f"Lighthouse failed on {address}:\n{result.stderr}")
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def scores(report: dict[str, Any]) -> dict[str, int]:
    """Return the score of each category, in percent."""
    return {name: round(100 * report["categories"][name]["score"]) for name in TARGETS}


def values(report: dict[str, Any]) -> dict[str, float]:
    """Return what the limits are about."""
    found = {name: report["audits"][name].get("numericValue", 0.0) for name in LIMITS}
    found["network-requests"] = len(report["audits"]["network-requests"]["details"]["items"])
    return found


def faults(report: dict[str, Any]) -> list[str]:
    """Return what keeps a report from its targets; of a category that has to be whole, why."""
    found = []
    for name, score in scores(report).items():
        if score < TARGETS[name]:
            audits = (
                report["audits"][part["id"]] for part in report["categories"][name]["auditRefs"]
            )
            why = [
                part["id"] for part in audits if part["score"] is not None and part["score"] < 0.9
            ]
            found.append(f"{name} {score} ({', '.join(why[:8])})")
    return found + [name for name, value in values(report).items() if value > LIMITS[name]]


def main(program: str, *chosen: str) -> None:
    """Print a table of the pages."""
    failed = False
    with served(SITE) as address:
        print(" | ".join(HEADER))
        for page in chosen or pages():
            reports = []
            for _ in range(TRIES):
                reports.append(audit(program, address + page))
                if not faults(reports[-1]):
                    break
            best = min(
                reports, key=lambda report: (len(faults(report)), -sum(scores(report).values()))
            )
            numbers = values(best)
            row = [
                page,
                *scores(best).values(),
                *(
                    f"{numbers[name]:.4g}" if numbers[name] < 1 else round(numbers[name])
                    for name in LIMITS
                ),
                round(best["audits"]["largest-contentful-paint"]["numericValue"]),
                ", ".join(faults(best)),
            ]
            print(" | ".join(str(value) for value in row), flush=True)
            failed = failed or bool(faults(best))
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
