"""Does my run learn as it should? A training curve against those of the chapters' networks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

from d2lhelpers.check.core import Verdict
from d2lhelpers.check.places import place
from d2lhelpers.tasks import load_measurement
from d2lhelpers.training import History, exp

MARGIN = 0.03  # the seeds' range is widened by this share: another seed may lie a little outside
FLAT = 0.03  # a curve that falls by less than this share from first to last does not learn


def training(run: History | Iterable[float], setting: str = "rnn story") -> Verdict:
    """Compare a training run on the story with runs of the course.

    The reference is d2lhelpers/measurements/curves.json, the chapters' networks trained from three
    sets of initial weights each; what counting reaches on the same text tells what a level means.

    Args:
        run: what `train` returned, or the mean cross-entropies of the epochs in nats, as
            `train_epoch` returns them. More numbers than epochs are taken as the losses of single
            steps, and averaged over as many equal parts as there are epochs.
        setting: "rnn story", "gru story" or "lstm story": which chapter's network and settings.

    Returns:
        the verdict: within the range of the seeds, or what a curve of this form usually means.
    """
    study = load_measurement("curves")
    if setting not in study["settings"]:
        known = ", ".join(f'"{name}"' for name in study["settings"])
        return Verdict("wrong", f"There is no setting {setting!r}; there are {known}.")
    settings, levels = study["settings"][setting], study["counting"]["validation"]
    reference = [row for row in study["results"] if row["setting"] == setting]
    epochs = int(settings["epochs"])
    try:
        parts = curves_of(run, epochs)
    except (TypeError, ValueError):
        parts = {}
    if not parts.get("training"):
        return Verdict(
            "wrong",
            "Pass what `train` returned, or a list of losses, the mean cross-entropy of each epoch "
            "in nats.",
        )
    told = (
        f"Compared with {len(reference)} runs of {settings['layer']}({settings['input']}, "
        f"{settings['units']}): {epochs} epochs, learning rate {settings['learning_rate']}, "
        f"windows of {settings['batch_size']} x {settings['num_steps']}."
    )
    curve = parts["training"]
    if (form := form_of(curve, levels)) is not None:
        return Verdict("wrong", f"{form[1]}\n{told}\nRead again: {place(form[2])}.", form[0])
    for part in ("training", "validation"):
        rows = [row[part] for row in reference]
        for epoch, value in enumerate(parts.get(part, [])[:epochs]):
            low = min(row[epoch] for row in rows) * (1 - MARGIN)
            high = max(row[epoch] for row in rows) * (1 + MARGIN)
            if low <= value <= high:
                continue
            seen = (
                f"After epoch {epoch + 1} your {part} perplexity is {value:.2f}; the runs of the "
                f"course lie between {low:.2f} and {high:.2f}."
            )
            name, means, label = meaning(part, value < low, parts, levels, epoch)
            return Verdict("wrong", f"{seen}\n{means}\n{told}\nRead again: {place(label)}.", name)
    count = min(len(curve), epochs)
    return Verdict(
        "passed",
        f"Passed. The perplexities of all {count} epochs lie in the range of the course's runs, "
        f"widened by {MARGIN:.0%}; after the last, training is at {curve[count - 1]:.2f}. {told}",
    )


def curves_of(run: Any, epochs: int) -> dict[str, list[float]]:
    """Return the perplexities of a run by epoch, of training and, if it tells, of validation."""
    if hasattr(run, "training"):
        return {
            part: [float(value) for value in getattr(run, part)]
            for part in ("training", "validation")
        }
    losses = [float(value) for value in run]
    if len(losses) > epochs:
        size = len(losses) / epochs
        cuts = [round(i * size) for i in range(epochs + 1)]
        losses = [sum(losses[a:b]) / (b - a) for a, b in itertools.pairwise(cuts)]
    return {"training": [exp(loss) for loss in losses]}


def form_of(curve: list[float], levels: list[float]) -> tuple[str, str, str] | None:
    """Tell a curve that no range is needed for: it diverges, does not fall, or rises again."""
    if not all(math.isfinite(value) and value < 1e6 for value in curve):
        epoch = next(i for i, value in enumerate(curve) if not value < 1e6) + 1
        return (
            "diverged",
            f"In epoch {epoch} the loss is no longer a sensible number: the run has diverged. "
            "Usually an update was too large: the gradients are not clipped, or they are clipped "
            "after `optimizer.step()`, or the learning rate is too high.",
            "sec-clipping",
        )
    if len(curve) > 1 and curve[-1] > (1 - FLAT) * curve[0]:
        if curve[-1] > (1 + FLAT) * min(curve):
            return (
                "rises",
                f"Your loss rises: perplexity {curve[0]:.2f} in the first epoch, {curve[-1]:.2f} "
                "in the last. Usually the learning rate is too high, or gradients are added up "
                "because `optimizer.zero_grad()` is missing.",
                "sec-loop",
            )
        return (
            "flat",
            f"Your loss does not fall: perplexity {curve[0]:.2f} in the first epoch, "
            f"{curve[-1]:.2f} in the last. {level(curve[-1], levels)} Usually nothing is updated: "
            "`loss.backward()` or `optimizer.step()` is missing, the optimizer has another model's "
            "parameters, or a `detach` stands between them and the loss.",
            "sec-loop",
        )
    return None


def level(value: float, levels: list[float]) -> str:
    """Return what counting would have to know to reach a perplexity."""
    if value > 1.05 * levels[0]:
        return f"That is worse than the frequencies of the symbols alone ({levels[0]:.1f})."
    best = min(range(len(levels)), key=lambda i: abs(math.log(value / levels[i])))
    if best == 0:
        return f"That is the level of the symbols' frequencies ({levels[0]:.1f})."
    return f"Counting reaches {levels[best]:.2f} with the last {best} symbols."


def meaning(
    part: str, low: bool, parts: dict[str, list[float]], levels: list[float], epoch: int
) -> tuple[str, str, str]:
    """Return the name of what a value outside the range usually means, a text, and a label."""
    value = parts[part][epoch]
    validation = parts.get("validation", [])
    if low:
        by_heart = part == "training" and len(validation) > epoch and validation[epoch] > levels[-1]
        if by_heart and value < 0.8 * validation[epoch]:
            return (
                "by_heart",
                f"On the validation text it is {validation[epoch]:.2f}: your network learns the "
                "training text by heart. Usually it is larger than this chapter's, reads a shorter "
                "text, or is trained with a larger learning rate.",
                "sec-gru-memory",
            )
        return (
            "too_low",
            "Too good is suspicious. Usually the network sees what it is to predict: the targets "
            "are not moved by one step, a bidirectional layer reads ahead, or the validation text "
            "is part of the training text. Or the loss is not a mean over symbols, in nats. (A "
            "larger network or learning rate can do it, too.)",
            "sec-windows",
        )
    says = level(parts[part][-1], levels).replace("That is", "At the end it is")
    if len(parts[part]) > 2 and abs(math.log(parts[part][-1] / levels[1])) < 0.1:
        return (
            "no_memory",
            f"{says} That is all that a network without a memory can know: usually the state is "
            "not handed on inside the layer, or `W_hh` gets no gradient.",
            "sec-results",
        )
    return (
        "too_high",
        f"{says} Usually the learning rate is too low (or its schedule falls too early), the "
        "batches are larger, so that there are fewer steps, the state starts anew with each "
        "window, or the gradient is clipped far below 1.",
        "sec-loop",
    )
