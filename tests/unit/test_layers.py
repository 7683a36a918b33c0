"""The layers from scratch: the same function as torch's, and the same gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lhelpers.layers import RNN

few = st.integers(1, 5)


@given(T=few, B=few, D=few, H=few, with_state=st.booleans(), seed=st.integers(0, 99))
def test_rnn_is_torchs(T: int, B: int, D: int, H: int, with_state: bool, seed: int) -> None:
    torch.manual_seed(seed)
    theirs = torch.nn.RNN(D, H).double()
    W_ih, W_hh, b_ih, b_hh = theirs.parameters()
    ours = RNN(D, H).double()
    with torch.no_grad():
        ours.W_xh.copy_(W_ih.T)
        ours.W_hh.copy_(W_hh.T)
        ours.b_h.copy_(b_ih + b_hh)
    inputs = torch.randn(T, B, D, dtype=torch.float64, requires_grad=True)
    state = torch.randn(B, H, dtype=torch.float64, requires_grad=True) if with_state else None
    variables = [inputs, state] if with_state else [inputs]

    found, last = ours(inputs, state)
    expected, expected_last = theirs(inputs, state.unsqueeze(0) if with_state else None)
    assert_close = torch.testing.assert_close
    assert_close(found, expected, rtol=0, atol=1e-10)
    assert_close(last, expected_last[0], rtol=0, atol=1e-10)

    weights, weights_last = torch.randn_like(found), torch.randn_like(last)
    scalar = (found * weights).sum() + (last * weights_last).sum()
    scalar_expected = (expected * weights).sum() + (expected_last[0] * weights_last).sum()
    gradients = torch.autograd.grad(scalar, [*variables, ours.W_xh, ours.W_hh, ours.b_h])
    *to_variables, dW_ih, dW_hh, db_ih, _ = torch.autograd.grad(
        scalar_expected, [*variables, W_ih, W_hh, b_ih, b_hh]
    )
    for gradient, other in zip(gradients, [*to_variables, dW_ih.T, dW_hh.T, db_ih], strict=True):
        assert_close(gradient, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("hidden_size", [4, 400])
def test_rnn_starts_within_torchs_range(hidden_size: int) -> None:
    torch.manual_seed(0)
    for parameter in RNN(30, hidden_size).parameters():
        assert parameter.abs().max() <= hidden_size**-0.5
        if parameter.dim() == 2:
            assert parameter.abs().max() > 0.9 * hidden_size**-0.5
            assert parameter.min() < 0 < parameter.max()
