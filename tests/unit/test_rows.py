"""A table of embeddings is multiplied in place of its rows: the same function, for less work."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from d2lhelpers import rows
from d2lhelpers.layers import GRU, LSTM, RNN, Bidirectional, DeepRNN, WithDropout
from d2lhelpers.model import LanguageModel
from d2lhelpers.rows import OFTEN, Rows, look_up

T, B, D, H, V = 6, 6, 5, 4, 9  # each symbol is read often enough, on average
assert T * B == OFTEN * V
READERS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: RNN(D, H),
    "GRU": lambda: GRU(D, H),
    "LSTM": lambda: LSTM(D, H),
    "stack": lambda: DeepRNN([LSTM(D, H), nn.GRU(H, H), RNN(H, H)]),
    "stack on a stack": lambda: DeepRNN([DeepRNN([GRU(D, H)]), RNN(H, H)]),
    "compiled": lambda: compiled(GRU(D, H)),
}


def compiled(layer: nn.Module) -> nn.Module:
    found: nn.Module = torch.compile(layer, backend="eager")  # which needs no compiler of C++
    return found


def tokens() -> Tensor:
    return torch.randint(V, (T, B), generator=torch.Generator().manual_seed(0))


def run(model: nn.Module) -> list[Tensor]:
    """Return the logits of a window and the gradients of their weighted sum."""
    logits, _ = model(tokens())
    weights = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype)
    return [logits, *torch.autograd.grad(logits.flatten() @ weights, list(model.parameters()))]


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_rows_give_the_same_outputs_and_gradients(make, monkeypatch) -> None:
    model = LanguageModel(make(), V).double()
    assert isinstance(look_up(model.embedding, tokens(), model.layer), Rows)
    found = run(model)
    monkeypatch.setattr(rows, "OFTEN", T * B)
    assert isinstance(look_up(model.embedding, tokens(), model.layer), Tensor)
    for ours, expected in zip(found, run(model), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


class Own(RNN):
    """A layer with a forward of its own, which knows nothing of rows."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(inputs * 2, state)


class OwnEmbedding(nn.Embedding):
    """An embedding that does more than look up."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


def hooked(module: nn.Module, kind: str) -> nn.Module:
    getattr(module, f"register_{kind}_hook")(lambda *_: None)
    return module


HOOKS = ("forward", "forward_pre", "full_backward", "full_backward_pre")
NO_READERS: dict[str, Callable[[], nn.Module]] = {
    "torch's": lambda: nn.GRU(D, H),
    "dropout": lambda: WithDropout(RNN(D, H), 0.5),
    "both ways": lambda: Bidirectional(RNN(D, H), RNN(D, H)),
    "own": lambda: Own(D, H),
    "stack on another": lambda: DeepRNN([nn.RNN(D, H), RNN(H, H)]),
    "stack on dropout": lambda: DeepRNN([WithDropout(RNN(D, H), 0.5), RNN(H, H)]),
    **{kind: lambda kind=kind: hooked(RNN(D, H), kind) for kind in HOOKS},  # type: ignore[misc]
    "hook within": lambda: DeepRNN([hooked(RNN(D, H), "forward")]),
}
NO_TABLES: dict[str, Callable[[], nn.Module]] = {
    "padded": lambda: nn.Embedding(V, D, padding_idx=0),
    "bounded": lambda: nn.Embedding(V, D, max_norm=1.0),
    "scaled": lambda: nn.Embedding(V, D, scale_grad_by_freq=True),
    "sparse": lambda: nn.Embedding(V, D, sparse=True),
    "own": lambda: OwnEmbedding(V, D),
    "sequence": lambda: nn.Sequential(nn.Embedding(V, D), nn.Dropout(0.0)),
    **{kind: lambda kind=kind: hooked(nn.Embedding(V, D), kind) for kind in HOOKS},  # type: ignore[misc]
}


@pytest.mark.parametrize("make", NO_READERS.values(), ids=NO_READERS)
def test_other_layers_get_the_embeddings(make) -> None:
    model = LanguageModel(make(), V)
    X = look_up(model.embedding, tokens(), model.layer)
    assert torch.equal(X, model.embedding(tokens()))
    model(tokens())


@pytest.mark.parametrize("make", NO_TABLES.values(), ids=NO_TABLES)
def test_other_embeddings_are_called(make) -> None:
    embedding = make()
    assert torch.equal(look_up(embedding, tokens(), RNN(D, H)), embedding(tokens()))


def test_rows_that_are_read_seldom_are_looked_up() -> None:
    embedding, layer = nn.Embedding(V, D), RNN(D, H)
    assert isinstance(look_up(embedding, tokens(), layer), Rows)
    assert isinstance(look_up(embedding, tokens()[1:], layer), Tensor)


def test_rows_of_another_type_are_refused_as_inputs_are() -> None:
    model = LanguageModel(RNN(D, H), V)
    model.embedding.double()
    with pytest.raises(TypeError, match=r"inputs is torch.float64: the layer's weights are"):
        model(tokens())


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_rows_are_read_under_autocast(kind) -> None:
    model = LanguageModel(kind(D, H), V)
    expected = model(tokens())[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = model(tokens())[0]
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)
