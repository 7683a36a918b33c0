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
from d2lhelpers.checks import check_int, check_positive, check_positive_int
from d2lhelpers.model import LanguageModel, check_vocabulary, detach, mode
from d2lhelpers.progress import ProgressTable
from d2lhelpers.text import Corpus


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Raises `ValueError` or `TypeError` for a setting that cannot work.

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
        check_int(seed=self.seed)
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

    `training` is the perplexity met on the way through the epoch, while the weights change;
    `validation` is that of the weights at its end, on the validation part; `seconds` is training
    time alone; `gradient_norms` has one entry a step, taken before clipping.
    """

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    tokens_per_second: float = 0.0


def train(
    model: LanguageModel, corpus: Corpus, config: TrainConfig, *, show: bool = True
) -> History:
    """Train a model in place on the training part of a corpus, on the model's device.

    With `show`, a table of perplexities grows while it trains. Raises `FloatingPointError`, with
    the step and what to try, when the loss is not finite, and `ValueError`, before the first step,
    for a training text too short or a model made for another vocabulary.
    """
    check_vocabulary(model, corpus.vocabulary)
    device = model.output.weight.device
    tokens, validation = corpus.training.to(device), corpus.validation.to(device)
    # Long enough whatever the offset? (Random batches ask for the same length.)
    consecutive_batches(tokens, config.batch_size, config.num_steps, config.num_steps - 1)
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    optimizer = kinds[config.optimizer](model.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    generator = torch.Generator().manual_seed(config.seed)
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
        history.validation.append(perplexity(model, validation))
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

    Returns the mean cross-entropy a token, in nats, and the norms of the gradients before
    clipping. Raises `FloatingPointError` when the loss is not finite.
    """
    state, total, count = None, 0.0, 0
    norms: list[float] = []
    for X, Y in batches:  # (T, B) each
        logits, state = model(X, detach(state) if carry_state else None)
        loss = F.cross_entropy(logits.flatten(0, 1), Y.flatten())
        check_finite(loss, len(norms))
        optimizer.zero_grad()
        loss.backward()
        norms.append(clip_gradients(model.parameters(), clip_norm))
        optimizer.step()
        total, count = total + loss.item() * Y.numel(), count + Y.numel()
    return total / count, norms


def check_finite(loss: Tensor, step: int) -> None:
    """Raise `FloatingPointError`, naming the step and what to try, if a loss is not finite."""
    if not math.isfinite(loss.item()):
        raise FloatingPointError(
            f"the loss is {loss.item()} at step {step} of the epoch: the last updates were too "
            "large; try a smaller learning_rate, a smaller clip_norm (1.0 is common), or both, "
            "and start from a new model"
        )


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float | None) -> float:
    """Scale all gradients by one factor so that their joint norm is at most `max_norm`.

    Returns the norm before (Pascanu, Mikolov & Bengio 2013, algorithm 1). None clips nothing.
    Raises `RuntimeError` if no parameter has a gradient.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
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


def perplexity(model: LanguageModel, tokens: Tensor, batch_size: int = 8) -> float:
    """Return exp(total cross-entropy / number of tokens) of a text, shape (N,).

    The text is read as `batch_size` streams, as `log_probabilities` does. Of a model that has
    diverged it is infinite or NaN. Raises as `log_probabilities`.
    """
    return exp(-log_probabilities(model, tokens, batch_size).mean().item())


@torch.no_grad()
def log_probabilities(model: LanguageModel, tokens: Tensor, batch_size: int = 1) -> Tensor:
    """Return ln p(w_i | the tokens before it) for each token but the first, in float64.

    The text, shape (N,), is read as `batch_size` streams side by side (fewer if it is shorter),
    each with its state carried from start to end. With one stream every token has all the text
    before it; with more it is faster, a stream begins without a past, and fewer than `batch_size`
    tokens at the end are left out. Shape (N - 1 - what is left out,), in the order of the text, on
    the CPU. Raises `ValueError` if there are fewer than two tokens.
    """
    check_positive_int(batch_size=batch_size)
    batch_size = max(1, min(batch_size, len(tokens) - 1))
    num_steps = max(1, min(250, (len(tokens) - 1) // batch_size))
    state, parts = None, []
    with mode(model, training=False):
        for X, Y in consecutive_batches(tokens, batch_size, num_steps):
            logits, state = model(X, state)
            log_p = logits.log_softmax(2).gather(2, Y[..., None])[..., 0]  # (T, B)
            parts.append(log_p.cpu().double())
    return torch.cat(parts).T.flatten()
