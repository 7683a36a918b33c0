"""Perplexity by context: what a run from the zero state over the last k symbols gives."""

import math
from collections.abc import Callable

import pytest
import torch

from d2lhelpers.context import perplexities_by_context
from d2lhelpers.layers import GRU, RNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.text import Corpus


@pytest.mark.parametrize("layer", [RNN, GRU])
def test_each_symbol_is_predicted_from_the_last_k_alone(
    corpus: Corpus, layer: Callable[[int, int], torch.nn.Module]
) -> None:
    torch.manual_seed(0)
    model = LanguageModel(layer(5, 7), len(corpus.vocabulary)).double()
    tokens, longest = corpus.training[:40], 6
    expected = []
    for k in range(1, longest + 1):
        total = 0.0
        for i in range(longest, len(tokens)):
            logits, _ = model(tokens[i - k : i, None])  # (k, 1, V), from the zero state
            total -= logits[-1, 0].log_softmax(0)[tokens[i]].item()
        expected.append(math.exp(total / (len(tokens) - longest)))
    assert perplexities_by_context(model, tokens, longest) == pytest.approx(expected)
