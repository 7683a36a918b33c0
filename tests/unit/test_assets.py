"""What is taken out of the theme's pages, however the theme writes it."""

from __future__ import annotations

import pytest
from course.assets import ICON_SCRIPT

OTHER = '<script defer src="../_static/scripts/theme.js?digest=1"></script>'


@pytest.mark.parametrize(
    "script",
    [
        '<script src="../_static/scripts/fontawesome.js?digest=2"></script>',  # pydata 0.16
        '<script defer src="../_static/scripts/fontawesome.js?digest=2"></script>',  # 0.17
        '<script src="_static/scripts/fontawesome.js" defer></script>',
    ],
)
def test_the_script_of_the_icons_goes_and_others_stay(script: str) -> None:
    assert ICON_SCRIPT.sub("", f"{OTHER}\n  {script}\n{OTHER}") == f"{OTHER}\n{OTHER}"
