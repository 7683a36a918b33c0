"""How a page is found and shown elsewhere: its description, its address, its card, its source.

The addresses follow from the repository, as in course.launch. Where it is unknown a page has no
canonical address, there is no map of the site, and a card is named by its path in the site.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill, shorten
from typing import Any
from urllib.parse import urlencode, urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from course.front import MEASUREMENT
from course.launch import Repository

LONGEST = 160  # characters that a search engine shows of a description
CARDS = Path("_static") / "cards"
LETTERS = slice(128, 192)  # of the measurement, as the ornament of a card
VIEWPORT = re.compile(r'\s*<meta name="viewport"[^>]*>')  # docutils adds a second one
LOST = "404"
LOST_BODY = """\
<section><h1>There is no such page</h1>
<p>It may have been moved or renamed. The <a href="{start}">start page</a> lists the chapters, and
the <a href="{search}">search</a> knows all pages.</p></section>"""
# What a page of an unknown depth must not ask for relative to itself.
RELATIVE = re.compile(r'\b(href|src|action)="(?![a-z]+:|[/#"])')


def describe(app: Sphinx, page: str, document: nodes.document | None) -> str:
    """Return what a page's header says about it, or else the beginning of its first paragraph."""
    assert app.env is not None
    text = app.env.metadata.get(page, {}).get("description", "")
    if not text and document is not None:
        first = next((p for p in document.findall(nodes.paragraph) if p.astext().strip()), None)
        text = first.astext() if first is not None else ""
    return shorten(text, LONGEST, placeholder=" …")


def draw_card(path: Path, title: str, text: str, site: str, bits: list[float]) -> None:
    """Draw the picture that stands for a page elsewhere: its title, a text, and an ornament."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second, if a card is missing
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.06, 0.08, 0.88, 0.2))
    axes.bar(range(len(bits)), bits, width=0.8, color="#0f5bc9")
    axes.axis("off")
    axes.margins(x=0)
    figure.text(0.06, 0.88, site, fontsize=20, color="#48566b", va="top")
    figure.text(0.06, 0.79, fill(title, 34), fontsize=40, weight="bold", va="top")
    lower = 0.79 - 0.12 * (1 + fill(title, 34).count("\n"))
    figure.text(0.06, lower, fill(text, 62), fontsize=22, va="top", linespacing=1.4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def card(app: Sphinx, page: str, title: str, description: str) -> str:
    """Return the path of a page's card in the site; its name changes with what it shows."""
    assert app.env is not None
    study = json.loads((Path(app.srcdir) / MEASUREMENT).read_text(encoding="utf-8"))
    bits = [row["network"] for row in study["results"][LETTERS]]
    text = app.env.metadata.get(page, {}).get("question") or description
    parts = (title, shorten(text, 130, placeholder=" …"), str(app.config.html_title), bits)
    mark = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
    path = CARDS / f"{Path(page).name}-{mark}.png"
    if not (Path(app.outdir) / path).is_file():
        draw_card(Path(app.outdir) / path, *parts)
    return path.as_posix()


def add_head(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Tell search engines and those who share a page what it is."""
    assert app.env is not None
    repository: Repository | None = app.config.course_found_repository
    tags = VIEWPORT.sub("", context.get("metatags", ""))
    title = html.unescape(re.sub("<.*?>", "", context.get("title", "")))
    if page == app.config.root_doc:
        context["docstitle"] = app.config.course_subtitle
    elif str(app.config.html_title).casefold() in title.casefold():
        context["docstitle"] = ""
    # Above the contents stands the name of the course, whatever follows the title of the page.
    context["theme_logo"] = {**context.get("theme_logo", {}), "text": str(app.config.html_title)}
    description = describe(app, page, document) or f"{title}: {app.config.html_title}"
    named = {"description": description}
    shared = {"og:title": title, "og:description": description, "og:type": "article"}
    if page == app.config.root_doc:
        shared["og:type"] = "website"
    shared["og:site_name"] = str(app.config.html_title)
    if page == LOST:
        context["pageurl"] = None  # a host sends it with the status 404: nobody keeps it
    elif repository is not None:
        shared["og:url"] = f"{repository.site}{page}.html"
    if document is not None and app.config.course_cards:
        path = card(app, page, title, description)
        shared["og:image"] = repository.site + path if repository else context["pathto"](path, 1)
        shared["og:image:alt"] = f"{title}, above bars over letters"
        named["twitter:card"] = "summary_large_image"
    for kind, values in (("name", named), ("property", shared)):
        for name, value in values.items():
            tags += f'\n    <meta {kind}="{name}" content="{html.escape(value)}" />'
    context["metatags"] = tags


def add_source(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Link a page to its source, and to where an error in it can be reported."""
    repository: Repository | None = app.config.course_found_repository
    if document is None or repository is None:
        return
    home = f"https://github.com/{repository.name}"
    title = urlencode({"title": f"{page}: "})
    context["body"] += (
        f'<p class="page-source"><a href="{home}/blob/HEAD/{page}.md">Source of this page</a> · '
        f'<a href="{home}/issues/new?{html.escape(title)}">Report an error</a></p>'
    )


def lost_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the page that stands for those that are not there."""
    start, search = (app.builder.get_relative_uri(LOST, p) for p in (app.config.root_doc, "search"))
    body = LOST_BODY.format(start=start, search=search)
    yield LOST, {"title": "No such page", "body": body}, "page.html"


def rooted(text: str, root: str) -> str:
    """Return a page of the site's root with addresses that hold at any depth."""
    return RELATIVE.sub(rf'\1="{root}', text)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write the map of the site; make the page for those that are not there work everywhere."""
    repository: Repository | None = app.config.course_found_repository
    if exception is not None or app.builder.format != "html" or repository is None:
        return
    assert app.env is not None
    places = (f"{repository.site}{page}.html" for page in sorted(app.env.found_docs))
    lines = "\n".join(f"  <url><loc>{html.escape(place)}</loc></url>" for place in places)
    (Path(app.outdir) / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}\n</urlset>\n',
        encoding="utf-8",
    )
    path = Path(app.outdir) / f"{LOST}.html"
    text = path.read_text(encoding="utf-8")
    path.write_text(rooted(text, urlsplit(repository.site).path), encoding="utf-8")


def set_address(app: Sphinx, config: Config) -> None:
    """Give every page its canonical address, from which Sphinx makes a link."""
    repository: Repository | None = config.course_found_repository
    if repository is not None:
        config.html_baseurl = repository.site


def setup(app: Sphinx) -> None:
    """Run after course.launch has found the repository, and after the theme has made a page."""
    app.add_config_value("course_subtitle", "", "html", types=str)
    app.add_config_value("course_cards", True, "html", types=bool)
    app.connect("config-inited", set_address, priority=600)
    app.connect("html-collect-pages", lost_page)
    app.connect("html-page-context", add_head, priority=950)
    app.connect("html-page-context", add_source, priority=950)
    app.connect("build-finished", finish, priority=950)
