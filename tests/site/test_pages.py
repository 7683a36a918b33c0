"""Every page of the site, as a reader's browser shows it."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from docutils import nodes
from fontTools.ttLib import TTFont
from playwright.sync_api import BrowserContext, Page
from visits import (
    COLOURS,
    ROOT,
    Visit,
    Windows,
    chapters,
    lay_out,
    open_and_watch,
    open_page,
    until,
    without,
)

PHONES = (360, 390)
# Before a reader scrolls: requests, and compressed bytes. The theme and the extensions by
# themselves would load 39 files with 3,900,000 bytes, 1,490,000 of them a script for icons.
MOST_REQUESTS = 20
MOST_BYTES = 250_000
LARGEST_SHIFT = 0.02


def name_of(visit: Visit, server: str) -> str:
    """Return the name of a page as Sphinx has it."""
    return visit.url.removeprefix(server).removesuffix(".html")


def test_loads_without_complaint(visit: Visit, server: str) -> None:
    assert visit.messages == []
    assert visit.failed == []
    assert [url for url in visit.sizes if not url.startswith(server)] == []


@pytest.mark.parametrize("path", chapters())
def test_loads_from_a_folder(context: BrowserContext, site: Path, path: str) -> None:
    visit = open_page(context, (site / path).as_uri())
    assert visit.failed == []
    assert visit.messages == []
    assert visit.page.locator("h1:visible").count() == 1


@pytest.mark.parametrize("width", [PHONES[1], 1280])
def test_is_light(windows: Windows, visit: Visit, width: int) -> None:
    shifts = [visit.shift] if width == 1280 else []
    # The best of three: beside other tests, a page may be painted before its fonts are there.
    while not shifts or (len(shifts) < 3 and shifts[-1] > LARGEST_SHIFT):
        with windows.new_reader(viewport={"width": width, "height": 844}) as context:
            opened = open_and_watch(context, visit.url)
        largest = sorted(opened.sizes.items(), key=lambda file: -file[1])[:5]
        assert sum(opened.sizes.values()) <= MOST_BYTES, largest
        assert len(opened.sizes) <= MOST_REQUESTS, list(opened.sizes)
        shifts.append(opened.shift)
    assert shifts[-1] <= LARGEST_SHIFT, shifts


def test_nothing_holds_up_the_first_paint(visit: Visit) -> None:
    waiting = visit.page.evaluate(
        """() => performance.getEntriesByType("resource")
          .filter(e => e.renderBlockingStatus === "blocking")
          .map(e => e.name.split("/").pop().split("?")[0]).sort()"""
    )
    assert waiting == ["mode.js", "site.css"]
    assert visit.page.evaluate("document.styleSheets.length") == 1


def test_text_and_code_have_one_right_edge(visit: Visit) -> None:
    edges = visit.page.evaluate(
        """() => [...document.querySelectorAll(
          "article > section > p, article > section > section > :is(p, div.cell, figure, form)"
        )].filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().right)"""
    )
    assert edges or visit.url.endswith(("search.html", "404.html"))
    assert max(edges, default=0) - min(edges, default=0) < 1


def test_images_have_their_place(visit: Visit) -> None:
    for image in visit.page.evaluate(
        """() => [...document.querySelectorAll("article img")].map(e => ({
          file: e.src.split("/").pop(), width: e.getAttribute("width"),
          height: e.getAttribute("height"), loading: e.loading,
          far: e.getBoundingClientRect().top + scrollY > 3000,
        }))"""
    ):
        assert int(image["width"]) > 0, image
        assert int(image["height"]) > 0, image
        assert image["loading"] == "lazy" or not image["far"], image


def test_no_word_of_code_is_an_element_for_nothing(visit: Visit) -> None:
    plain = visit.page.evaluate(
        """() => [...document.querySelectorAll("pre span[class]")].filter(e => {
          if (e.matches(".long, .printed")) return false;
          const [own, around] = [getComputedStyle(e), getComputedStyle(e.parentElement)];
          return ["color", "fontWeight", "fontStyle", "backgroundColor", "textDecorationLine"]
            .every(name => own[name] === around[name]);
        }).map(e => e.className)"""
    )
    assert set(plain) - {"w"} == set()


def test_equations_are_typeset(visit: Visit, server: str, site: Path, page: Page) -> None:
    # Folded text has no size: open it.
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    text = page.evaluate(
        """() => {
          const copy = document.querySelector("main").cloneNode(true);
          copy.querySelectorAll("pre, code, .katex, script").forEach(e => e.remove());
          return copy.textContent;
        }"""
    )
    for sign in ("$", r"\(", r"\[", r"\math", r"\frac", r"\tag", r"\label"):
        assert sign not in text, f"{sign} in the text: a formula that is not one?"
    assert page.locator(".katex-error").count() == 0
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("article .katex")].map(e => {
          const box = e.querySelector(".katex-html").getBoundingClientRect();
          return [box.width, box.height, e.querySelector("annotation").textContent];
        })"""
    )
    assert [tex for width, height, tex in boxes if not width or not height] == []
    doctree = site.parent / ".doctrees" / f"{name_of(visit, server)}.doctree"
    if doctree.is_file():
        tree = pickle.loads(doctree.read_bytes())
        formulas = list(tree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)))
        assert len(boxes) == len(formulas)


def test_formulas_keep_their_punctuation(page: Page) -> None:
    page.set_viewport_size({"width": PHONES[0], "height": 800})
    split = page.evaluate(
        """() => [...document.querySelectorAll("article .nobreak")].filter(piece => {
          const parts = [...piece.querySelectorAll(".base"), ...piece.childNodes].map(part => {
            const range = document.createRange();
            range.selectNode(part);
            return range.getBoundingClientRect();
          }).filter(box => box.height);
          // In one line all parts have some height in common.
          return Math.max(...parts.map(b => b.top)) > Math.min(...parts.map(b => b.bottom));
        }).map(piece => piece.textContent)"""
    )
    assert split == []


def test_figures_are_described_and_fit(visit: Visit, page: Page) -> None:
    page.evaluate(
        """() => Promise.all([...document.querySelectorAll("main article img")].map(e => {
          e.loading = "eager";
          return e.decode();
        }))"""
    )
    for width in (1280, *PHONES):
        page.set_viewport_size({"width": width, "height": 900})
        for figure in page.evaluate(
            """() => [...document.querySelectorAll("main article img")].map(e => ({
              alt: e.alt, file: e.src.split("/").pop(), loaded: e.complete && e.naturalWidth,
              width: e.getBoundingClientRect().width,
              room: e.parentElement.getBoundingClientRect().width,
            }))"""
        ):
            assert len(figure["alt"]) >= 20, f"{figure['file']} has no description: {figure}"
            assert figure["alt"] not in (figure["file"], figure["file"].split(".")[0])
            assert figure["loaded"], figure
            assert figure["width"] <= figure["room"] + 1, figure


def test_outputs_are_shown(visit: Visit, server: str, site: Path) -> None:
    notebook = site / "notebooks" / f"{name_of(visit, server).split('/')[-1]}.ipynb"
    if not notebook.is_file():
        assert visit.page.locator("div.cell").count() == 0, "a page with code has no notebook"
        return
    hidden = {"remove-output", "remove-cell", "remove_output", "remove_cell"}
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    expected = sum(
        bool(cell.get("outputs")) and not hidden.intersection(cell["metadata"].get("tags", []))
        for cell in cells
    )
    shown = visit.page.evaluate(
        """() => [...document.querySelectorAll("div.cell > .cell_output, div.cell .cell_output")]
          .filter(e => e.textContent.trim() || e.querySelector("img, svg, table")).length"""
    )
    assert shown == expected


def test_headings_are_in_order(visit: Visit) -> None:
    levels = visit.page.evaluate(
        """() => [...document.querySelectorAll("main :is(h1,h2,h3,h4,h5,h6)")]
          .filter(e => e.checkVisibility()).map(e => +e.tagName[1])"""
    )
    assert levels[:1] == [1]
    assert levels.count(1) == 1
    assert all(lower <= upper + 1 for upper, lower in pairwise(levels))


def violations(page: Page, **options: Any) -> list[str]:
    """Return what axe finds, as a list to be read."""
    context = options.pop("context", None)
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]} | options)
    return [
        f"{v['id']} ({v['impact']}): {v['help']}\n  " + "\n  ".join(n["html"] for n in v["nodes"])
        for v in found.response["violations"]
    ]


def test_is_accessible(page: Page) -> None:
    rules = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    colours = {rule: {"enabled": False} for rule in COLOURS["runOnly"]["values"]}
    found = violations(page, runOnly=rules, rules=colours)
    assert not found, "\n".join(found)


# What of an article need not be looked at, for it looks like what is: a page has a thousand lines
# and words of code in a few dozen colours, and axe takes milliseconds for each. A look is all that
# its verdict depends on.
KNOWN = """() => {
  const above = new Map([[null, ["", 1]]]);  // by element: the grounds below it, and its opacity
  const around = e => {
    if (!above.has(e)) {
      const s = getComputedStyle(e), [grounds, opacity] = around(e.parentElement);
      const own = s.backgroundColor === "rgba(0, 0, 0, 0)" ? "" : s.backgroundColor;
      above.set(e, [grounds + own + (s.backgroundImage === "none" ? "" : s.backgroundImage),
        opacity * s.opacity]);
    }
    return above.get(e);
  };
  const looks = new Map([...document.querySelectorAll("article *")].map(e => {
    const s = getComputedStyle(e), link = e.closest("a");
    return [e, [s.color, s.fontWeight, s.fontSize, s.textShadow, s.textDecorationLine, s.position,
      e.checkVisibility({visibilityProperty: true}),
      link && getComputedStyle(link.parentElement).color, ...around(e)].join()];
  }));
  const known = new Set(), found = [];
  const walk = e => {
    const parts = [e, ...e.querySelectorAll("*")];
    if (parts.every(part => known.has(looks.get(part)))) return found.push(e);
    known.add(looks.get(e));
    for (const part of e.children) walk(part);
  };
  for (const e of document.querySelectorAll("article > *")) walk(e);
  return found;
}"""


def faint(page: Page, mode: str) -> list[str]:
    """Return what axe finds about the colours of a page in a mode."""
    # Without transitions, so that no colour is on its way from the one mode to the other.
    page.emulate_media(color_scheme=mode, reduced_motion="reduce")  # type: ignore[arg-type]
    until(page, f"document.documentElement.dataset.theme === '{mode}'")
    with without(page, KNOWN):
        return violations(page, **COLOURS)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_are_told_apart(page: Page, mode: str) -> None:
    assert not (found := faint(page, mode)), "\n".join(found)


@pytest.mark.parametrize(("mode", "colour"), [("light", "#888"), ("dark", "#666")])
def test_a_faint_colour_is_noticed(
    context: BrowserContext, server: str, mode: str, colour: str
) -> None:
    for path, places in {"notation": ("p", "td"), "running": ("pre",)}.items():
        page = open_page(context, f"{server}book/{path}.html").page
        for place in places:
            page.locator(f"article {place}:visible").last.evaluate(
                "(e, colour) => { e.innerHTML += `<span style='color: ${colour}'>faint</span>` }",
                colour,
            )
        found = "\n".join(faint(page, mode))
        assert found.count(">faint<") == len(places), found


def test_numbers_keep_their_per_cent(page: Page) -> None:
    parted = page.evaluate(
        """() => [...document.querySelectorAll("article :is(p, li, dd, td, figcaption)")]
          .flatMap(e => [...e.childNodes]).filter(node => node.nodeType === Node.TEXT_NODE)
          .map(node => node.data).filter(text => /\\d %/.test(text))"""
    )
    assert parted == []


@pytest.mark.parametrize("width", PHONES)
def test_fits_a_phone(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nor is anything cut off: what is too wide is in a box of its own that scrolls.
    lost = page.evaluate(
        """() => {
          const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX)
            || scrolls(e.parentElement));
          return [...document.querySelectorAll("article *")].filter(e =>
            e.checkVisibility({visibilityProperty: true})
            && e.getBoundingClientRect().right > innerWidth + 1
            && !e.closest(".katex-mathml, .katex .hide-tail") && !scrolls(e.parentElement)
          ).map(e => e.outerHTML.slice(0, 120));
        }"""
    )
    assert lost == []
    # No equation has to scroll.
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    cut = page.evaluate(
        """() => [...document.querySelectorAll("article .katex-display")]
          .filter(e => e.scrollWidth > e.clientWidth + 1)
          .map(e => e.querySelector("annotation").textContent)"""
    )
    assert cut == []


FROM_THE_TOP = """() => {
  document.adoptedStyleSheets = [];  // a section is laid out when it comes near, as for a reader
  scrollTo(0, 0);
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""


def test_keyboard_sees_where_it_is(page: Page) -> None:
    page.evaluate(FROM_THE_TOP)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"
    seen: list[str] = []
    for _ in range(400):
        state: dict[str, Any] = page.evaluate(
            """() => {
              const e = document.activeElement;
              const box = e.getBoundingClientRect();
              const marked = e => {
                const s = e && getComputedStyle(e);
                return s && (s.boxShadow !== "none"
                  || s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0);
              };
              return {
                end: e === document.body, html: e.outerHTML.slice(0, 150),
                marked: [e, e.querySelector(".toctree-toggle"), e.closest(".bd-search")]
                  .some(marked),
                size: box.width * box.height,
              };
            }"""
        )
        if state["end"]:
            break
        assert state["marked"], f"no sign of the focus on {state['html']}"
        assert state["size"] > 0, f"the focus is on something invisible: {state['html']}"
        seen.append(state["html"])
        page.keyboard.press("Tab")
    assert len(seen) >= 10
    assert len(seen) < 400, "the keyboard does not come to the end"
    lay_out(page)


# What the page shows in the icons' fonts: the sign, and the weight by which the font is chosen.
ICONS = """() => {
  const found = [];
  for (const e of document.querySelectorAll("*")) {
    for (const part of ["::before", "::after"]) {
      const style = getComputedStyle(e, part);
      if (!style.fontFamily.includes("Font Awesome")) continue;
      const sign = style.content.replaceAll('"', "");
      const named = /(^|\\s)fa-/.test(e.className) && part === "::before";
      if (sign !== "none" || named)
        found.push([e.className, sign, style.fontFamily.includes("Brands"), style.fontWeight]);
    }
  }
  return found;
}"""


def missing_icons(page: Page, site: Path) -> list[str]:
    """Return the classes of the icons on a page for which the site has no drawing."""
    fonts = site / "_static" / "vendor" / "fontawesome" / "webfonts"
    missing = []
    for classes, sign, brand, weight in page.evaluate(ICONS):
        name = "brands-400" if brand else "solid-900" if weight == "900" else "regular-400"
        font = TTFont(fonts / f"fa-{name}.woff")
        if len(sign) != 1 or ord(sign) not in font.getBestCmap():
            missing.append(classes)
    return missing


def test_has_every_icon_that_it_uses(visit: Visit, site: Path) -> None:
    assert missing_icons(visit.page, site) == []
    assert visit.page.locator("[class*='fa-']").count() > 5


def test_motion_can_be_switched_off(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(e => {
          const s = getComputedStyle(e);
          return parseFloat(s.transitionDuration) || parseFloat(s.animationDuration);
        }).map(e => e.outerHTML.slice(0, 100))"""
    )
    assert moving == []


def test_pages_are_those_of_the_contents() -> None:
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for path in chapters():
        assert path.removesuffix(".html") in contents
