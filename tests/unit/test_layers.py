"""The layers from scratch: the same function as torch's, and the same gradients."""

import re
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from d2lhelpers import layers
from d2lhelpers.layers import (
    GRU,
    LSTM,
    RNN,
    STEPS_AT_ONCE,
    Bidirectional,
    DeepRNN,
    WithDropout,
    reverse,
)
from d2lhelpers.model import LanguageModel

few = st.integers(1, 5)
steps = st.integers(1, 2 * STEPS_AT_ONCE + 1)
KINDS = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
kinds = st.sampled_from(sorted(KINDS, key=lambda kind: kind.__name__))


@given(T=st.integers(2, 6), cut=st.integers(1, 5), seed=st.integers(0, 99))
def test_lstm_goes_on_from_its_pair_of_states(T: int, cut: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, inputs, cut = LSTM(3, 4), torch.randn(T, 2, 3), min(cut, T - 1)
    whole, state = layer(inputs)
    first, between = layer(inputs[:cut])
    second, end = layer(inputs[cut:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, state)


def copy_to_torch(layer: nn.Module, theirs: nn.Module, end: str) -> None:
    """Copy one of our layers into those parameters of torch's whose names end like this."""
    W_x, W_h, b = layer.parameters()
    rows, blocks = b.view(-1, layer.hidden_size), W_x.shape[1] // layer.hidden_size
    with torch.no_grad():
        getattr(theirs, f"weight_ih_{end}").copy_(W_x.T)
        getattr(theirs, f"weight_hh_{end}").copy_(W_h.T)
        getattr(theirs, f"bias_ih_{end}").copy_(rows[:blocks].flatten())
        second = getattr(theirs, f"bias_hh_{end}").zero_()
        if len(rows) > blocks:  # the GRU's bias inside the reset
            second[-layer.hidden_size :] = rows[blocks]


def flat(state: object) -> list[Tensor]:
    """Return the tensors of nested states, each as rows of H."""
    if isinstance(state, Tensor):
        return list(state) if state.dim() == 3 else [state]
    parts = [flat(part) for part in state]
    return [tensor for part in parts for tensor in part]


def assert_same(
    ours: nn.Module,
    theirs: nn.Module,
    names: list[str],
    inputs: Tensor,
    start: Sequence[Tensor] = (),
) -> None:
    """Hold outputs, states, and the gradients by inputs, a first state and parameters together."""
    layers = [m for m in ours.modules() if type(m) in KINDS]
    for layer, name in zip(layers, names, strict=True):
        copy_to_torch(layer, theirs, name)
    state, their_state = start, [part[None] for part in start]
    if len(start) < 2:  # the LSTM alone has a pair
        state, their_state = (next(iter(parts), None) for parts in (state, their_state))
    found, states = ours(inputs, state)
    expected, their_states = theirs(inputs, their_state)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    # torch has all H and then all C, ours the pair of each layer
    if isinstance(their_states, tuple):
        their_states = [pair for both in zip(*their_states, strict=True) for pair in both]
    last, their_last = flat(states), list(their_states)
    for one, other in zip(last, their_last, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    weights = [torch.randn_like(part) for part in (found, *last)]
    scalars = [
        sum((part * w).sum() for part, w in zip(parts, weights, strict=True))
        for parts in ((found, *last), (expected, *their_last))
    ]
    wanted = [[inputs, *start], [inputs, *start]]
    for layer, name in zip(layers, names, strict=True):
        wanted[0] += layer.parameters()
        wanted[1] += [
            getattr(theirs, f"{kind}_{name}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
    ours_all, theirs_all = (
        iter(torch.autograd.grad(scalar, variables))
        for scalar, variables in zip(scalars, wanted, strict=True)
    )
    for _ in (inputs, *start):
        torch.testing.assert_close(next(ours_all), next(theirs_all), rtol=0, atol=1e-10)
    for _ in layers:
        dW_x, dW_h, db = (next(ours_all) for _ in range(3))
        dW_ih, dW_hh, db_ih, db_hh = (next(theirs_all) for _ in range(4))
        inside = db.numel() - len(db_ih)  # the GRU's bias inside the reset
        both = torch.cat([db_ih, db_hh[len(db_hh) - inside :]]).view_as(db)
        for gradient, other in ((dW_x, dW_ih.T), (dW_h, dW_hh.T), (db, both)):
            torch.testing.assert_close(gradient, other, rtol=0, atol=1e-10)


@every_kind
@given(T=steps, B=few, D=few, H=few, with_state=st.booleans(), seed=st.integers(0, 99))
def test_a_layer_is_torchs(kind, T: int, B: int, D: int, H: int, with_state: bool, seed) -> None:
    torch.manual_seed(seed)
    ours, theirs = kind(D, H).double(), KINDS[kind](D, H).double()
    with torch.no_grad():  # large, so that a bias or a gate in a wrong place shows
        list(ours.parameters())[-1].uniform_(-2, 2)
    shapes = [(T, B, D), *[(B, H)] * (with_state * (2 if kind is LSTM else 1))]
    inputs, *start = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes)
    assert_same(ours, theirs, ["l0"], inputs, start)


@every_kind
@pytest.mark.parametrize("hidden_size", [4, 400])
def test_a_layer_starts_within_torchs_range(kind, hidden_size: int) -> None:
    torch.manual_seed(0)
    for parameter in kind(30, hidden_size).parameters():
        assert parameter.abs().max() <= hidden_size**-0.5
        if parameter.numel() >= 100:  # else chance may leave a part of the range out
            assert parameter.abs().max() > 0.9 * hidden_size**-0.5
            assert parameter.min() < 0 < parameter.max()


@given(kind=kinds, L=st.integers(1, 4), T=few, B=few, D=few, H=few, seed=st.integers(0, 99))
def test_deep_is_torchs(kind, L: int, T: int, B: int, D: int, H: int, seed: int) -> None:
    torch.manual_seed(seed)
    ours = DeepRNN([kind(D if n == 0 else H, H) for n in range(L)]).double()
    theirs = KINDS[kind](D, H, num_layers=L).double()
    inputs = torch.randn(T, B, D, dtype=torch.float64, requires_grad=True)
    assert_same(ours, theirs, [f"l{n}" for n in range(L)], inputs)


@given(kind=kinds, L=st.integers(1, 3), T=few, B=few, D=few, H=few, seed=st.integers(0, 99))
def test_deep_bidirectional_is_torchs(kind, L, T: int, B: int, D: int, H: int, seed: int) -> None:
    torch.manual_seed(seed)
    sizes = [D if n == 0 else 2 * H for n in range(L)]
    ours = DeepRNN([Bidirectional(kind(size, H), kind(size, H)) for size in sizes]).double()
    theirs = KINDS[kind](D, H, num_layers=L, bidirectional=True).double()
    inputs = torch.randn(T, B, D, dtype=torch.float64, requires_grad=True)
    names = [f"l{n}{way}" for n in range(L) for way in ("", "_reverse")]
    assert_same(ours, theirs, names, inputs)


@given(kind=kinds, T=few, B=few, D=few, H=few, seed=st.integers(0, 99))
def test_bidirectional_reads_each_column_to_its_length(kind, T, B, D, H, seed: int) -> None:
    torch.manual_seed(seed)
    ours = Bidirectional(kind(D, H), kind(D, H)).double()
    theirs = KINDS[kind](D, H, bidirectional=True).double()
    for layer, way in ((ours.forward_layer, ""), (ours.backward_layer, "_reverse")):
        copy_to_torch(layer, theirs, f"l0{way}")
    inputs, lengths = torch.randn(T, B, D, dtype=torch.float64), torch.randint(1, T + 1, (B,))
    packed, _ = theirs(pack_padded_sequence(inputs, lengths, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, total_length=T)
    real = torch.arange(T)[:, None] < lengths
    found, _ = ours(inputs, lengths=lengths)
    torch.testing.assert_close(found[real], expected[real], rtol=0, atol=1e-10)
    noise = torch.where(real[..., None], inputs, 1e6 * torch.randn_like(inputs))
    assert torch.equal(ours(noise, lengths=lengths)[0][real], found[real])


@given(T=few, B=few, seed=st.integers(0, 99))
def test_reversing_twice_changes_nothing_and_leaves_padding(T: int, B: int, seed: int) -> None:
    torch.manual_seed(seed)
    inputs, lengths = torch.randn(T, B, 2), torch.randint(1, T + 1, (B,))
    once = reverse(inputs, lengths)
    assert torch.equal(reverse(once, lengths), inputs)
    for b, length in enumerate(lengths):
        assert torch.equal(once[:length, b], inputs[:length, b].flip(0))
        assert torch.equal(once[length:, b], inputs[length:, b])


@given(T=st.integers(2, 6), cut=st.integers(1, 5), seed=st.integers(0, 99))
def test_deep_goes_on_from_the_states_of_mixed_layers(T: int, cut: int, seed: int) -> None:
    torch.manual_seed(seed)
    stack = DeepRNN([RNN(3, 4), LSTM(4, 2), nn.GRU(2, 5)])
    inputs, cut = torch.randn(T, 2, 3), min(cut, T - 1)
    whole, _ = stack(inputs)
    first, between = stack(inputs[:cut])
    second, _ = stack(inputs[cut:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    assert (stack.input_size, stack.hidden_size) == (3, 5)


def test_dropout_acts_between_layers_in_training_only() -> None:
    torch.manual_seed(0)
    stack, inputs, seen = DeepRNN([RNN(3, 50), RNN(50, 50)], dropout=0.5), torch.randn(9, 8, 3), []
    stack.layers[1].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    outputs, _ = stack(inputs)
    assert (outputs != 0).all(), "the last layer's outputs are not dropped"
    assert 0.45 < (seen[0] == 0).double().mean() < 0.55
    assert not torch.equal(seen[0][0] == 0, seen[0][1] == 0), "a new mask at each step"
    stack.eval()
    assert torch.equal(stack(inputs)[0], stack(inputs)[0])
    assert (seen[-1] != 0).all()


def test_dropout_leaves_the_inputs_of_a_stack_alone() -> None:
    stack, inputs, seen = DeepRNN([RNN(3, 5), RNN(5, 5)], dropout=0.5), torch.randn(9, 8, 3), []
    stack.layers[0].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    stack(inputs)
    assert torch.equal(seen[0], inputs)


def test_sizes_fit_a_language_model() -> None:
    layer = DeepRNN([Bidirectional(nn.LSTM(4, 3), GRU(4, 2)), RNN(5, 6)])
    logits, _ = LanguageModel(layer, 9)(torch.zeros(7, 2, dtype=torch.int64))
    assert logits.shape == (7, 2, 9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DeepRNN([]), "layers is empty: a stack needs at least one layer"),
        (
            lambda: DeepRNN([RNN(2, 3), RNN(4, 3)]),
            "layers[0] has 3 outputs, layers[1] takes 4 inputs: make the two equal",
        ),
        (lambda: Bidirectional(RNN(2, 3), RNN(3, 3)), "the layers take 2 and 3 inputs: both read"),
        (lambda: both(torch.tensor([1, 2])), "lengths is torch.int64 of shape (2,): pass 3 int"),
        (lambda: both(torch.ones(3)), "lengths is torch.float32 of shape (3,): pass 3 integers"),
        (lambda: both(torch.tensor([1, 0, 4])), "lengths go from 0 to 4: each must be from 1 to 4"),
        (lambda: both(torch.tensor([1, 5, 4])), "lengths go from 1 to 5: each must be from 1 to 4"),
    ],
)
def test_errors_name_input_rule_and_fix(call, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()


def both(lengths: Tensor) -> object:
    return Bidirectional(RNN(2, 3), RNN(2, 3))(torch.randn(4, 3, 2), lengths=lengths)


@pytest.mark.parametrize("layer", [RNN(40, 50), LSTM(40, 50), nn.GRU(40, 50)])
def test_dropout_on_inputs_and_outputs_and_not_along_time(layer: nn.Module) -> None:
    torch.manual_seed(0)
    dropped = WithDropout(layer, 0.5)
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    inputs = torch.randn(20, 4, 40)
    outputs, state = dropped(inputs)
    handle.remove()
    kept = seen[0] != 0
    assert 0.45 < kept.float().mean() < 0.55
    torch.testing.assert_close(seen[0][kept], 2 * inputs[kept])
    expected, expected_state = layer(seen[0])
    kept = outputs != 0
    assert 0.45 < kept.float().mean() < 0.55
    torch.testing.assert_close(outputs[kept], 2 * expected[kept])
    torch.testing.assert_close(state, expected_state)
    torch.testing.assert_close(dropped.eval()(inputs), layer(inputs))
    assert LanguageModel(dropped, 5)(torch.zeros(3, 2, dtype=torch.int64))[0].shape == (3, 2, 5)


@every_kind
def test_autocast_rounds_the_products_and_not_what_they_are_added_to(
    kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, inputs = kind(8, 8), torch.randn(12, 4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = layer(inputs)
        monkeypatch.setattr(layers, "add_product", lambda XW, H, W: XW + H @ W)
        expected, _ = layer(inputs)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
