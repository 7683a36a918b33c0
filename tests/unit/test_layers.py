"""The layers from scratch: the same function as torch's, and the same gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lhelpers.layers import GRU, LSTM, RNN

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


@given(T=few, B=few, D=few, H=few, with_state=st.booleans(), seed=st.integers(0, 99))
def test_gru_is_torchs(T: int, B: int, D: int, H: int, with_state: bool, seed: int) -> None:
    torch.manual_seed(seed)
    theirs = torch.nn.GRU(D, H).double()
    W_ih, W_hh, b_ih, b_hh = theirs.parameters()
    ours = GRU(D, H).double()
    with torch.no_grad():
        b_hh.uniform_(-2, 2)  # large, so that a bias in a wrong place shows
        ours.W_x.copy_(W_ih.T)
        ours.W_h.copy_(W_hh.T)
        b_rz = b_ih[: 2 * H] + b_hh[: 2 * H]
        ours.b.copy_(torch.cat([b_rz, b_ih[2 * H :], b_hh[2 * H :]]).view(4, H))
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
    gradients = torch.autograd.grad(scalar, [*variables, ours.W_x, ours.W_h, ours.b])
    *to_variables, dW_ih, dW_hh, db_ih, db_hh = torch.autograd.grad(
        scalar_expected, [*variables, W_ih, W_hh, b_ih, b_hh]
    )
    db = torch.cat([db_ih, db_hh[2 * H :]]).view(4, H)
    expected_gradients = [*to_variables, dW_ih.T, dW_hh.T, db]
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert_close(gradient, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("hidden_size", [4, 400])
def test_gru_starts_within_torchs_range(hidden_size: int) -> None:
    torch.manual_seed(0)
    for parameter in GRU(30, hidden_size).parameters():
        assert parameter.abs().max() <= hidden_size**-0.5
        if parameter.dim() == 2:
            assert parameter.abs().max() > 0.9 * hidden_size**-0.5
            assert parameter.min() < 0 < parameter.max()


@given(T=few, B=few, D=few, H=few, with_state=st.booleans(), seed=st.integers(0, 99))
def test_lstm_is_torchs(T: int, B: int, D: int, H: int, with_state: bool, seed: int) -> None:
    torch.manual_seed(seed)
    theirs = torch.nn.LSTM(D, H).double()
    W_ih, W_hh, b_ih, b_hh = theirs.parameters()
    ours = LSTM(D, H).double()
    with torch.no_grad():
        b_hh.uniform_(-2, 2)  # large, so that a gate in a wrong place shows
        ours.W_x.copy_(W_ih.T)
        ours.W_h.copy_(W_hh.T)
        ours.b.copy_((b_ih + b_hh).view(4, H))
    inputs = torch.randn(T, B, D, dtype=torch.float64, requires_grad=True)
    pair = [torch.randn(B, H, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    variables = [inputs, *pair] if with_state else [inputs]

    found, (last_H, last_C) = ours(inputs, tuple(pair) if with_state else None)
    their_pair = tuple(part.unsqueeze(0) for part in pair) if with_state else None
    expected, (their_H, their_C) = theirs(inputs, their_pair)
    ours_all, theirs_all = (found, last_H, last_C), (expected, their_H[0], their_C[0])
    assert_close = torch.testing.assert_close
    for one, other in zip(ours_all, theirs_all, strict=True):
        assert_close(one, other, rtol=0, atol=1e-10)

    weights = [torch.randn_like(one) for one in ours_all]
    scalar = sum((one * w).sum() for one, w in zip(ours_all, weights, strict=True))
    scalar_expected = sum((one * w).sum() for one, w in zip(theirs_all, weights, strict=True))
    gradients = torch.autograd.grad(scalar, [*variables, *ours.parameters()])
    *to_variables, dW_ih, dW_hh, db_ih, db_hh = torch.autograd.grad(
        scalar_expected, [*variables, W_ih, W_hh, b_ih, b_hh]
    )
    assert_close(db_ih, db_hh)
    expected_gradients = [*to_variables, dW_ih.T, dW_hh.T, db_ih.view(4, H)]
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert_close(gradient, other, rtol=0, atol=1e-10)


@given(T=st.integers(2, 6), cut=st.integers(1, 5), seed=st.integers(0, 99))
def test_lstm_goes_on_from_its_pair_of_states(T: int, cut: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, inputs, cut = LSTM(3, 4), torch.randn(T, 2, 3), min(cut, T - 1)
    whole, state = layer(inputs)
    first, between = layer(inputs[:cut])
    second, end = layer(inputs[cut:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, state)


@pytest.mark.parametrize("hidden_size", [4, 400])
def test_lstm_starts_within_torchs_range(hidden_size: int) -> None:
    torch.manual_seed(0)
    for parameter in LSTM(30, hidden_size).parameters():
        assert parameter.abs().max() <= hidden_size**-0.5
        if parameter.shape[0] > 4:
            assert parameter.abs().max() > 0.9 * hidden_size**-0.5
            assert parameter.min() < 0 < parameter.max()
