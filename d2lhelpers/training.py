"""Training of language models: the loop, gradient clipping, perplexity."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers.batches import Batch, consecutive_batches, random_batches
from d2lhelpers.checks import (
    check_batch,
    check_bool,
    check_clipping,
    check_not_empty,
    check_optimizer,
    check_parameters,
    check_positive,
    check_positive_int,
    check_range,
    check_seed,
    check_text,
    check_type,
)
from d2lhelpers.model import (
    LanguageModel,
    check_left_to_right,
    check_scores,
    check_vocabulary,
    detach,
    mode,
)
from d2lhelpers.progress import ProgressTable
from d2lhelpers.text import Corpus


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Args:
        epochs: passes over the training text.
        batch_size: windows B side by side in a batch.
        num_steps: steps T of a window, and so the reach of back-propagation.
        learning_rate: at the start; it falls to zero along half a cosine, epoch by epoch.
        optimizer: "adam" (Kingma & Ba 2015) or plain "sgd".
        clip_norm: largest norm the whole gradient may have; None leaves it as it is.
        sampling: "consecutive" carries the state from window to window, "random" does not.
        seed: of the offset and the order of the windows.
        keep_best: end with the weights of the epoch that was best on the validation part, instead
            of those of the last.

    Raises:
        TypeError, ValueError: a setting that cannot work.
    """

    epochs: int = 10
    batch_size: int = 32
    num_steps: int = 35
    learning_rate: float = 2e-3
    optimizer: Literal["adam", "sgd"] = "adam"
    clip_norm: float | None = 1.0
    sampling: Literal["consecutive", "random"] = "consecutive"
    seed: int = 0
    keep_best: bool = False

    def __post_init__(self) -> None:
        check_positive_int(epochs=self.epochs, batch_size=self.batch_size, num_steps=self.num_steps)
        check_seed(seed=self.seed)
        check_bool(keep_best=self.keep_best)
        check_positive(learning_rate=self.learning_rate)
        if self.clip_norm is not None:
            check_positive(clip_norm=self.clip_norm)
        choices = {"optimizer": ("adam", "sgd"), "sampling": ("consecutive", "random")}
        for name, allowed in choices.items():
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} is {value!r}: choose {allowed[0]!r} or {allowed[1]!r}")


@dataclass
class History:
    """What a training run measured, one entry an epoch unless said otherwise.

    Args:
        training: the perplexity met on the way through the epoch, while the weights change.
        validation: that of the weights at its end, on the validation part.
        seconds: training time alone.
        gradient_norms: one entry a step, taken before clipping.
        tokens_per_second: tokens of the training text in all epochs, by the sum of `seconds`.
    """

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    tokens_per_second: float = 0.0


EPOCH = "the epoch"
ADVICE = "a smaller learning_rate, a smaller clip_norm (1.0 is common), or both"


def train(
    model: LanguageModel,
    corpus: Corpus,
    config: TrainConfig,
    *,
    show: bool = True,
    look_ahead: bool = False,
) -> History:
    """Train a model in place on the training part of a corpus, on the model's device.

    Args:
        model: scores each token of the corpus's vocabulary.
        corpus: trained on its training part, judged after each epoch on its validation part.
        config: how.
        show: let a table of perplexities grow while it trains.
        look_ahead: allow a model whose scores depend on later tokens. Its numbers are then no
            perplexities, for it has read the answers.

    Returns:
        what was measured, epoch by epoch.

    Raises:
        TypeError, ValueError: before the first step, for arguments that cannot work: a text too
            short, a model made for another vocabulary, or one that reads ahead.
        FloatingPointError: the loss is not finite; with the step and what to try.
    """
    check_type(Corpus, "pass load_corpus('story')", corpus=corpus)
    check_type(TrainConfig, "pass TrainConfig(epochs=3)", config=config)
    check_bool(show=show, look_ahead=look_ahead)
    check_vocabulary(model, corpus.vocabulary)
    check_text(training=corpus.training, validation=corpus.validation)
    check_range(len(corpus.vocabulary), training=corpus.training, validation=corpus.validation)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            "no parameter of the model requires a gradient: there must be one to train; call "
            "model.requires_grad_()"
        )
    if not look_ahead:
        check_left_to_right(model)
    device = model.output.weight.device
    tokens, validation = corpus.training.to(device), corpus.validation.to(device)
    consecutive_batches(validation, 1, 1)  # long enough to be judged on?
    # Long enough whatever the offset? (Random batches ask for the same length.)
    consecutive_batches(tokens, config.batch_size, config.num_steps, config.num_steps - 1)
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    optimizer = kinds[config.optimizer](model.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    generator = torch.Generator().manual_seed(int(config.seed))
    carry = config.sampling == "consecutive"
    history, best = History(), model.state_dict()
    table = ProgressTable(["epoch", "training", "validation", "seconds"], config.epochs, show)
    for epoch in range(1, config.epochs + 1):
        if carry:
            offset = int(torch.randint(config.num_steps, (), generator=generator, device="cpu"))
            batches = consecutive_batches(tokens, config.batch_size, config.num_steps, offset)
        else:
            batches = random_batches(tokens, config.batch_size, config.num_steps, generator)
        start = time.perf_counter()
        with mode(model, training=True):
            loss, norms = train_epoch(model, batches, optimizer, config.clip_norm, carry)
        history.seconds.append(time.perf_counter() - start)
        schedule.step()
        history.training.append(exp(loss))
        history.validation.append(perplexity(model, validation, look_ahead=True))
        if math.isnan(history.validation[-1]):  # the last update did it: no loss has shown it yet
            check_finite(torch.tensor(math.nan), len(norms))
        history.gradient_norms += norms
        if config.keep_best and history.validation[-1] == min(history.validation):
            best = {name: value.clone() for name, value in model.state_dict().items()}
        row = (history.training[-1], history.validation[-1], sum(history.seconds))
        table.add(str(epoch), *(f"{value:.2f}" for value in row))
    if config.keep_best:
        model.load_state_dict(best)
    history.tokens_per_second = config.epochs * len(tokens) / sum(history.seconds)
    return history


def train_epoch(
    model: LanguageModel,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    clip_norm: float | None,
    carry_state: bool = True,
) -> tuple[float, list[float]]:
    """Take one step of the optimizer for each batch of windows (T, B).

    Args:
        model: gives logits (T, B, V) and a state.
        batches: inputs and targets, int64, each of shape (T, B).
        optimizer: of the model's parameters.
        clip_norm: as of `clip_gradients`.
        carry_state: begin each window with the last state of the one before, not with zeros.

    Returns:
        the mean cross-entropy a token, in nats, and for each step the norm of the gradient before
        clipping.

    Raises:
        ValueError: no batch, targets of another shape than the inputs, another model's optimizer.
        FloatingPointError: the loss is not finite.
    """
    check_optimizer(optimizer, model)
    state, total, count = None, 0.0, 0
    norms: list[float] = []
    for X, Y in batches:  # (T, B) each
        check_batch(X, Y)
        logits, state = model(X, detach(state) if carry_state else None)
        loss = F.cross_entropy(logits.flatten(0, 1), Y.flatten())
        check_finite(loss, len(norms))
        optimizer.zero_grad()
        loss.backward()
        norms.append(clip_gradients(model.parameters(), clip_norm))
        optimizer.step()
        total, count = total + loss.item() * Y.numel(), count + Y.numel()
    check_not_empty(batches=count)
    return total / count, norms


def check_finite(loss: Tensor, step: int, where: str = EPOCH, advice: str = ADVICE) -> None:
    """Raise `FloatingPointError`, naming the step and what to try, if a loss is not finite."""
    if not math.isfinite(loss.item()):
        raise FloatingPointError(
            f"the loss is {loss.item()} at step {step} of {where}: the last updates were too "
            f"large; try {advice}, and start from a new model"
        )


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float | None) -> float:
    """Scale all gradients by one factor so that their joint norm is at most `max_norm`.

    This is algorithm 1 of Pascanu, Mikolov & Bengio (2013).

    Args:
        parameters: those without a gradient are passed over.
        max_norm: above 0; None and infinity clip nothing.

    Returns:
        the norm before.

    Raises:
        RuntimeError: no parameter has a gradient.
        TypeError, ValueError: a norm that is not above 0.
    """
    check_parameters(parameters)
    gradients = [p.grad for p in parameters if p.grad is not None]
    check_clipping(gradients, max_norm)
    norm = float(torch.stack([g.norm() for g in gradients]).norm())
    if max_norm is not None and norm > max_norm:
        for g in gradients:
            g *= max_norm / norm
    return norm


def exp(value: float) -> float:
    """Return e to the power of `value`, infinity where that is too large for a float."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def perplexity(
    model: LanguageModel, tokens: Tensor, batch_size: int = 8, *, look_ahead: bool = False
) -> float:
    """Return exp(total cross-entropy / number of tokens) of a text.

    The text is read as `batch_size` streams, as `log_probabilities` does, in evaluation mode, and
    the model gets its mode back. Of a model that has diverged it is infinite or NaN.

    Args:
        model: gives logits (T, B, V) and a state.
        tokens: the text, int64, shape (N,); every token but the first is predicted.
        batch_size: number of streams; fewer than so many tokens at the end are left out.
        look_ahead: as of `train`.

    Raises:
        TypeError, ValueError: as of `log_probabilities`.
    """
    log_p = log_probabilities(model, tokens, batch_size, look_ahead=look_ahead)
    return exp(-log_p.mean().item())


@torch.no_grad()
def log_probabilities(
    model: LanguageModel, tokens: Tensor, batch_size: int = 1, *, look_ahead: bool = False
) -> Tensor:
    """Return ln p(w_i | the tokens before it) for each token but the first, in float64.

    The text is read as `batch_size` streams side by side (fewer if it is shorter), each with its
    state carried from start to end. With one stream every token has all the text before it; with
    more it is faster, a stream begins without a past, and fewer than `batch_size` tokens at the
    end are left out. The model reads in evaluation mode and then gets its mode back.

    Args:
        model: gives logits (T, B, V) and a state.
        tokens: the text, int64, shape (N,).
        batch_size: number of streams.
        look_ahead: as of `train`.

    Returns:
        shape (N - 1 - what is left out,), in the order of the text, on the CPU.

    Raises:
        TypeError, ValueError: tokens that are not (N,) integers of the vocabulary, fewer than two
            of them, a model that reads ahead.
    """
    check_positive_int(batch_size=batch_size)
    check_scores(model)
    check_text(tokens=tokens)
    check_bool(look_ahead=look_ahead)
    check_range(model.output.out_features, tokens=tokens)
    if not look_ahead:
        check_left_to_right(model)
    batch_size = max(1, min(batch_size, len(tokens) - 1))
    num_steps = max(1, min(250, (len(tokens) - 1) // batch_size))
    state, parts = None, []
    with mode(model, training=False):
        for X, Y in consecutive_batches(tokens, batch_size, num_steps):
            logits, state = model(X, state)
            log_p = logits.log_softmax(2).gather(2, Y[..., None])[..., 0]  # (T, B)
            parts.append(log_p.cpu().double())
    return torch.cat(parts).T.flatten()
