"""How far back a model looks: perplexity when only the last symbols are known."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from d2lhelpers.model import LanguageModel


@torch.no_grad()
def perplexities_by_context(model: LanguageModel, tokens: Tensor, longest: int) -> list[float]:
    """Return the perplexity given only the last k symbols, for k from 1 to `longest`.

    Before each symbol to predict, the layer starts from the zero state and reads the k symbols in
    front of it. The symbols to predict are the same for every k: all of a text of shape (N,) but
    the first `longest`. The layer must be one of `d2lhelpers.layers` whose state is a tensor
    (B, H), as `RNN` and `GRU`: all positions of the text are its batch.
    """
    X, state = model.embedding(tokens[None, :-1]), None  # (1, N, D)
    perplexities = []
    for k in range(1, longest + 1):
        outputs, state = model.layer(X[:, k - 1 :], state)
        logits = model.output(outputs[0, longest - k :])
        loss = F.cross_entropy(logits, tokens[longest:])
        perplexities.append(math.exp(loss.item()))
        state = state[:-1]  # position i goes on from position i - 1
    return perplexities
