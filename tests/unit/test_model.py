"""The language model: any recurrent layer, ours or torch's, fits in."""

import pytest
import torch
from torch import nn

from d2lhelpers.layers import RNN
from d2lhelpers.model import LanguageModel, detach, layer_sizes

T, B, D, H, V = 7, 3, 5, 6, 11
LAYERS = {  # class, options, size of the outputs, shapes of the state
    "ours": (RNN, {}, H, [(B, H)]),
    "RNN": (nn.RNN, {}, H, [(1, B, H)]),
    "GRU": (nn.GRU, {}, H, [(1, B, H)]),
    "LSTM": (nn.LSTM, {}, H, [(1, B, H), (1, B, H)]),
    "projection": (nn.LSTM, {"proj_size": 2}, 2, [(1, B, 2), (1, B, H)]),
    "deep": (nn.LSTM, {"num_layers": 2}, H, [(2, B, H), (2, B, H)]),
    "bidirectional": (nn.GRU, {"bidirectional": True}, 2 * H, [(2, B, H)]),
    "deep, bidirectional": (nn.RNN, {"num_layers": 2, "bidirectional": True}, 2 * H, [(4, B, H)]),
}
every_layer = pytest.mark.parametrize(
    ("kind", "options", "outputs", "shapes"), LAYERS.values(), ids=LAYERS
)
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # is slower


@every_layer
def test_logits_and_state_have_their_shapes(kind, options, outputs, shapes) -> None:
    layer = kind(D, H, **options)
    assert layer_sizes(layer) == (D, outputs)
    model = LanguageModel(layer, V)
    logits, state = model(torch.randint(V, (T, B)))
    assert logits.shape == (T, B, V)
    assert [part.shape for part in (state if isinstance(state, tuple) else [state])] == shapes
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@every_layer
def test_state_carries_on_where_a_window_ended(kind, options, outputs, shapes) -> None:
    model = LanguageModel(kind(D, H, **options), V).double()
    tokens = torch.randint(V, (T, B))
    whole, _ = model(tokens)
    first, state = model(tokens[:3])
    second, _ = model(tokens[3:], state)
    same = torch.allclose(whole, torch.cat([first, second]), rtol=0, atol=1e-12)
    assert same != ("bidirectional" in options)  # whose window ends where the future is cut off


def test_layer_must_tell_its_sizes() -> None:
    with pytest.raises(
        TypeError, match=r"Linear has no input_size .*: .* must tell both; set them"
    ):
        LanguageModel(nn.Linear(D, H), V)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_time_comes_first(kind: type[nn.RNNBase]) -> None:
    with pytest.raises(ValueError, match=r"batch_first=True: time comes first here, .*; leave it"):
        LanguageModel(kind(D, H, batch_first=True), V)


@pytest.mark.parametrize("name", ["input_size", "hidden_size"])
def test_layer_sizes_must_be_positive(name: str) -> None:
    layer = RNN(D, H)
    setattr(layer, name, 0)
    with pytest.raises(ValueError, match=f"{name} is 0: it must be positive; pass"):
        LanguageModel(layer, V)


def test_detach_cuts_every_tensor_and_keeps_the_rest() -> None:
    leaf = torch.randn(2, 3, requires_grad=True)
    state = [leaf * 2, (leaf * 3, None, [leaf * 4])]
    cut = detach(state)
    assert isinstance(cut, list)
    assert isinstance(cut[1], tuple)
    assert cut[1][1] is None
    assert isinstance(cut[1][2], list)
    for part, factor in ((cut[0], 2), (cut[1][0], 3), (cut[1][2][0], 4)):
        assert torch.equal(part, leaf * factor)
        assert not part.requires_grad
    assert state[0].requires_grad  # the original is as it was
    assert detach(None) is None


@pytest.mark.parametrize("kind", [RNN, nn.LSTM])
def test_no_gradient_flows_through_a_detached_state(kind: type[nn.Module]) -> None:
    layer = kind(D, H)
    early, late = (torch.randn(T, B, D, requires_grad=True) for _ in range(2))
    _, state = layer(early)
    outputs, _ = layer(late, detach(state))
    outputs.sum().backward()
    assert early.grad is None
    assert late.grad is not None
