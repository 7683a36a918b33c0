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


class GRU(nn.Module):
    """Gated recurrent units (Cho et al. 2014), reset after the product as in `torch.nn.GRU`.

    R_t = sigmoid(X_t W_xr + H_{t-1} W_hr + b_r), Z_t likewise, and H_t = Z_t H_{t-1} +
    (1 - Z_t) tanh(X_t W_xh + R_t (H_{t-1} W_hh + b_hh) + b_h). The columns of `W_x` and `W_h` are
    those for R, for Z and for the candidate, the rows of `b` are b_r, b_z, b_h and b_hh; interface
    and start as of `RNN`.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        check_positive_int(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        D, H, a = input_size, hidden_size, hidden_size**-0.5
        self.W_x = nn.Parameter(torch.empty(D, 3 * H).uniform_(-a, a))
        self.W_h = nn.Parameter(torch.empty(H, 3 * H).uniform_(-a, a))
        self.b = nn.Parameter(torch.empty(4, H).uniform_(-a, a))

    def gates(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(r), torch.sigmoid(z)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        H = state
        if H is None:
            H = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        outputs, b_hh = [], self.b[3]
        for XW in inputs @ self.W_x + self.b[:3].flatten():  # (B, 3H)
            X_r, X_z, X_h = XW.chunk(3, dim=1)  # (B, H) each
            H_r, H_z, H_h = (H @ self.W_h).chunk(3, dim=1)
            R, Z = self.gates(X_r + H_r, X_z + H_z)
            candidate = torch.tanh(X_h + R * (H_h + b_hh))
            H = torch.lerp(candidate, H, Z)  # (1 - Z) candidate + Z H
            outputs.append(H)
        return torch.stack(outputs), H


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gate (Gers et al. 2000).

    With I_t = sigmoid(X_t W_xi + H_{t-1} W_hi + b_i), F_t and O_t likewise, the memory is
    C_t = F_t C_{t-1} + I_t tanh(X_t W_xc + H_{t-1} W_hc + b_c) and H_t = O_t tanh(C_t). The
    columns of `W_x` and `W_h` and the rows of `b` are those for I, F, the candidate and O, in the
    order of `torch.nn.LSTM`. Interface and start as of `RNN`, but the state is the pair (H, C).
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        check_positive_int(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        D, H, a = input_size, hidden_size, hidden_size**-0.5
        self.W_x = nn.Parameter(torch.empty(D, 4 * H).uniform_(-a, a))
        self.W_h = nn.Parameter(torch.empty(H, 4 * H).uniform_(-a, a))
        self.b = nn.Parameter(torch.empty(4, H).uniform_(-a, a))

    def gates(self, i: Tensor, f: Tensor, o: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if state is None:
            zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
            state = zeros, zeros
        H, C = state  # (B, H) each
        outputs = []
        for XW in inputs @ self.W_x + self.b.flatten():  # (B, 4H)
            i, f, c, o = (XW + H @ self.W_h).chunk(4, dim=1)  # (B, H) each
            I_t, F_t, O_t = self.gates(i, f, o)
            C = F_t * C + I_t * torch.tanh(c)
            H = O_t * torch.tanh(C)
            outputs.append(H)
        return torch.stack(outputs), (H, C)
