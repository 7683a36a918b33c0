"""A language model over any recurrent layer, ours or torch's."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from d2lhelpers.checks import check_positive_int

State = Any  # a tensor, or nested tuples and lists of tensors: each layer has its own


class LanguageModel(nn.Module):
    """Predict the next token from those so far: embedding, recurrent layer, output layer.

    Tokens (T, B) give logits (T, B, V), one score per symbol of the vocabulary, and the
    layer's last state. The layer takes inputs (T, B, D) and a state or None, and returns
    outputs (T, B, H) and a state. Raises `TypeError` or `ValueError` for another layer.
    """

    def __init__(self, layer: nn.Module, vocab_size: int):
        super().__init__()
        check_positive_int(vocab_size=vocab_size)
        input_size, output_size = layer_sizes(layer)
        self.embedding = nn.Embedding(vocab_size, input_size)
        self.layer = layer
        self.output = nn.Linear(output_size, vocab_size)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        X = self.embedding(tokens)  # (T, B, D)
        H, state = self.layer(X, state)  # (T, B, H)
        return self.output(H), state  # (T, B, V)


def layer_sizes(layer: nn.Module) -> tuple[int, int]:
    """Return the sizes D of the inputs and H of the outputs of a recurrent layer.

    H counts both directions of a bidirectional layer, and is the size of the projection where
    `torch.nn.LSTM` has one. Raises as `LanguageModel` does.
    """
    if not hasattr(layer, "input_size") or not hasattr(layer, "hidden_size"):
        raise TypeError(
            f"{type(layer).__name__} has no input_size and hidden_size: a recurrent layer must "
            "tell both; set them in its __init__"
        )
    if getattr(layer, "batch_first", False):
        raise ValueError(
            "the layer has batch_first=True: time comes first here, (T, B, D); leave it out"
        )
    sizes: dict[str, Any] = {name: getattr(layer, name) for name in ("input_size", "hidden_size")}
    check_positive_int(**sizes)
    output_size = getattr(layer, "proj_size", 0) or sizes["hidden_size"]
    directions = 2 if getattr(layer, "bidirectional", False) else 1
    return sizes["input_size"], output_size * directions


def check_vocabulary(model: LanguageModel, vocabulary: Sized) -> None:
    """Raise `ValueError` unless a model scores just the symbols of a vocabulary."""
    if (size := model.output.out_features) != len(vocabulary):
        raise ValueError(
            f"the vocabulary has {len(vocabulary)} symbols, the model {size}: both must be those "
            "of one corpus; pass the vocabulary that the model was made with"
        )


@contextmanager
def mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode, and back at the end, even after an error."""
    before = model.training
    model.train(training)
    try:
        yield
    finally:
        model.train(before)


def detach(state: State) -> State:
    """Cut a state (a tensor, None, or nested tuples and lists) off the graph that made it."""
    if isinstance(state, (tuple, list)):
        return type(state)(detach(part) for part in state)
    return state if state is None else state.detach()
