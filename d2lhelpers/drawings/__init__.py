"""Architecture figures of the course, drawn with matplotlib alone: a module for each kind.

Every function that is named here returns a new :class:`~matplotlib.figure.Figure` that pyplot does
not know of, so that after ``%matplotlib inline`` a cell that ends with one shows it exactly once.
"""

from d2lhelpers.drawings.cells import draw_gru_cell, draw_lstm_cell, draw_rnn_cell
from d2lhelpers.drawings.learning import draw_shifted, draw_truncated
from d2lhelpers.drawings.networks import (
    draw_bidirectional,
    draw_deep,
    draw_feedforward,
    draw_unrolled,
)

__all__ = [
    "draw_bidirectional",
    "draw_deep",
    "draw_feedforward",
    "draw_gru_cell",
    "draw_lstm_cell",
    "draw_rnn_cell",
    "draw_shifted",
    "draw_truncated",
    "draw_unrolled",
]
