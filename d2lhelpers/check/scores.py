"""Tasks: how good a model is, and what counting makes of a text."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2lhelpers import training
from d2lhelpers.batches import consecutive_batches
from d2lhelpers.check.core import CHANGED, Case, Difference, Seen, Task, describe
from d2lhelpers.check.probe import fill, numbers
from d2lhelpers.check.training_steps import bank, quietly
from d2lhelpers.check.written import f1 as reference_f1
from d2lhelpers.check.written import mixture as reference_mixture
from d2lhelpers.check.written import share_right as reference_share
from d2lhelpers.check.written import witten_bell as reference_witten_bell
from d2lhelpers.model import LanguageModel, State
from d2lhelpers.ngram import Floats


def number(value: Any) -> Any:
    """Return a number of Python, NumPy or PyTorch as a float, and anything else described."""
    if isinstance(value, (np.floating, np.integer)) or (
        isinstance(value, Tensor) and value.numel() == 1 and value.dtype != torch.bool
    ):
        return float(value.item())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return describe(value)


# --- Perplexity


class Watched(LanguageModel):
    """A language model that notes how it is called."""

    def __init__(self) -> None:
        super().__init__(nn.RNN(3, 4), 5)
        fill(self, torch.float32, 0.8)
        self.calls: list[tuple[Tensor, Tensor, bool, bool]] = []

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        logits, last = super().forward(tokens, state)
        probe = torch.zeros(8, 2, dtype=torch.int64)
        probe[1:, 1] = 4
        if not torch.equal(tokens, probe):  # with that the package asks whether it reads ahead
            self.calls.append((tokens, logits.detach(), state is None, self.training))
        return logits, last


RIGHT_RESULT = "exp of the total cross-entropy over the number of tokens"


def perplexity_case(N: int, B: int | None) -> Case:
    """Return a case of a text of N tokens and a model that notes how it is read.

    What is seen does not depend on how long the windows are that a program cuts.
    """

    def run(program: Any) -> Seen:
        network = quietly(Watched).train()
        # No two windows are equally hard: the symbols drift.
        drift = 2.5 + 2 * torch.sin(torch.arange(N, dtype=torch.float64) / 23)
        text = (numbers("text", (N,), torch.float64) * 1.2 + drift).long().clamp(0, 4)
        before = text.clone()
        result = number(program(network, text, *([] if B is None else [B])))
        if not network.calls:
            return {"the model": "never called", "the result": result}
        X = torch.cat([call[0] for call in network.calls]) if one_width(network) else text[:0]
        seen: Seen = {"how the text is read": (way := way_of(X, text, B or 8))}
        first = [call[2] for call in network.calls[1:]]
        seen["the state from window to window"] = (
            "carried on" if not any(first) else "new in every window" if all(first) else "mixed"
        )
        modes = {call[3] for call in network.calls}
        seen["the model reads in"] = "evaluation mode" if modes == {False} else "training mode"
        if not isinstance(result, float):
            return seen | {"the result": result}
        seen["the result"] = result_of(network, X, text, result) if way != "otherwise" else ""
        seen["the mode afterwards"] = "as before" if network.training else "evaluation"
        seen[CHANGED] = "nothing" if torch.equal(text, before) else "the text"
        return seen

    streams = "the default batch_size, 8" if B is None else f"batch_size {B}"
    return Case(f"a text of {N} tokens and {streams}", run)


def one_width(network: Watched) -> bool:
    """Tell whether all windows have the same number of columns."""
    return len({call[0].shape[1] for call in network.calls}) == 1


def way_of(X: Tensor, text: Tensor, B: int) -> str:
    """Tell how a text was read, given all windows one below the other."""
    for width, name in ((B, "in batch_size streams, from start to end"), (1, "in one stream")):
        length = (len(text) - 1) // width
        wanted = text[: width * length].view(width, length).T
        if X.shape == wanted.shape and torch.equal(X, wanted):
            return name
        if X.dim() == 2 and X.shape[1] == width and len(X) == length + 1 == len(text):
            return "with the last token, which has no target"
        if X.dim() == 2 and X.shape[1] == width and torch.equal(X, wanted[: len(X)]):
            return "without its end"
    return "otherwise"


def result_of(network: Watched, X: Tensor, text: Tensor, result: float) -> str:
    """Tell what a result is, by trying formulas on the scores that the model gave."""
    width = X.shape[1]
    length = (len(text) - 1) // width
    Y = text[1 : width * length + 1].view(width, length).T[: len(X)]
    logits = torch.cat([call[1] for call in network.calls]).double()[: len(Y)]
    nats = -logits.log_softmax(2).gather(2, Y[..., None])[..., 0]  # (T, B)
    own = -logits.log_softmax(2).gather(2, X[: len(Y), :, None])[..., 0]
    lengths = [len(call[0]) for call in network.calls]
    lengths[-1] -= len(X) - len(Y)
    means = torch.stack([window.mean() for window in nats.split(lengths)])
    mean, total = nats.mean(), nats.sum()
    formulas = {
        RIGHT_RESULT: mean.exp(),
        "the mean of the windows' perplexities": means.exp().mean(),
        "the mean of the windows' perplexities, by tokens": (
            means.exp() * torch.tensor(lengths)
        ).sum()
        / sum(lengths),
        "exp of the mean of the windows' cross-entropies": means.mean().exp(),
        "the mean of 1/p": nats.exp().mean(),
        "1 over the mean of p": 1 / (-nats).exp().mean(),
        "the mean cross-entropy": mean,
        "the total cross-entropy": total,
        "2 to the power of the mean cross-entropy in nats": 2**mean,
        "exp of the mean cross-entropy in bits": (mean / math.log(2)).exp(),
        "exp of the mean log-probability": (-mean).exp(),
        "exp of the total over the number of steps": (total / len(Y)).exp(),
        "exp of the total over the number of windows": (total / len(lengths)).exp(),
        "that of the inputs themselves": own.mean().exp(),
    }
    if math.isclose(formulas[RIGHT_RESULT], result, rel_tol=1e-5):
        return RIGHT_RESULT
    gaps = {
        name: abs(value.item() - result) / abs(value.item()) for name, value in formulas.items()
    }
    near = {name: gap for name, gap in gaps.items() if gap < 2e-5}
    if near:
        return min(near, key=lambda name: near[name])
    return f"{result:.4g}"


def judged(
    wrong: str, network: Any, tokens: Tensor, batch_size: int = 8, *, look_ahead: bool = False
) -> float:
    """Compute a perplexity with one thing wrong, which is named."""
    if wrong == "one_stream":
        batch_size = 1
    was = network.training
    network.train(wrong == "training_mode")
    state, parts, inputs = None, [], []
    with torch.no_grad():
        for X, Y in consecutive_batches(tokens, batch_size, 45):
            if wrong == "end_lost" and len(X) < 45:
                continue
            logits, state = network(X, None if wrong == "state_lost" else state)
            log_p = -logits.log_softmax(2)
            parts.append(log_p.gather(2, Y[..., None])[..., 0].double())
            inputs.append(log_p.gather(2, X[..., None])[..., 0].double())
    if wrong != "mode_lost":
        network.train(was)
    nats, means = torch.cat(parts), torch.stack([part.mean() for part in parts])
    mean = nats.mean()
    results = {
        "mean_of_exps": means.exp().mean(),
        "mean_of_means": means.mean().exp(),
        "mean_of_inverses": nats.exp().mean(),
        "inverse_of_mean": 1 / (-nats).exp().mean(),
        "no_exp": mean,
        "power_of_two": 2**mean,
        "bits": (mean / math.log(2)).exp(),
        "sign": (-mean).exp(),
        "over_windows": (nats.sum() / len(parts)).exp(),
        "over_streams": (nats.sum() / len(nats)).exp(),
        "total": nats.sum(),
        "inputs_as_targets": torch.cat(inputs).mean().exp(),
    }
    return float(results.get(wrong, mean.exp()))


perplexity = Task(
    name="perplexity",
    title="Perplexity of a language model",
    label="eq-perplexity",
    wanted=("function", "perplexity"),
    reference=training.perplexity,
    cases=[perplexity_case(303, 1), perplexity_case(851, 3), perplexity_case(2172, None)],
    variants=bank(
        judged,
        {
            "mean_of_exps": "You take the mean of the windows' perplexities. The exponential comes "
            "last ({eq-perplexity}); before the mean it makes hard windows count for more "
            "({ex-mean-of-exp}).",
            "mean_of_means": "You take the mean of the windows' cross-entropies, so that a token "
            "of the shorter last window counts for more. Add up over all tokens, and divide by "
            "their number N ({eq-perplexity}).",
            "mean_of_inverses": "You take the mean of 1/p. Perplexity is the exponential of the "
            "mean of -ln p: the logarithm first, then the mean ({eq-perplexity}).",
            "inverse_of_mean": "You take the mean of the probabilities. It is their logarithms "
            "whose mean is taken ({eq-perplexity}); one impossible token then costs everything, "
            "as it should.",
            "no_exp": "You return the mean cross-entropy, in nats. The exponential is missing "
            "({eq-perplexity}).",
            "power_of_two": "Your cross-entropy is in nats, and you take 2 to its power. "
            "PyTorch's logarithms are natural ones: take `math.exp`. With 2 you would need bits.",
            "bits": "Your cross-entropy is in bits, and you take the exponential. Either nats and "
            "`exp`, or bits and a power of 2 ({eq-perplexity}).",
            "sign": "Your result is below 1: the minus sign before the mean of ln p is missing "
            "({eq-perplexity}).",
            "over_windows": "You divide the total cross-entropy by the number of windows. N is the "
            "number of tokens ({eq-perplexity}).",
            "over_streams": "You divide the total cross-entropy by the number of steps, and forget "
            "that each step has `batch_size` tokens. N is the number of tokens ({eq-perplexity}).",
            "total": "You return the total cross-entropy of the text. Divide it by the number of "
            "tokens, and take the exponential ({eq-perplexity}).",
            "inputs_as_targets": "You ask how probable the inputs themselves are. The model's "
            "scores at a step are those of the token *after* it ({eq-softmax}).",
            "state_lost": "Every window of yours begins with no state, so that its first tokens "
            "are judged without a past. Hand the state on from window to window "
            "({sec-windows}).",
            "one_stream": "You read the text in one stream, whatever `batch_size` is. Cut it into "
            "`batch_size` streams side by side, as `consecutive_batches` does.",
            "end_lost": "You leave out the last window where it is shorter. Every token that has "
            "a target counts.",
            "training_mode": "The model is judged as it trains, with dropout if it has any. Put it "
            "into evaluation mode first, `model.eval()`.",
            "mode_lost": "The result is right, but the model stays in evaluation mode: whoever "
            "trains on would do so without dropout. Remember `model.training`, and put it back.",
        },
    ),
    hints=[
        "`consecutive_batches(tokens, batch_size, num_steps)` gives inputs and targets; hand the "
        "model's state on from window to window, under `torch.no_grad()` and in evaluation mode.",
        "Add up the cross-entropy of all tokens: `F.cross_entropy(logits.flatten(0, 1), "
        "Y.flatten(), reduction='sum')`, and count them with `Y.numel()`.",
        "The result is `math.exp(total / count)`. Put the model back into the mode it was in.",
    ],
    passed="The result is {eq-perplexity}, over every token that has one before it, with one "
    "stream, three and eight; the state goes from window to window, the model reads in evaluation "
    "mode and is in its own again afterwards.",
    read={
        "mean_of_exps": "ex-mean-of-exp",
        "state_lost": "sec-windows",
        "one_stream": "sec-windows",
    },
)


# --- One probability, by counting

TEXT = "abracadabra abraham barbara aaab"


def witten_bell_case(text: str, h: str, w: str, V: int = 27) -> Case:
    """Return a case of one symbol after one context."""

    def run(program: Any) -> Seen:
        return {f"p({w!r} | {h!r})": number(program(text, h, w, V))}

    return Case(f"the text {text!r}, V = {V}", run)


def sum_case(text: str, h: str) -> Case:
    """Return a case of all symbols after one context."""

    def run(program: Any) -> Seen:
        symbols = "abcdefghijklmnopqrstuvwxyz "
        total = sum(number(program(text, h, w, 27)) for w in symbols)
        return {f"the sum over all w of p(w | {h!r})": total}

    return Case(f"the text {text!r}, V = 27", run)


def counted(wrong: str, text: str, h: str, w: str, V: int) -> float:
    """Return p(w | h) with one thing wrong, which is named."""
    shorter = 0.0
    rest = h[:-1] if wrong == "newest_dropped" else h[1:]
    if h and wrong != "straight_to_uniform":
        shorter = counted(wrong, text, rest, w, V)
    elif wrong != "no_uniform":
        shorter = 1 / V
    k = len(h)
    after = Counter(text[i + k] for i in range(len(text) - k) if text.startswith(h, i))
    c, total, u = after[w], after.total(), len(after)
    if wrong == "not_overlapping":
        c, total = text.count(h + w), sum(text.count(h + v) for v in after)
    if wrong == "last_counted" and h:
        total = sum(text.startswith(h, i) for i in range(len(text)))
    if not after:
        return 0.0 if wrong == "unseen_is_zero" else shorter
    if wrong == "occurrences":
        u = total
    if wrong == "all_symbols":
        u = V
    if wrong == "one_more":
        u = 1
    if wrong == "not_smoothed":
        return c / total
    if wrong == "backed_off":
        return c / (total + u) if c else u * shorter / (total + u)
    if wrong == "no_brackets":
        return c + u * shorter / (total + u)
    if wrong == "denominator":
        return (c + u * shorter) / total
    if wrong == "add_one":
        return (c + 1) / (total + V)
    return (c + u * shorter) / (total + u)


witten_bell = Task(
    name="witten_bell",
    title="One probability by counting, smoothed",
    label="ex-witten-bell",
    wanted=("function", "witten_bell"),
    reference=reference_witten_bell,
    cases=[
        witten_bell_case(TEXT, "", "a"),
        witten_bell_case(TEXT, "a", "b"),
        witten_bell_case(TEXT, "ra", " "),
        witten_bell_case(TEXT, "ra", "b"),
        witten_bell_case(TEXT, "aa", "a"),
        witten_bell_case(TEXT, "ab", "r"),
        witten_bell_case(TEXT, "zra", "c"),
        witten_bell_case("abab", "ab", "z", 5),
        sum_case(TEXT, "ra"),
    ],
    variants=bank(
        counted,
        {
            "occurrences": "You give h' as much weight as the context has occurrences, c(h), and "
            "so one half always. Its weight is u(h), the number of *different* symbols after h "
            "({eq-witten-bell}).",
            "all_symbols": "You take V for u(h). Only the different symbols that came after h "
            "count ({eq-witten-bell}).",
            "one_more": "You give h' the weight 1 everywhere. It is u(h), the number of different "
            "symbols after h ({eq-witten-bell}).",
            "newest_dropped": "Your shorter context h' has lost its newest symbol. It is the "
            "oldest that tells least and goes first: `h[1:]`.",
            "straight_to_uniform": "You go from the whole context straight to 1 / V. The next "
            "shorter context h' comes in between, and so on down ({eq-witten-bell}).",
            "no_uniform": "Below your empty context stands nothing, so that a symbol which never "
            "occurs has probability 0. There stands the uniform distribution, 1 / V.",
            "unseen_is_zero": "A context that never occurs gives 0 to every symbol. It is replaced "
            "by the shorter one: return p(w | h').",
            "not_smoothed": "You return the plain ratio c(h, w) / c(h), which is 0 for all that "
            "has not been seen. Mix it with p(w | h') ({eq-witten-bell}).",
            "backed_off": "You ask h' only where w never came after h. Here the two are mixed "
            "everywhere: the sum over all w would not be 1 otherwise ({eq-witten-bell}).",
            "denominator": "You divide by c(h) alone, so that the probabilities of all symbols add "
            "up to more than 1. The denominator is c(h) + u(h) ({eq-witten-bell}).",
            "no_brackets": "Your sum lacks its brackets: only the second term is divided. Both "
            "stand above the line ({eq-witten-bell}).",
            "add_one": "You add one to every count. That takes much from what has been seen, and "
            "gives as much to each of the others, likely or not; here h' says how it is shared "
            "({eq-witten-bell}).",
            "not_overlapping": "You count with `text.count`, which passes over occurrences that "
            "overlap: in 'aaa' it finds 'aa' once. Look at each place i of the text, with "
            "`text.startswith(h, i)`.",
            "last_counted": "Your c(h) counts an occurrence at the very end of the text, which "
            "has no symbol after it. c(h) is the sum of c(h, w) over all w.",
        },
    ),
    hints=[
        "`Counter(text[i + len(h)] for i in ... if text.startswith(h, i))` counts the symbols "
        "after h; i stops where no symbol comes after h any more.",
        "The `total()` of that Counter is c(h), its length is u(h), and `after[w]` is c(h, w), 0 "
        "where w was not seen.",
        "p(w | h') is the function itself, called with `h[1:]`; with an empty h it is 1 / V. If "
        "nothing was counted, return it as it is. Otherwise {eq-witten-bell}.",
    ],
    passed="Probabilities are those of {eq-witten-bell}: after no symbol, one, two and three, "
    "where the context is at the end of the text, overlaps itself, or was never seen; and they "
    "add up to 1.",
    doc="""Return p(w | h) as Witten and Bell smooth it.

    Args:
        text: a string, in which is counted.
        h: the context, a string, the newest symbol last; it may be empty.
        w: one symbol.
        V: the number of symbols there are.

    Returns:
        a number; over all V symbols they add up to 1.
    """,
)


# --- A mixture of two models


def mixture_case(w: float, N: int = 6) -> Case:
    """Return a case of two models' probabilities of N symbols."""

    def run(program: Any) -> Seen:
        pair = [(numbers(m, (N,), torch.float64) * 0.4 + 0.5).numpy() for m in ("one", "two")]
        before = [p.copy() for p in pair]
        result = number(program(w, *pair))
        same = all(map(np.array_equal, pair, before))
        return {CHANGED: "nothing" if same else "the probabilities", "the perplexity": result}

    return Case(f"probabilities of {N} symbols and w = {w}", run)


def mixed(wrong: str, w: float, network: Floats, counts: Floats) -> float:
    """Mix two models with one thing wrong, which is named."""
    if wrong == "exchanged":
        w = 1 - w
    if wrong == "always_half":
        w = 0.5
    p = w * network + (1 - w) * counts
    if wrong == "logarithms":
        p = np.exp(w * np.log(network) + (1 - w) * np.log(counts))
    if wrong == "not_shared":
        p = w * network + counts
    if wrong == "product":
        p = network * counts
    if wrong == "larger":
        p = np.maximum(network, counts)
    log_p = np.log(p)
    results = {
        "perplexities": w * np.exp(-np.log(network).mean())
        + (1 - w) * np.exp(-np.log(counts).mean()),
        "no_exp": -log_p.mean(),
        "sign": np.exp(log_p.mean()),
        "total": np.exp(-log_p.sum()),
        "mean_of_p": 1 / p.mean(),
        "mean_of_inverses": (1 / p).mean(),
        "bits": np.exp(-np.log2(p).mean()),
    }
    return float(results.get(wrong, np.exp(-log_p.mean())))


mixture = Task(
    name="mixture",
    title="Mixing two models",
    label="ex-mixing",
    wanted=("function", "mixture"),
    reference=reference_mixture,
    cases=[
        mixture_case(0.3),
        mixture_case(0.0),
        mixture_case(1.0),
        mixture_case(0.5),
        mixture_case(0.8, 1),
    ],
    variants=bank(
        mixed,
        {
            "logarithms": "You mix the logarithms. The mean of logarithms is the logarithm of a "
            "product, and such numbers do not add up to 1 over all symbols. Mix the probabilities, "
            "then take the logarithm.",
            "exchanged": "The weights are exchanged: `w` is that of the network, `1 - w` that of "
            "counting.",
            "always_half": "Your weight is one half whatever `w` is.",
            "not_shared": "Your second weight is 1. The two weights add up to 1, so that "
            "probabilities do: `w` and `1 - w`.",
            "product": "You multiply the two probabilities. A mixture adds them, with weights "
            "that add up to 1.",
            "larger": "You take the larger of the two probabilities at each symbol. Nobody can "
            "know beforehand which it will be: over all symbols they add up to more than 1.",
            "perplexities": "You mix the perplexities of the two models. Then the mixture could "
            "never be better than both. Mix the probabilities of each symbol first.",
            "no_exp": "You return the mean of -ln p. The exponential is missing ({eq-perplexity}).",
            "sign": "Your result is below 1: the minus sign before the mean of ln p is missing "
            "({eq-perplexity}).",
            "total": "You add up -ln p over all symbols. Perplexity takes their mean: divide by "
            "their number ({eq-perplexity}).",
            "mean_of_p": "You take the mean of the probabilities. Perplexity takes the mean of "
            "their logarithms ({eq-perplexity}).",
            "mean_of_inverses": "You take the mean of 1/p. The logarithm comes first, then the "
            "mean, then the exponential ({eq-perplexity}).",
            "bits": "Your logarithm has base 2, your exponential base e. Take `np.log` with "
            "`np.exp` ({eq-perplexity}).",
        },
    ),
    hints=[
        "What is mixed are the two probabilities of each symbol, `w * network + (1 - w) * "
        "counted`: an array of shape (N,).",
        "Then the perplexity of the mixture, {eq-perplexity}: exp of the mean of -ln p.",
    ],
    passed="The perplexity is that of the mixed probabilities, for w between 0 and 1 and at both "
    "ends ({eq-perplexity}).",
    doc="""Return the perplexity of a mixture of two models.

    Args:
        w: the weight of the network, in [0, 1]; counting has the rest.
        network: the probabilities that the network gives to the symbols of a text, shape (N,).
        counted: those that counting gives.

    Returns:
        a number.
    """,
)


# --- F1


def f1_case(shape: tuple[int, ...], found: float, truth: float) -> Case:
    """Return a case of answers, with these shares of them yes."""

    def run(program: Any) -> Seen:
        pair = [
            numbers(name, shape, torch.float64) < 2 * share - 1
            for name, share in (("found", found), ("truth", truth))
        ]
        before = [each.clone() for each in pair]
        result = number(program(*pair))
        same = all(map(torch.equal, pair, before))
        return {CHANGED: "nothing" if same else "`found` or `truth`", "F1": result}

    return Case(f"`found` and `truth` of shape {shape}", run)


def f_measure(wrong: str, found: Tensor, truth: Tensor) -> float:
    """Compute F1 with one thing wrong, which is named."""
    TP, FP = (found & truth).sum().item(), (found & ~truth).sum().item()
    FN, TN = (~found & truth).sum().item(), (~found & ~truth).sum().item()
    precision, recall = TP / (TP + FP), TP / (TP + FN)
    results = {
        "share_of_right": (TP + TN) / truth.numel(),
        "precision": precision,
        "recall": recall,
        "mean": (precision + recall) / 2,
        "not_doubled": TP / (2 * TP + FP + FN),
        "overlap": TP / (TP + FP + FN),
        "no_counted": 2 * (TP + TN) / (2 * TP + FP + FN),
        "one_kind": 2 * TP / (2 * TP + FP),
        "other_answer": 2 * TN / (2 * TN + FP + FN),
        "percent": 100 * 2 * TP / (2 * TP + FP + FN),
        "no_brackets": 2 * TP / 2 * TP + FP + FN,
        "hits_once": 2 * TP / (TP + FP + FN),
        "larger_sum": TP / max(TP + FP, TP + FN),
    }
    return float(results[wrong])


f1 = Task(
    name="f1",
    title="F1",
    label="eq-bi-f1",
    wanted=("function", "f1"),
    reference=reference_f1,
    cases=[f1_case((40,), 0.4, 0.3), f1_case((9, 5), 0.2, 0.5), f1_case((30,), 0.7, 0.6)],
    variants=bank(
        f_measure,
        {
            "share_of_right": "You return the share of right answers. Where most answers are *no*, "
            "always saying so looks good by it; F1 does not count them ({eq-bi-f1}).",
            "precision": "You return the share of what was found that is right, and what was "
            "missed costs nothing. The denominator is 2 TP + FP + FN ({eq-bi-f1}).",
            "recall": "You return the share of the true ends that were found, and what was found "
            "in vain costs nothing. The denominator is 2 TP + FP + FN ({eq-bi-f1}).",
            "mean": "You take the arithmetic mean of precision and recall. F1 is their harmonic "
            "mean, 2 TP over 2 TP + FP + FN ({eq-bi-f1}).",
            "not_doubled": "The 2 above the line is missing: with everything right you would "
            "return one half ({eq-bi-f1}).",
            "overlap": "You count what is right once above and below the line. In F1 it counts "
            "twice in both ({eq-bi-f1}).",
            "no_counted": "Your hits include the places where both say *no*. TP counts those where "
            "both say *yes*: `found & truth` ({eq-bi-f1}).",
            "one_kind": "What was missed, FN, does not enter your denominator ({eq-bi-f1}).",
            "other_answer": "You count the *no* as what is looked for. TP is the number of places "
            "where `found` and `truth` are both True ({eq-bi-f1}).",
            "no_brackets": "Your denominator lacks its brackets: Python divides by 2 and then "
            "multiplies. Write `2 * TP / (2 * TP + FP + FN)`.",
            "hits_once": "Your denominator counts TP once. With everything right you would "
            "return 2 ({eq-bi-f1}).",
            "larger_sum": "You divide by the larger one of what was found and what is true. The "
            "denominator is their sum, and TP stands twice above it ({eq-bi-f1}).",
            "percent": "Your result is in per cent. F1 is 1 if all is right ({eq-bi-f1}).",
        },
    ),
    hints=[
        "`found & truth` is True where both are; its `sum()` is TP.",
        "The number of ends found is TP + FP, and that of true ends TP + FN: the denominator is "
        "the sum of the two sums.",
    ],
    passed="F1 is that of {eq-bi-f1}, for answers of one axis and of two.",
    doc="""Return F1 of what was found.

    Args:
        found: True where an end was found, of any shape.
        truth: True where there is one, of the same shape.

    Returns:
        a number, 1 if all is right and 0 if no end was found.
    """,
)


# --- The share of right answers, without the padding


def share_case(T: int, lengths: list[int]) -> Case:
    """Return a case of answers (T, B), of which column b has lengths[b]."""

    def run(program: Any) -> Seen:
        shape = T, len(lengths)
        given = [
            numbers("answers", shape, torch.float64) > 0.2,
            numbers("right answers", shape, torch.float64) > 0.1,
            torch.tensor(lengths),
        ]
        before = [each.clone() for each in given]
        result = number(program(*given))
        same = all(map(torch.equal, given, before))
        return {CHANGED: "nothing" if same else "what was given", "the share": result}

    return Case(f"answers of shape ({T}, {len(lengths)}) and lengths {lengths}", run)


def shared(wrong: str, found: Tensor, truth: Tensor, lengths: Tensor) -> float:
    """Compute a share of right answers with one thing wrong, which is named."""
    if wrong == "axes":
        return float((found == truth)[torch.arange(len(truth)) < lengths].double().mean())
    t = torch.arange(len(truth))[:, None]
    n = lengths + {"one_too_many": 1, "one_too_few": -1}.get(wrong, 0)
    real = t < n
    if wrong == "longest":
        real = t < lengths.max() + 0 * lengths
    if wrong == "shortest":
        real = t < lengths.min() + 0 * lengths
    if wrong == "from_the_end":
        real = t >= len(truth) - lengths
    right = found == truth
    of_each = (right & real).sum(0) / real.sum(0)
    results = {
        "all_places": right.double().mean(),
        "mean_of_columns": of_each.mean(),
        "over_all": (right & real).sum() / right.numel(),
        "over_real": right.sum() / real.sum(),
        "padding_right": (right | ~real).double().mean(),
        "count": (right & real).sum(),
        "percent": 100 * right[real].double().mean(),
        "wrong_ones": (~right)[real].double().mean(),
        "truth_only": right[real & truth].double().mean(),
        "both_yes": (found & truth)[real].double().mean(),
        "first_column": right[: int(lengths[0]), 0].double().mean(),
        "whole_columns": (right | ~real).all(0).double().mean(),
    }
    return float(results[wrong] if wrong in results else right[real].double().mean())


def explain_share(difference: Difference) -> str:
    """Say what a share above 1 means."""
    if isinstance(difference.found, float) and difference.found > 1:
        return "A share lies between 0 and 1."
    return ""


share_right = Task(
    name="share_right",
    title="Right answers, without the padding",
    label="ex-bi-padding",
    wanted=("function", "share_right"),
    reference=reference_share,
    cases=[
        share_case(9, [9, 4, 6, 2]),
        share_case(8, [5, 3, 6, 4, 7]),
        share_case(6, [6, 6]),
        share_case(7, [3]),
    ],
    variants=bank(
        shared,
        {
            "all_places": "You count all places of the batch, the padding included. Only the first "
            "`lengths[b]` places of column b hold answers ({ex-bi-padding}).",
            "mean_of_columns": "You take the share of each column and then their mean, so that a "
            "letter of a short sentence counts for more. Count right answers and places of all "
            "columns, and divide once.",
            "over_all": "The padding is not counted as right, but your denominator still holds it: "
            "divide by the number of real places, `lengths.sum()`.",
            "over_real": "You divide by the real places, and count right answers on the padding, "
            "too. The share can then exceed 1.",
            "padding_right": "You count the padding as right. It is no answer at all: leave it out "
            "above and below the line.",
            "one_too_many": "Your columns are one place too long: places count from 0, so those of "
            "column b are `t < lengths[b]`.",
            "one_too_few": "Your columns are one place too short: places count from 0, so the last "
            "of column b is `lengths[b] - 1`.",
            "longest": "You cut every column at the longest length. Each has a length of its own.",
            "shortest": "You cut every column at the shortest length, and lose answers of all "
            "others. Each has a length of its own.",
            "from_the_end": "You count the last places of each column. The padding comes after the "
            "answers: the first `lengths[b]` places are real.",
            "axes": "Your places are a row that meets the lengths, another row, number by number. "
            "Time is the first axis of (T, B): make a column of the places, "
            "`torch.arange(T)[:, None]`, and each meets every length.",
            "count": "You return the number of right answers. Divide it by the number of real "
            "places.",
            "percent": "Your share is in per cent. It is to lie between 0 and 1.",
            "wrong_ones": "You return the share of wrong answers.",
            "truth_only": "You look only at places where the right answer is *yes*. What is asked "
            "for is the share over all real places.",
            "both_yes": "You count the places where both are *yes*. An answer *no* is right, too, "
            "where there is no end: `found == truth`.",
            "first_column": "You look at the first column alone. All columns of the batch count.",
            "whole_columns": "You count a column as right if all of its answers are. What is asked "
            "for is the share of single answers.",
        },
    ),
    hints=[
        "`torch.arange(T)[:, None] < lengths` is True on the real places, shape (T, B).",
        "`(found == truth)[real]` holds the answers on real places and no others.",
        "Their mean, as floats, is the share; `.item()` makes a number of it.",
    ],
    passed="The share is that over real places alone, whatever the padding holds, for columns of "
    "different lengths, of equal ones, and for one column ({ex-bi-padding}).",
    explain=explain_share,
    doc="""Return the share of right answers over the real places of a padded batch.

    Args:
        found: the answers, True or False, shape (T, B).
        truth: the right ones, of the same shape.
        lengths: how many places of each column are real, integers of shape (B,); the rest is
            padding and counts for nothing.

    Returns:
        a number between 0 and 1.
    """,
)
