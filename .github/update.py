"""Pin the newest versions that go together: `make update`.

pip works them out from requirements.txt without its versions; nothing is installed. The versions of
Python packages in requirements.txt and in the Makefile are replaced, and nothing else changes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([\w.-]+)==(\S+)$", re.MULTILINE)
LAB = re.compile(r"(?<=^JUPYTERLAB := )[\w.]+", re.MULTILINE)
# Jupyter Book 2 is another program, which does not read _config.yml. With pytest 9.2, pytest-xdist
# 3.8 no longer knows a test's group (its issue 1386), and a fixture is made in each process.
BOUNDS = {"jupyter-book": "<2", "pytest": "<9.2"}


def newest(*requirements: str) -> dict[str, str]:
    """Return the versions that pip would install, by the names of the packages."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    result = subprocess.run(
        [*command, "--report", "-", *requirements],
        stdout=subprocess.PIPE,
        check=True,
        timeout=1800,
    )
    found = [item["metadata"] for item in json.loads(result.stdout)["install"]]
    # A build of torch for some device is named after a plus sign, and is no other version.
    return {plain(data["name"]): data["version"].split("+")[0] for data in found}


def plain(name: str) -> str:
    """Return the name of a package as all of its spellings are."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Replace the pins, and print those that have changed."""
    requirements, makefile = ROOT / "requirements.txt", ROOT / "Makefile"
    text = requirements.read_text(encoding="utf-8")
    versions = newest(*(name + BOUNDS.get(name, "") for name, _ in PIN.findall(text)))
    for name, old in PIN.findall(text):
        if versions[plain(name)] != old:
            print(f"{name} {old} -> {versions[plain(name)]}")
    text = PIN.sub(lambda pin: f"{pin[1]}=={versions[plain(pin[1])]}", text)
    requirements.write_text(text, encoding="utf-8")
    lab = newest("jupyterlab")["jupyterlab"]
    text, count = LAB.subn(lab, makefile.read_text(encoding="utf-8"))
    assert count == 1, "the Makefile has no line that begins with JUPYTERLAB := "
    makefile.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
