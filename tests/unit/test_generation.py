"""Generation: settled by the seed, true to the model's distribution, aware of the whole prefix."""

import math

import pytest
import torch

from d2lhelpers.generation import generate
from d2lhelpers.text import LETTERS_AND_SPACE, Vocabulary

VOCABULARY = Vocabulary(LETTERS_AND_SPACE)


def test_seed_settles_the_text(new_model) -> None:
    model = new_model()
    texts = [generate(model, VOCABULARY, "the ", 50, seed=seed) for seed in range(5)]
    assert len(set(texts)) == 5
    assert texts == [generate(model, VOCABULARY, "the ", 50, seed=seed) for seed in range(5)]


def test_seed_is_its_own(new_model) -> None:
    """Neither reads the global generator nor disturbs it."""
    model = new_model()
    torch.manual_seed(1)
    text = generate(model, VOCABULARY, "the ", 50)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert generate(model, VOCABULARY, "the ", 50) == text


@pytest.mark.parametrize("prefix", ["t", "the time traveller"])
def test_temperature_zero_is_greedy_whatever_the_seed(new_model, prefix: str) -> None:
    """And one symbol at a time from the start is the same as the prefix in one piece."""
    model = new_model()
    tokens, state = VOCABULARY.encode(prefix).tolist(), None
    for i in range(len(prefix) + 30 - 1):
        logits, state = model(torch.tensor([[tokens[i]]]), state)
        if i + 1 == len(tokens):
            tokens.append(int(logits.argmax()))
    texts = {generate(model, VOCABULARY, prefix, 30, temperature=0, seed=s) for s in range(3)}
    assert texts == {VOCABULARY.decode(tokens)}


@pytest.mark.parametrize("length", [1, 17])
@pytest.mark.parametrize("temperature", [0, 1e-320, 0.5, 1e9])
def test_prefix_is_kept_and_length_exact(new_model, length: int, temperature: float) -> None:
    text = generate(new_model(), VOCABULARY, "weena", length, temperature=temperature)
    assert text.startswith("weena")
    assert len(text) == len("weena") + length


def test_whole_prefix_warms_the_state_up(new_model) -> None:
    """The logits of the first new symbol change with the first symbol of the prefix."""
    model = new_model()
    last = []
    model.register_forward_hook(lambda *call: last.append(call[2][0][-1, 0]))
    seen = []
    for prefix in ("a long night", "b long night", "a long night"):
        generate(model, VOCABULARY, prefix, 1)
        seen.append(last[-1])
    assert torch.equal(seen[0], seen[2])
    assert not torch.allclose(seen[0], seen[1], rtol=0, atol=1e-9)


def test_chunked_is_one_by_one(new_model) -> None:
    model, tokens = new_model(), VOCABULARY.encode("the time traveller").unsqueeze(1)
    chunked, final = model(tokens)
    state, logits = None, []
    for token in tokens:
        step, state = model(token.unsqueeze(0), state)
        logits.append(step)
    torch.testing.assert_close(chunked, torch.cat(logits), rtol=0, atol=1e-12)
    torch.testing.assert_close(final, state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_symbols_are_drawn_from_the_tempered_distribution(new_model, temperature: float) -> None:
    model, p = new_model(), torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    with torch.no_grad():  # logits log p for a, b, c, whatever the state
        model.output.weight.zero_()
        model.output.bias.fill_(-math.inf)
        model.output.bias[1:4] = p.log()
    text = generate(model, VOCABULARY, "a", 2000, temperature=temperature)[1:]
    expected = p ** (1 / temperature) / (p ** (1 / temperature)).sum()
    frequencies = [text.count(symbol) / 2000 for symbol in "abc"]
    assert frequencies == pytest.approx(expected.tolist(), abs=0.04)  # over 3.5 deviations


@pytest.mark.parametrize("mode", [True, False])
def test_model_is_left_as_it_was(new_model, mode: bool) -> None:
    model = new_model().train(mode)
    modes = set()
    model.layer.register_forward_pre_hook(lambda layer, _: modes.add(layer.training))
    generate(model, VOCABULARY, "the ", 5)
    assert modes == {False}
    assert model.training == model.layer.training == mode
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prefix": ""}, ValueError, "prefix is empty: .*; pass at least one"),
        ({"prefix": "Oh!"}, ValueError, r"'Oh!' has \['!', 'O'\], .*; use only its 27 symbols"),
        ({"length": 0}, ValueError, "length is 0: it must be positive; pass"),
        ({"length": -1}, ValueError, "length is -1: it must be positive; pass"),
        ({"length": 2.5}, TypeError, r"length is 2\.5: it must be an int; pass"),
        ({"seed": 0.5}, TypeError, r"seed is 0\.5: it must be an int; pass"),
        ({"temperature": -1}, ValueError, "temperature is -1: it must be 0 or above.*; try 1"),
        ({"temperature": math.nan}, ValueError, "temperature is nan: .*finite; try 1"),
        ({"temperature": math.inf}, ValueError, "temperature is inf: .*finite; try 1"),
        (
            {"vocabulary": Vocabulary("abc"), "prefix": "a"},
            ValueError,
            "the vocabulary has 3 symbols, the model 27: .*; pass the vocabulary",
        ),
    ],
)
def test_bad_input(new_model, arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        generate(
            new_model(), **({"vocabulary": VOCABULARY, "prefix": "a", "length": 3} | arguments)
        )
