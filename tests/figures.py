"""Read back from a figure's SVG, as matplotlib writes it, what was drawn: lines, ticks, texts."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
POINT = re.compile(r"[ML] (\S+) (\S+)")
POWER = re.compile(r"\$\\mathdefault\{10\^\{(.+)\}\}\$")


@dataclass
class Line:
    """A line of a plot, in the units of its axes."""

    x: list[float]
    y: list[float]

    def at(self, x: float) -> float:
        """Return y at the given x, or at the one nearest to it."""
        return min(zip(self.x, self.y, strict=True), key=lambda point: abs(point[0] - x))[1]


class Figure:
    """A figure from its SVG; texts are outlines there, each with a comment of what it says."""

    def __init__(self, svg: str):
        parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
        self.root = ET.fromstring(svg, parser)

    @cached_property
    def texts(self) -> list[str]:
        """All texts, those of axes included, in the order in which they were drawn."""
        return said(self.root)

    @cached_property
    def panels(self) -> list[ET.Element]:
        """The axes."""
        return [part for part in self.root.iter(f"{SVG}g") if name(part).startswith("axes_")]

    @property
    def plotted(self) -> bool:
        """Tell whether there are axes with numbers; a drawing has none."""
        return any(name(part) == "xtick_1" for part in self.root.iter(f"{SVG}g"))

    @cached_property
    def lines(self) -> dict[str, Line]:
        """The lines of the first panel by their names in the legend; one alone has the name ""."""
        return dict(zip(self.names, self.drawn, strict=False))  # levels and marks come after them

    @cached_property
    def levels(self) -> dict[str, float]:
        """The heights of the level lines, by what stands at them."""
        names = [
            text for part in self.panels[0] if name(part).startswith("text_") for text in said(part)
        ]
        rest = self.drawn[len(self.names) :]
        return {each: line.y[0] for each, line in zip(names, rest, strict=False)}

    @cached_property
    def names(self) -> list[str]:
        """The names in the legend."""
        legend = [part for part in self.root.iter(f"{SVG}g") if name(part).startswith("legend_")]
        return said(legend[0]) if legend else [""]

    @cached_property
    def drawn(self) -> list[Line]:
        """All lines of the first panel, in the order in which they were drawn."""
        x, y = (self.scale(axis) for axis in (1, 2))
        found = []
        for part in self.panels[0]:
            path = part.find(f"{SVG}path") if name(part).startswith("line2d_") else None
            if path is not None:
                points = [(float(a), float(b)) for a, b in POINT.findall(path.get("d", ""))]
                found.append(Line([x(a) for a, _ in points], [y(b) for _, b in points]))
        return found

    def scale(self, axis: int) -> Callable[[float], float]:
        """Return the function from a place in the drawing to the value there, of x (1) or y (2)."""
        ticks, powers = [], False
        for part in self.panels[0].iter(f"{SVG}g"):
            if re.match(rf"{'xy'[axis - 1]}tick_", name(part)) and (text := said(part)):
                mark = next(use for use in part.iter(f"{SVG}use") if use.get("xy"[axis - 1]))
                ticks.append((float(mark.get("xy"[axis - 1], "")), value(text[0])))
                powers = powers or POWER.fullmatch(text[0]) is not None
        (first, low), (middle, between), (last, high) = ticks[0], ticks[len(ticks) // 2], ticks[-1]
        straight = low + (middle - first) / (last - first) * (high - low)
        # An even axis has more than two ticks.
        logarithmic = powers or len(ticks) == 2 or abs(between - straight) > 1e-3 * (high - low)
        if logarithmic:
            low, high = math.log10(low), math.log10(high)

        def read(place: float) -> float:
            at = low + (place - first) / (last - first) * (high - low)
            return 10**at if logarithmic else at

        return read


def name(part: ET.Element) -> str:
    """Return the id of an element."""
    return part.get("id", "")


def said(part: ET.Element) -> list[str]:
    """Return the texts in an element."""
    return [(each.text or "").strip() for each in part.iter(ET.Comment)]


def value(tick: str) -> float:
    """Return the number at a tick."""
    tick = tick.replace("\N{MINUS SIGN}", "-").replace(",", "")
    power = POWER.fullmatch(tick)
    return 10 ** float(power[1]) if power else float(tick)
