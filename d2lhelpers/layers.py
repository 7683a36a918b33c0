"""Recurrent layers that a chapter builds and later chapters use.

Each stands here as its chapter shows it: a test holds the two to the same syntax tree.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2lhelpers.checks import check_positive_int


class RNN(nn.Module):
    """The simple recurrent layer (Elman 1990): H_t = tanh(X_t W_xh + H_{t-1} W_hh + b_h).

    Inputs (T, B, D) and a state (B, H), zero if None, give outputs (T, B, H) and the last
    state (B, H). Parameters start uniform in ±1/√H, as in `torch.nn.RNN`.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        check_positive_int(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_xh = nn.Parameter(torch.empty(input_size, hidden_size))
        self.W_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b_h = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        H = state
        if H is None:
            H = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        outputs = []
        for XW in inputs @ self.W_xh + self.b_h:  # (B, H) for each step
            H = torch.tanh(XW + H @ self.W_hh)
            outputs.append(H)
        return torch.stack(outputs), H
