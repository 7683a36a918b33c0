"""A language model over any recurrent layer, ours or torch's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers.checks import check_positive_int, check_tokens, check_torch_state, check_type
from d2lhelpers.rows import look_up
from d2lhelpers.text import Vocabulary

State = Any  # a tensor, or nested tuples and lists of tensors: each layer has its own


class LanguageModel(nn.Module):
    """Predict the next token from those so far: embedding, recurrent layer, output layer.

    Tokens (T, B) give logits (T, B, V), one score per symbol of the vocabulary, and the
    layer's last state.

    Args:
        layer: takes inputs (T, B, D) and a state or None, returns outputs (T, B, H) and a state.
        vocab_size: number of symbols V.

    Raises:
        TypeError, ValueError: no recurrent layer, a size that is no positive int; when called,
            tokens that are not (T, B) integers in [0, V), a state that does not fit.
    """

    def __init__(self, layer: nn.Module, vocab_size: int):
        super().__init__()
        check_positive_int(vocab_size=vocab_size)
        input_size, output_size = layer_sizes(layer)
        self.embedding = nn.Embedding(vocab_size, input_size)
        self.layer = layer
        self.output = nn.Linear(output_size, vocab_size)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        check_tokens(tokens, self.embedding.num_embeddings)
        check_torch_state(self.layer, state, tokens.shape[1])
        X = look_up(self.embedding, tokens, self.layer)  # (T, B, D)
        H, state = self.layer(X, state)  # (T, B, H)
        return self.output(H), state  # (T, B, V)


def layer_sizes(layer: nn.Module) -> tuple[int, int]:
    """Return the sizes D of the inputs and H of the outputs of a recurrent layer.

    H counts both directions of a bidirectional layer, and is the size of the projection where
    `torch.nn.LSTM` has one.

    Raises:
        TypeError, ValueError: the layer is none, takes one step only, or has the batch first.
    """
    check_type(nn.Module, "pass a layer such as RNN(64, 256)", layer=layer)
    if isinstance(layer, nn.RNNCellBase):
        name = type(layer).__name__
        raise TypeError(
            f"layer is an {name}: a layer must go through all steps, and a cell takes one; "
            f"pass nn.{name.removesuffix('Cell')}"
        )
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


def check_vocabulary(model: LanguageModel, vocabulary: Vocabulary) -> None:
    """Raise `TypeError` or `ValueError` unless a model scores just the symbols of a vocabulary."""
    check_type(Vocabulary, "pass corpus.vocabulary", vocabulary=vocabulary)
    check_scores(model)
    if (size := model.output.out_features) != len(vocabulary):
        raise ValueError(
            f"the vocabulary has {len(vocabulary)} symbols, the model {size}: both must be those "
            "of one corpus; pass the vocabulary that the model was made with"
        )


def check_scores(model: LanguageModel) -> None:
    """Raise `TypeError` unless a model has an output layer that tells how many scores it gives."""
    if not hasattr(getattr(model, "output", None), "out_features"):
        raise TypeError(
            f"model is of type {type(model).__name__}: it must have an output layer with a score "
            "for each symbol; pass a LanguageModel"
        )


@torch.no_grad()
def check_left_to_right(model: LanguageModel) -> None:
    """Raise `ValueError` if a model's scores of the first step depend on later tokens.

    Then it has read what it is to predict, as with a bidirectional layer: what it computes is not
    the probability of a text. The model is run on two texts that begin with the same token.
    """
    weight = model.output.weight
    tokens = torch.zeros(8, 2, dtype=torch.int64, device=weight.device)
    tokens[1:, 1] = model.output.out_features - 1
    with mode(model, training=False):
        one, other = model(tokens)[0][0]
    near = torch.finfo(weight.dtype).eps ** 0.5
    if not torch.allclose(one, other, rtol=near, atol=near, equal_nan=True):
        raise ValueError(
            "the model reads the tokens that it is to predict: its scores at one step must not "
            "depend on later ones, as they do with a bidirectional layer; use a layer that reads "
            "from left to right, or pass look_ahead=True and call the result no perplexity"
        )


@contextmanager
def mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode.

    At the end, even after an error, each of its modules is back in the mode that it had.
    """
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was


def detach(state: State) -> State:
    """Return a state (a tensor, None, nested tuples and lists) cut off the graph that made it."""
    if isinstance(state, (tuple, list)):
        return type(state)(detach(part) for part in state)
    return state if state is None else state.detach()
