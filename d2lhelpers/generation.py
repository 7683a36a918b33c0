"""Generation: let a language model continue a text."""

from __future__ import annotations

import math

import torch

from d2lhelpers.checks import check_bool, check_number, check_positive_int, check_seed, check_type
from d2lhelpers.model import LanguageModel, check_left_to_right, check_vocabulary, mode
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
    look_ahead: bool = False,
) -> str:
    """Continue `prefix` by `length` characters, each drawn from softmax(logits / temperature).

    The whole prefix first passes through the model, so that the state knows it (warm-up). The
    model writes in evaluation mode and then gets its mode back.

    Args:
        model: gives logits (T, B, V) and a state.
        vocabulary: that of the text the model was trained on.
        prefix: at least one character, all in the vocabulary.
        length: number of characters to draw.
        temperature: 1 draws from the model's distribution, lower is bolder, 0 always takes
            the most probable symbol, higher is more even.
        seed: of the random draws; the same seed gives the same text.
        look_ahead: allow a model whose scores depend on later tokens, which are not there yet.

    Returns:
        the prefix and `length` characters more.

    Raises:
        TypeError, ValueError: an empty prefix or one with unknown characters, a length that is not
            positive, a temperature that is negative or not finite, another model's vocabulary, a
            model that reads ahead.
        FloatingPointError: the model's scores are not finite.
    """
    check_positive_int(length=length)
    check_seed(seed=seed)
    check_number(temperature=temperature)
    check_bool(look_ahead=look_ahead)
    check_type(str, "pass a text", prefix=prefix)
    check_vocabulary(model, vocabulary)
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: it must be 0 or above, and finite; try 1")
    if not prefix:
        raise ValueError("prefix is empty: the model continues a text; pass at least one character")
    if not look_ahead:
        check_left_to_right(model)
    device = model.output.weight.device
    generator = torch.Generator().manual_seed(int(seed))
    tokens = vocabulary.encode(prefix).tolist()
    with mode(model, training=False):
        inputs, state = torch.tensor(tokens, device=device).unsqueeze(1), None  # (T, 1)
        for i in range(length):
            logits, state = model(inputs, state)
            last = logits[-1, 0].cpu().double()  # (V,)
            if not math.isfinite(last.max()):  # of NaN and anything, the maximum is NaN
                raise FloatingPointError(
                    f"the highest score of symbol {i} is {last.max()}: scores must be finite; the "
                    "model has diverged, so train a new one with a smaller learning_rate"
                )
            if temperature == 0:
                token = int(last.argmax())
            else:
                p = torch.softmax((last - last.max()) / temperature, dim=0)
                token = int(torch.multinomial(p, 1, generator=generator))
            tokens.append(token)
            inputs = torch.tensor([[token]], device=device)
    return vocabulary.decode(tokens)
