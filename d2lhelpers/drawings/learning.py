"""How a language model learns: what it reads and predicts, and how far gradients run."""

from matplotlib.figure import Figure

from d2lhelpers.checks import check_positive_int
from d2lhelpers.drawings.primitives import (
    BOX_HEIGHT,
    GRADIENT,
    INPUT,
    MARGIN,
    NOTE_SIZE,
    OPERATOR,
    OUTPUT,
    STATE,
    add_box,
    add_frame,
    add_label,
    add_line,
    bold,
    new_canvas,
)


def draw_shifted(text: str = "ferry ") -> Figure:
    """Draw a character language model at work: characters in, the same one step later to predict.

    A column for each character but the last, which is a target only. Its state has read the
    characters so far, its output scores all symbols, and the loss compares the scores with the
    character that comes next. A space is drawn as an open box.

    Args:
        text: at least two characters; each makes the figure 0.86 inches wider.

    Raises:
        ValueError: if the text has fewer than two characters.
    """
    if len(text) < 2:
        raise ValueError(f"text is {text!r}: its characters need a next one; pass 2 or more")
    pitch, box, length, name_width, tall = 0.86, 0.56, 0.3, 0.95, BOX_HEIGHT / 2
    first, bottom = name_width + length + box / 2, MARGIN + tall
    steps = len(text) - 1
    width = first + (steps - 1) * pitch + box / 2 + length + MARGIN
    level = [bottom + 0.86 * row for row in range(4)]
    figure, axes = new_canvas(width, level[-1] + bottom)
    for y, name in zip(level, ("inputs", "states", "outputs", "targets"), strict=True):
        add_label(axes, MARGIN, y, name, NOTE_SIZE, "left")
    shown = text.replace(" ", "\N{OPEN BOX}")
    for step in range(steps):
        x, index = first + step * pitch, str(step + 1)
        if step == 0:
            add_line(axes, [(x - box / 2 - length, level[1]), (x - box / 2, level[1])], STATE)
        end = length if step == steps - 1 else pitch - box
        add_line(axes, [(x + box / 2, level[1]), (x + box / 2 + end, level[1])], STATE)
        for row, (symbol, colour) in enumerate(
            (
                (shown[step], INPUT),
                (bold("H", index), STATE),
                (bold("O", index), OUTPUT),
                (shown[step + 1], INPUT),
            )
        ):
            add_box(axes, x, level[row], symbol, colour, box)
        add_line(axes, [(x, level[0] + tall), (x, level[1] - tall)], INPUT)
        add_line(axes, [(x, level[1] + tall), (x, level[2] - tall)], OUTPUT)
        add_line(axes, [(x, level[2] + tall), (x, level[3] - tall)], OPERATOR, head=False)
    return figure


def draw_truncated(num_windows: int = 3, window: int = 3) -> Figure:
    """Draw truncated back-propagation through time: states run on, gradients stop at borders.

    The states of all windows form one chain, each computed from the one before it. Gradients
    (dashed) run back inside a window only: ``detach`` cuts the first state of a window from the
    last state of the window before (Williams and Peng, 1990, "An efficient gradient-based
    algorithm for on-line training of recurrent network trajectories").

    Args:
        num_windows: number of windows, at least 1.
        window: number of time steps in each window, at least 1.

    Raises:
        TypeError, ValueError: if an argument is not an integer, or is less than 1.
    """
    check_positive_int(num_windows=num_windows, window=window)
    box, pitch, gap, offset = 0.38, 0.58, 0.22, 0.08
    span = max((window - 1) * pitch + box + 0.16, 1.2)
    content = num_windows * (span + gap) - gap
    width = max(content + 2 * MARGIN, 3.5)
    legend, cut, bottom, below, row, top = 0.25, 0.66, 0.86, 1.1, 1.6, 2.3
    figure, axes = new_canvas(width, top + MARGIN)

    lefts = [(width - content) / 2 + k * (span + gap) for k in range(num_windows)]
    centres = [
        left + span / 2 + (i - (window - 1) / 2) * pitch for left in lefts for i in range(window)
    ]
    for k, left in enumerate(lefts):
        add_frame(axes, left, bottom, left + span, top, f"window {k + 1}")
    for step, x in enumerate(centres):
        add_box(axes, x, row, bold("H", str(step + 1)), STATE, box)
        if step == 0:
            continue
        add_line(axes, [(centres[step - 1] + box / 2, row), (x - box / 2, row)], STATE)
        under = row - BOX_HEIGHT / 2
        back = [(x - offset, under), (x - offset, below)]
        if step % window:
            before = centres[step - 1] + offset
            add_line(axes, [*back, (before, below), (before, under)], GRADIENT, dashed=True)
        else:
            border = lefts[step // window] - gap / 2
            add_line(axes, [*back, (border, below)], GRADIENT, dashed=True)
            add_line(axes, [(border, bottom), (border, row - 0.2)], OPERATOR, head=False)
            add_label(axes, border, cut, "detach", NOTE_SIZE)
    for shift, colour, name in ((-1.56, STATE, "states"), (0.14, GRADIENT, "gradients")):
        x = width / 2 + shift
        add_line(axes, [(x, legend), (x + 0.5, legend)], colour, dashed=colour is GRADIENT)
        add_label(axes, x + 0.6, legend, name, NOTE_SIZE, "left")
    return figure
