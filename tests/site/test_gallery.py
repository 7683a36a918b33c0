"""Every figure, as it is seen: on a phone, in both themes."""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from playwright.sync_api import BrowserContext
from visits import OTHERS, ROOT, lay_out, one_at_a_time, without

PHONE = 390
LEAST_LETTERS = 11.0  # pixels; of what stands on the line, an index below it is smaller
FIGURES = {"rnn": 8, "gru": 8, "lstm": 8, "deep-rnn": 7, "bidirectional-rnn": 6}
CHAPTERS = [f"book/{name}.html" for name in FIGURES]


def letters(drawing: str) -> set[float]:
    """Return the sizes of the letters of a drawing by matplotlib, in the drawing's own units.

    Each text is a group that is shifted and scaled, by a hundredth of its size; what is an index
    in a formula is scaled once more, further inside.
    """
    return {100 * float(scale) for scale in re.findall(r"scale\(([\d.]+) -[\d.]+\)", drawing)}


def contrast(pixels: np.ndarray) -> float:
    """Return the contrast (WCAG 2) of the ink that stands out most to the ground of an image."""
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    light = linear @ [0.2126, 0.7152, 0.0722]
    ground = np.median(np.concatenate([light[0], light[-1]]))
    return float(
        max((light.max() + 0.05) / (ground + 0.05), (ground + 0.05) / (light.min() + 0.05))
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", one_at_a_time(CHAPTERS))
def test_every_figure_can_be_read(
    context: BrowserContext, server: str, path: str, theme: str
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.goto(server + path)
    lay_out(page)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    figures = page.locator("article figure img")
    seen = set()
    with without(page, OTHERS, "article figure img"):
        for image in figures.all():
            image.scroll_into_view_if_needed()
            image.evaluate("image => image.decode()")
            source = str(image.get_attribute("src"))
            picture = image.screenshot(animations="disabled")
            pixels = matplotlib.image.imread(io.BytesIO(picture))[..., :3]
            assert contrast(pixels) > 7, f"{source} can hardly be seen in the {theme} theme"
            seen.add(picture)
            box = image.bounding_box()
            file = Path(ROOT, "_build/html/book", source)
            if file.suffix == ".svg" and box:
                drawing = file.read_text(encoding="utf-8")
                width = float(re.search(r'viewBox="0 0 ([\d.]+)', drawing)[1])  # type: ignore[index]
                smallest = (
                    min(letters(drawing), default=LEAST_LETTERS * width) * box["width"] / width
                )
                assert smallest >= LEAST_LETTERS, f"letters of {smallest:.1f} pixels in {source}"
        assert len(seen) == figures.count(), "two figures look the same"
    assert len(seen) >= FIGURES[Path(path).stem]
