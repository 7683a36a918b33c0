"""Training: clipping is torch's, perplexity is what a hand computation says, seeds settle all."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from d2lhelpers.batches import consecutive_batches
from d2lhelpers.model import LanguageModel
from d2lhelpers.text import Corpus, Vocabulary
from d2lhelpers.training import (
    TrainConfig,
    check_finite,
    clip_gradients,
    log_probabilities,
    perplexity,
    train,
    train_epoch,
)

CONFIG = TrainConfig(epochs=3, batch_size=8, num_steps=20, learning_rate=1e-2)
STILL = TrainConfig(epochs=1, batch_size=3, num_steps=10, learning_rate=1e-30, optimizer="sgd")


def cross_entropy(model: LanguageModel, tokens: Tensor, streams: int) -> float:
    """Mean -log p a token, each of the equally long streams read in one piece from its start."""
    length = (len(tokens) - 1) // streams
    total = 0.0
    for b in range(streams):
        X, Y = (tokens[b * length + shift :][:length] for shift in (0, 1))
        logits, _ = model(X.unsqueeze(1))
        total -= logits[:, 0].log_softmax(dim=1)[range(length), Y].sum().item()
    return total / (streams * length)


# --- Clipping

shapes = st.lists(st.lists(st.integers(1, 4), max_size=3), min_size=1, max_size=4)


@given(shapes, st.floats(0.01, 20), st.booleans(), st.integers(0, 99))
def test_clip_gradients_is_torchs(
    shapes: list[list[int]], max_norm: float, as_generator: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    ours, theirs = ([nn.Parameter(torch.zeros(shape)) for shape in shapes] for _ in range(2))
    for p, q in zip(ours, theirs, strict=True):
        p.grad, q.grad = (g := torch.randn_like(p)), g.clone()
    idle = nn.Parameter(torch.zeros(3))  # has no gradient
    everything = [idle, *ours]
    norm = clip_gradients((p for p in everything) if as_generator else everything, max_norm)
    assert norm == pytest.approx(nn.utils.clip_grad_norm_(theirs, max_norm).item(), rel=1e-5)
    for p, q in zip(ours, theirs, strict=True):
        # torch divides by norm + 1e-6
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-6)
    clipped = math.sqrt(sum(p.grad.square().sum().item() for p in ours))
    assert clipped == pytest.approx(min(norm, max_norm), rel=1e-5)
    assert idle.grad is None


def test_clip_none_measures_only() -> None:
    p = nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([3.0, 4.0])
    assert clip_gradients([p], None) == 5
    assert p.grad.tolist() == [3, 4]


# --- Perplexity


@pytest.mark.parametrize(
    ("count", "streams"), [(300, 8), (300, 1), (9, 8), (2, 1), (1003, 4), (2700, 7)]
)
def test_perplexity_is_exp_of_total_cross_entropy_by_tokens(
    corpus: Corpus, new_model, count: int, streams: int
) -> None:
    """Streams longer than one window included: 2,700 tokens in 7 streams leave a ragged one."""
    model, tokens = new_model(), corpus.training[:count]
    expected = math.exp(cross_entropy(model, tokens, streams))
    assert perplexity(model, tokens, streams) == pytest.approx(expected, rel=1e-10)


def test_epochs_loss_weighs_a_ragged_last_window_by_its_tokens(corpus: Corpus, new_model) -> None:
    model, tokens = new_model(), corpus.training[:500]
    batches = list(consecutive_batches(tokens, 3, 50))
    assert [len(X) for X, _ in batches] == [50, 50, 50, 16]
    still = torch.optim.SGD(model.parameters(), lr=0)
    loss, norms = train_epoch(model, batches, still, clip_norm=None)
    assert loss == pytest.approx(cross_entropy(model, tokens, 3), rel=1e-10)
    assert len(norms) == 4


def test_without_carrying_every_window_starts_anew(corpus: Corpus, new_model) -> None:
    model, tokens = new_model(), corpus.training[:61]
    still = torch.optim.SGD(model.parameters(), lr=0)
    loss, _ = train_epoch(model, consecutive_batches(tokens, 1, 20), still, None, False)
    windows = [tokens[start : start + 21] for start in (0, 20, 40)]
    expected = sum(cross_entropy(model, window, 1) for window in windows) / 3
    assert loss == pytest.approx(expected, rel=1e-10)


def test_gradients_of_steps_do_not_pile_up(corpus: Corpus, new_model) -> None:
    model = new_model()
    still = torch.optim.SGD(model.parameters(), lr=0)
    batch = next(consecutive_batches(corpus.training, 3, 50))
    _, norms = train_epoch(model, [batch] * 3, still, None, carry_state=False)
    assert norms == [norms[0]] * 3


def test_history_reports_the_perplexities_of_both_parts(corpus: Corpus, new_model) -> None:
    model = new_model()
    history = train(model, corpus, STILL, show=False)
    possible = [  # the seed draws the offset
        math.exp(cross_entropy(model, corpus.training[offset:], 3)) for offset in range(10)
    ]
    assert any(history.training[0] == pytest.approx(p, rel=1e-9) for p in possible)
    expected = math.exp(cross_entropy(model, corpus.validation, 8))
    assert history.validation == pytest.approx([expected], rel=1e-9)


def test_perplexity_of_a_text_too_short(corpus: Corpus, new_model) -> None:
    model = new_model()
    with pytest.raises(ValueError, match=r"the text has 1 tokens: .* needs at least 2; make"):
        perplexity(model, corpus.training[:1])
    assert model.training
    assert perplexity(model, corpus.training[:3]) == perplexity(model, corpus.training[:3], 2)
    with pytest.raises(ValueError, match="batch_size is 0: it must be positive; pass"):
        perplexity(model, corpus.training, batch_size=0)


def test_log_probabilities_are_those_of_each_token(corpus: Corpus, new_model) -> None:
    model, tokens = new_model(), corpus.test[:41]
    found = log_probabilities(model, tokens)
    logits = model(tokens[:-1, None])[0][:, 0].detach()
    expected = logits.log_softmax(1)[range(40), tokens[1:]]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    two = log_probabilities(model, tokens, 2)  # the second stream begins without a past
    torch.testing.assert_close(two[:20], expected[:20], rtol=0, atol=1e-10)
    torch.testing.assert_close(two[20:], log_probabilities(model, tokens[20:]), rtol=0, atol=1e-10)
    assert perplexity(model, tokens, 2) == pytest.approx(math.exp(-two.mean()))


# --- The loop


@pytest.mark.parametrize("sampling", ["consecutive", "random"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_helps_and_the_seed_settles_it(
    corpus: Corpus, new_model, sampling: Any, optimizer: Any
) -> None:
    config = replace(CONFIG, sampling=sampling, optimizer=optimizer)
    config = replace(config, learning_rate=1.0) if optimizer == "sgd" else config
    histories = [train(new_model(), corpus, config, show=False) for _ in range(2)]
    measured = [(h.training, h.validation, h.gradient_norms) for h in histories]
    assert measured[0] == measured[1]
    history = histories[0]
    assert history.validation[-1] < 0.9 * perplexity(new_model(), corpus.validation)
    assert history.training[-1] < history.training[0]
    assert len(history.training) == len(history.validation) == len(history.seconds) == 3
    assert history.tokens_per_second > 0
    other = train(new_model(), corpus, replace(config, seed=1), show=False)
    assert other.training != history.training


def test_keep_best_ends_with_the_weights_of_the_best_epoch(corpus: Corpus, new_model) -> None:
    """Four hundred symbols are soon learnt by heart: the last weights are not the best ones."""
    corpus = replace(corpus, training=corpus.training[:400])
    config = TrainConfig(epochs=15, batch_size=4, num_steps=10, learning_rate=0.1, seed=3)
    last, best = new_model(), new_model()
    history = train(last, corpus, config, show=False)
    again = train(best, corpus, replace(config, keep_best=True), show=False)
    assert again.validation == history.validation
    assert min(history.validation) < 0.95 * history.validation[-1]
    assert perplexity(last, corpus.validation) == history.validation[-1]
    assert perplexity(best, corpus.validation) == min(history.validation)


@pytest.mark.parametrize("clip_norm", [0.05, None])
def test_clip_norm_bounds_what_the_optimizer_sees(
    corpus: Corpus, new_model, clip_norm: float | None
) -> None:
    seen = []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
        seen.append(torch.cat(gradients).norm().item())

    handle = register_optimizer_step_pre_hook(note)
    history = train(new_model(), corpus, replace(CONFIG, clip_norm=clip_norm), show=False)
    handle.remove()
    assert max(history.gradient_norms) > 0.05  # there was something to clip
    bound = math.inf if clip_norm is None else clip_norm
    expected = [min(norm, bound) for norm in history.gradient_norms]
    assert seen == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)])
def test_learning_rate_falls_along_half_a_cosine(corpus: Corpus, new_model, name, kind) -> None:
    seen = []
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append((type(optimizer), optimizer.param_groups[0]["lr"]))
    )
    train(new_model(), corpus, replace(CONFIG, epochs=4, optimizer=name), show=False)
    handle.remove()
    kinds, rates = zip(*dict.fromkeys(seen), strict=True)
    expected = [1e-2 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates == pytest.approx(expected)
    assert set(kinds) == {kind}


@pytest.mark.parametrize("mode", [True, False])
def test_mode_is_right_during_training_and_restored_after(
    corpus: Corpus, new_model, mode: bool
) -> None:
    model = new_model().train(mode)
    modes = set()  # (does this pass train?, the mode of the layer)
    model.layer.register_forward_pre_hook(
        lambda layer, _: modes.add((torch.is_grad_enabled(), layer.training))
    )
    train(model, corpus, CONFIG, show=False)
    assert modes == {(True, True), (False, False)}
    assert model.training == model.layer.training == mode


def test_seconds_are_those_of_training_alone(
    corpus: Corpus, new_model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that a pass in training moves by 1 and one in evaluation by 1000."""
    model, now = new_model(), [0.0]

    def tick(module: nn.Module, _: object) -> None:
        now[0] += 1 if module.training else 1000

    model.register_forward_pre_hook(tick)
    monkeypatch.setattr("d2lhelpers.training.time", SimpleNamespace(perf_counter=lambda: now[0]))
    history = train(model, corpus, CONFIG, show=False)
    steps = len(history.gradient_norms)
    assert sum(history.seconds) == steps
    assert all(seconds == pytest.approx(steps / 3, abs=1) for seconds in history.seconds)
    assert history.tokens_per_second == pytest.approx(3 * len(corpus.training) / steps)


def test_table_is_shown_only_on_demand(corpus: Corpus, new_model, capsys) -> None:
    train(new_model(), corpus, CONFIG, show=False)
    assert capsys.readouterr().out == ""
    history = train(new_model(), corpus, CONFIG)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + CONFIG.epochs
    epoch, *figures = lines[-1].split()
    assert epoch == "3"
    assert figures[:2] == [f"{history.training[-1]:.2f}", f"{history.validation[-1]:.2f}"]


# --- What cannot work


@pytest.mark.parametrize("sampling", ["consecutive", "random"])
def test_text_that_some_offset_makes_too_short_is_refused_before_training(
    corpus: Corpus, new_model, sampling: Any
) -> None:
    model = new_model()
    before = [p.clone() for p in model.parameters()]
    short = replace(corpus, training=corpus.training[: 9 * 20 - 1])
    with pytest.raises(ValueError, match=r"the text has 179 tokens: .* needs at least 180; make"):
        train(model, short, replace(CONFIG, epochs=20, sampling=sampling), show=False)
    assert all(map(torch.equal, before, model.parameters()))
    train(model, replace(corpus, training=corpus.training[: 9 * 20]), CONFIG, show=False)


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize(
    ("sampling", "num_steps"), [("consecutive", 20), ("random", 300)], ids=["many steps", "one"]
)
def test_loss_that_turns_nan_is_named(
    corpus: Corpus, new_model, epochs: int, sampling: Any, num_steps: int
) -> None:
    """In the middle of an epoch or, when an epoch is one step, with the very last update."""
    config = TrainConfig(epochs, 8, num_steps, 1e308, "sgd", None, sampling)
    message = r"the loss is nan at step 1 of the epoch: .*; try a smaller learning_rate.*clip_norm"
    with pytest.raises(FloatingPointError, match=message):
        train(new_model(), corpus, config, show=False)


def test_perplexity_too_large_for_a_float_is_infinite(corpus: Corpus, new_model) -> None:
    config = replace(CONFIG, epochs=1, optimizer="sgd", learning_rate=1e6, clip_norm=None)
    history = train(new_model(), corpus, config, show=False)
    assert (history.training, history.validation) == ([math.inf], [math.inf])


def test_model_for_another_vocabulary(corpus: Corpus, new_model) -> None:
    other = replace(corpus, vocabulary=Vocabulary("abc"))
    with pytest.raises(ValueError, match=r"the vocabulary has 3 symbols, the model 27: .*; pass"):
        train(new_model(), other, CONFIG, show=False)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_check_finite(value: float) -> None:
    check_finite(torch.tensor(3.2), 7)
    with pytest.raises(FloatingPointError, match=f"the loss is {value} at step 7 "):
        check_finite(torch.tensor(value), 7)


@pytest.mark.parametrize(
    ("name", "value", "error", "rule"),
    [
        *[
            (name, value, error, rule)
            for name in ("epochs", "batch_size", "num_steps")
            for value, error, rule in [
                (0, ValueError, "positive; pass"),
                (-1, ValueError, "positive; pass"),
                (1.5, TypeError, "an int; pass"),
                (True, TypeError, "an int; pass"),
            ]
        ],
        *[
            (name, value, ValueError, "finite and above 0; pass")
            for name in ("learning_rate", "clip_norm")
            for value in (0, -0.1, math.nan, math.inf)
        ],
        ("learning_rate", "fast", TypeError, "a number; pass"),
        ("clip_norm", "1", TypeError, "a number; pass"),
        ("optimizer", "adamw", ValueError, "choose 'adam' or 'sgd'"),
        ("optimizer", None, ValueError, "choose 'adam' or 'sgd'"),
        ("sampling", "shuffled", ValueError, "choose 'consecutive' or 'random'"),
        ("seed", 0.5, TypeError, "an int; pass"),
        ("seed", None, TypeError, "an int; pass"),
    ],
)
def test_bad_setting(name: str, value: Any, error: type[Exception], rule: str) -> None:
    with pytest.raises(error, match=f"{name} is {value!r}: .*{rule}"):
        TrainConfig(**{name: value})
