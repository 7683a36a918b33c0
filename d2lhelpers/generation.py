"""Generation: let a language model continue a text."""

from __future__ import annotations

import torch

from d2lhelpers.checks import check_int, check_positive_int
from d2lhelpers.model import LanguageModel, check_vocabulary, mode
from d2lhelpers.text import Vocabulary


@torch.no_grad()
def generate(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prefix: str,
    length: int,
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> str:
    """Continue `prefix` by `length` characters, each drawn from softmax(logits / temperature).

    The whole prefix first passes through the model, so that the state knows it (warm-up).

    Args:
        temperature: 1 draws from the model's distribution, lower is bolder, 0 always takes
            the most probable symbol, higher is more even.
        seed: of the random draws; the same seed gives the same text.

    Raises `ValueError` for an empty prefix or one with unknown characters, a length that is not
    positive, a temperature that is negative or not finite, another model's vocabulary.
    """
    check_positive_int(length=length)
    check_int(seed=seed)
    check_vocabulary(model, vocabulary)
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: it must be 0 or above, and finite; try 1")
    if not prefix:
        raise ValueError("prefix is empty: the model continues a text; pass at least one character")
    device = model.output.weight.device
    generator = torch.Generator().manual_seed(seed)
    tokens = vocabulary.encode(prefix).tolist()
    with mode(model, training=False):
        inputs, state = torch.tensor(tokens, device=device).unsqueeze(1), None  # (T, 1)
        for _ in range(length):
            logits, state = model(inputs, state)
            last = logits[-1, 0].cpu().double()  # (V,)
            if temperature == 0:
                token = int(last.argmax())
            else:
                p = torch.softmax((last - last.max()) / temperature, dim=0)
                token = int(torch.multinomial(p, 1, generator=generator))
            tokens.append(token)
            inputs = torch.tensor([[token]], device=device)
    return vocabulary.decode(tokens)
