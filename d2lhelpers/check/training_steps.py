"""Tasks: what happens around a layer while it is trained."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers import layers, model, training
from d2lhelpers.batches import Batch
from d2lhelpers.check.core import CHANGED, RETURNED, Case, Difference, Seen, Task, Variant, describe
from d2lhelpers.check.probe import fill, numbers, tensors
from d2lhelpers.check.written import gradients_by_hand as reference_gradients
from d2lhelpers.model import LanguageModel, State


def quietly(make: Callable[[], Any]) -> Any:
    """Return what is made, and leave the random numbers of the program that is checked alone."""
    with torch.random.fork_rng(devices=[]):
        return make()


def bank(program: Callable[..., Any], says: dict[str, str]) -> dict[str, Variant]:
    """Return the variants of a program whose first argument is the name of a mistake."""
    return {name: Variant(functools.partial(program, name), text) for name, text in says.items()}


# --- Detach


def nested(state: State) -> str:
    """Tell of what kind a state is: a tensor, or what of tensors."""
    if isinstance(state, (tuple, list)):
        return f"a {type(state).__name__} of ({', '.join(nested(part) for part in state)})"
    return "a tensor" if isinstance(state, Tensor) else describe(state)


def state_case(given: str, make: Callable[[Callable[[int], Tensor]], State]) -> Case:
    """Return a case of a state, made of tensors that each have a graph behind them."""

    def run(program: Any) -> Seen:
        def part(i: int) -> Tensor:
            return numbers(f"part {i}", (2, 3), torch.float32).requires_grad_() * 2

        state = make(part)
        before = [each.detach().clone() for each in tensors(state)]
        result = program(state)
        seen: Seen = {RETURNED: nested(result)}
        if seen[RETURNED] != nested(state):
            return seen
        for i, each in enumerate(tensors(result), 1):
            seen[f"the values of tensor {i}"] = each.detach()
            seen[f"the graph behind tensor {i}"] = "cut off" if each.grad_fn is None else "there"
            seen[f"`requires_grad` of tensor {i}"] = each.requires_grad
        whole = all(
            each.grad_fn is not None and torch.equal(each, was)
            for each, was in zip(tensors(state), before, strict=True)
        )
        seen[CHANGED] = "nothing" if whole else "the state that was given"
        return seen

    return Case(given, run)


def detached(wrong: str, state: State) -> State:
    """Cut a state off, with one thing wrong, which is named."""
    both = functools.partial(detached, wrong)
    if wrong == "not_cut":
        return state
    if wrong == "pair_only":
        H, C = state
        return H.detach(), C.detach()
    if wrong == "lists_missed" and isinstance(state, list):
        return state.detach()  # type: ignore[attr-defined]
    if isinstance(state, (tuple, list)):
        if wrong == "pairs_not_cut":
            return state
        if wrong == "first_only" and len(state):
            return type(state)([both(state[0]), *state[1:]])
        if wrong == "list":
            return [both(part) for part in state]
        if wrong == "tuple":
            return tuple(both(part) for part in state)
        if wrong == "one_level":
            return type(state)(part.detach() for part in state)
        if wrong == "generator":
            return (both(part) for part in state)
        if wrong == "stacked":
            return torch.stack([both(part) for part in state])
        return type(state)(both(part) for part in state)
    if state is None and wrong != "none":
        return None
    if wrong == "zeros":
        return torch.zeros_like(state)
    if wrong == "requires_grad":
        return state.detach().requires_grad_()
    if wrong == "in_place":
        return state.detach_()
    return state.detach()


detach = Task(
    name="detach",
    title="Cut a state off its history",
    label="sec-truncation",
    wanted=("function", "detach"),
    reference=model.detach,
    cases=[
        state_case("a state that is a tensor", lambda part: part(1)),
        state_case("a state that is a pair of tensors", lambda part: (part(1), part(2))),
        state_case(
            "a tuple of a tensor and a pair",
            lambda part: (part(1), (part(2), part(3))),
        ),
        state_case("a list of two tensors", lambda part: [part(1), part(2)]),
        state_case("None for a state", lambda part: None),
    ],
    variants=bank(
        detached,
        {
            "not_cut": "You return the state as it was, with the graph that made it: a gradient "
            "would run back through all windows before. (`with torch.no_grad()` changes nothing "
            "about a tensor that is already there.) `state.detach()` is the same values without "
            "the graph ({sec-truncation}).",
            "pairs_not_cut": "A tensor is cut off, but a tuple or a list is returned as it was. "
            "The state of an LSTM is the pair (H, C): go through the parts and cut each.",
            "first_only": "Only the first part of a pair is cut off. The gradient would run back "
            "through the second, the memory C of an LSTM: cut every part.",
            "list": "Your parts are right, but a tuple comes back as a list, and `nn.LSTM` takes "
            "a tuple. `type(state)(...)` makes again what it was.",
            "lists_missed": "Tuples are cut off, but a list is taken for a tensor, and has no "
            "`detach`. Ask `isinstance(state, (tuple, list))`.",
            "tuple": "Your parts are right, but a list comes back as a tuple. `type(state)(...)` "
            "makes again what it was.",
            "one_level": "You cut the parts of a tuple, but a part may be a tuple itself: a stack "
            "of LSTMs has a pair for each layer. Let the function call itself for each part.",
            "pair_only": "Your function knows pairs only. The state of an RNN or a GRU is one "
            "tensor, before the first window it is None, and a stack has a state for each layer.",
            "generator": "You return a generator, which computes nothing until someone goes "
            "through it, and only once. Make a tuple or a list of it, `type(state)(...)`.",
            "stacked": "You make one tensor of the parts of a state. The layer wants it back as "
            "it gave it, a tuple of as many.",
            "zeros": "Your state is zeros: what the network has read so far is lost with the "
            "graph. Keep the values, and let go the graph alone ({sec-truncation}).",
            "requires_grad": "The state is cut off, and asks for a gradient of its own again "
            "(`requires_grad_`): each window computes one that nobody reads. Leave it a plain "
            "number.",
            "in_place": "The values are right, but `detach_` cuts off the very tensor that you "
            "were given: whoever still has it, for a loss that has not gone backward yet, finds "
            "its graph gone. `detach` without the underscore makes another.",
            "none": "Before the first window there is no state: `None` has to stay `None`.",
        },
    ),
    hints=[
        "A tensor has a method that returns its values without the graph behind them.",
        "A state may also be None, or a tuple or list of states. For those let your function call "
        "itself on each part.",
        "`type(state)(detach(part) for part in state)` makes a tuple of a tuple and a list of a "
        "list.",
    ],
    passed="The values stay and no gradient passes, for a tensor, a pair, a nested tuple, a list "
    "and None; what was given still has its graph ({sec-truncation}).",
    doc="""Return a state cut off the graph that made it.

    Args:
        state: a tensor, None, or a tuple or list of states (those of later layers are).

    Returns:
        the same values in the same form, through which no gradient passes.
    """,
)


# --- Clipping


def clipping_case(
    threshold: str, max_norm: float | None, whole: bool = False, once: bool = False
) -> Case:
    """Return a case of three parameters, of which the second has no gradient unless it is whole."""

    def run(program: Any) -> Seen:
        shapes = {"A": (2, 3), "B": (4,), "C": (3, 1)}
        parameters = {n: nn.Parameter(numbers(n, s, torch.float32)) for n, s in shapes.items()}
        for name in shapes if whole else "AC":
            parameters[name].grad = numbers(f"gradient {name}", shapes[name], torch.float32, 3.0)
        given = list(parameters.values())
        try:
            norm = program(iter(given) if once else given, max_norm)
        except (AttributeError, TypeError) as error:
            if "NoneType" not in str(error) or none is None:
                raise
            return {f"where {none} is None, your code": "stops with an error"}
        scalar = isinstance(norm, float) or (isinstance(norm, Tensor) and norm.dim() == 0)
        seen: Seen = {f"where {none} is None, your code": "goes on"} if none else {}
        seen |= {"the norm returned": float(norm) if scalar else describe(norm)}
        for name, parameter in parameters.items():
            gradient = parameter.grad
            seen[f"the gradient of {name}"] = "None" if gradient is None else gradient
        for name, parameter in parameters.items():
            seen[f"the parameter {name}"] = parameter.detach()
        return seen

    none = ("`max_norm`" if max_norm is None else None) if whole else "a gradient"
    told = "three parameters" if whole else "two of three parameters"
    form = ", given as `model.parameters()`, which can be gone through once" if once else ""
    return Case(f"gradients of {told}, {threshold}{form}", run)


@torch.no_grad()
def clipped(wrong: str, parameters: Iterable[nn.Parameter], max_norm: float | None) -> Any:
    """Clip gradients with one thing wrong, which is named."""
    if wrong != "consumed":
        parameters = list(parameters)
    if wrong == "none_missing":
        _ = [p.grad.norm() for p in parameters]  # type: ignore[union-attr]
    first = [p for p in parameters if p.grad is not None]
    rest = [p for p in parameters if p.grad is not None]  # none, of what was gone through
    gradients: list[Tensor] = [p.grad for p in first if p.grad is not None]
    norms = torch.stack([g.norm() for g in gradients])
    norm = float(norms.norm())
    if wrong == "not_rooted":
        norm = norm**2
    if wrong == "sum_of_norms":
        norm = float(norms.sum())
    if wrong == "largest_entry":
        norm = max(float(g.abs().max()) for g in gradients)
    if wrong == "sum_of_sizes":
        norm = sum(float(g.abs().sum()) for g in gradients)
    if wrong == "nothing_returned" and max_norm is None:
        return None
    if wrong == "root_of_mean":
        norm = norm / math.sqrt(len(gradients))
    if wrong == "none_compared":
        _ = norm > max_norm  # type: ignore[operator]
    if max_norm is not None and (norm > max_norm or wrong == "always_scaled"):
        factor = max_norm / norm
        factor = {"inverted": 1 / factor, "sign": -factor}.get(wrong, factor)
        for p, g in zip(first, gradients, strict=True):
            if wrong == "each_alone":
                g *= min(1.0, max_norm / float(g.norm()))
            elif wrong == "clamped":
                g.clamp_(-max_norm, max_norm)
            elif wrong == "weights":
                p.mul_(factor)
            elif wrong == "set_to_norm":
                g /= norm
            elif wrong != "copies" and (rest or wrong != "consumed"):
                g *= factor
    if wrong == "norm_after":
        return float(torch.stack([g.norm() for g in gradients]).norm())
    return None if wrong == "nothing_returned" else norm


clip_gradients = Task(
    name="clip_gradients",
    title="Gradient clipping",
    label="sec-clipping",
    wanted=("function", "clip_gradients"),
    reference=training.clip_gradients,
    cases=[
        clipping_case("max_norm 2, below their norm", 2.0, whole=True),
        clipping_case("max_norm 2, below their norm", 2.0),
        clipping_case("max_norm 50, above their norm", 50.0),
        clipping_case("max_norm None", None, whole=True),
        clipping_case("max_norm 2", 2.0, once=True),
    ],
    variants=bank(
        clipped,
        {
            "each_alone": "You clip each parameter's gradient by its own norm. The norm is taken "
            "over all parameters jointly ({eq-clipping}), and one factor scales them all: only so "
            "the direction stays.",
            "always_scaled": "You scale the gradients to the norm even where they are shorter. The "
            "factor is at most 1 ({eq-clipping}).",
            "not_rooted": "Your norm is the sum of squares: the square root is missing "
            "({eq-clipping}).",
            "sum_of_norms": "You add the norms of the parameters. The norm of all together is the "
            "root of the sum of their squares ({eq-clipping}).",
            "largest_entry": "Your norm is the largest entry. The Euclidean norm is the root of "
            "the sum of all squares ({eq-clipping}).",
            "sum_of_sizes": "Your norm is the sum of absolute values. The Euclidean norm is the "
            "root of the sum of squares ({eq-clipping}).",
            "clamped": "You cut each entry to ± `max_norm`. That turns the gradient into another "
            "direction; one factor for all keeps it ({eq-clipping}).",
            "inverted": "Your factor is upside down: long gradients get longer. It is `max_norm` "
            "divided by the norm ({eq-clipping}).",
            "sign": "Your gradients have the other sign: a step would go uphill. The factor is "
            "positive ({eq-clipping}).",
            "set_to_norm": "Your gradients have length 1 in place of `max_norm`: you divide by the "
            "norm, and the factor `max_norm` is missing ({eq-clipping}).",
            "weights": "You scale the parameters and leave their gradients as they are. What is "
            "clipped is `p.grad`.",
            "copies": "The gradients are as long as before: what you compute is a new tensor, "
            "`g = g * factor`, and nobody sees it. Change them in place, `g *= factor`, or set "
            "`p.grad`.",
            "consumed": "With a list of parameters your gradients are clipped, with "
            "`model.parameters()` they are not: it can be gone through once, and the loop that "
            "should scale finds nothing left ({ex-generator}). Make a list of it first.",
            "norm_after": "You return the norm that is left after clipping. What tells something "
            "about the training is the norm from before.",
            "nothing_returned": "The gradients are right, and nothing is returned. Return the norm "
            "from before the clipping, a number.",
            "root_of_mean": "You divide the sum of squares by the number of parameters before the "
            "root is taken. The norm is the root of the sum itself ({eq-clipping}).",
            "none_compared": "`max_norm` may be None, which clips nothing and only measures: ask "
            "`max_norm is not None` before you compare it with the norm.",
            "none_missing": "A parameter that took no part in the loss has no gradient: `p.grad` "
            "is None. Leave such parameters out, `if p.grad is not None`.",
        },
    ),
    hints=[
        "Some parameters have no gradient, `p.grad` is None: leave them out, and make a list of "
        "the others, since `model.parameters()` can be gone through only once.",
        "The joint norm is the norm of the norms: "
        "`torch.stack([g.norm() for g in gradients]).norm()`.",
        "If the norm is above `max_norm`, multiply each gradient in place by `max_norm / norm`. "
        "Return the norm from before.",
    ],
    passed="The gradients and the norm that is returned are those of {eq-clipping}: below the "
    "threshold, above it, and without one, from a list and from `model.parameters()`, with "
    "parameters that have no gradient.",
    read={"consumed": "ex-generator"},
    doc="""Scale all gradients by one factor so that their joint norm is at most max_norm.

    Args:
        parameters: as `model.parameters()`; those without a gradient are passed over.
        max_norm: above 0; None clips nothing and only measures.

    Returns:
        the norm before, a number.
    """,
)


# --- One pass over the text


BACKWARD = "the second `backward`"


def epoch_case(given: str, make: Callable[[], nn.Module], clip: float | None, carry: bool) -> Case:
    """Return a case of three windows, of which the last is shorter, and gradient descent."""

    def run(program: Any) -> Seen:
        network = quietly(lambda: LanguageModel(make(), 5))
        fill(network, torch.float32, 0.9)
        text = torch.tensor([1, 3, 0, 4, 2, 2, 1, 0, 3, 4, 1, 4, 0, 2, 3, 0, 1, 1, 4, 2, 3])
        X, Y = text[:20].view(2, 10).T, text[1:].view(2, 10).T
        windows: Iterator[Batch] = ((X[t : t + 4], Y[t : t + 4]) for t in (0, 4, 8))
        optimizer = torch.optim.SGD(network.parameters(), lr=2.0)
        try:
            result = program(network, windows, optimizer, clip, *([] if carry else [False]))
        except RuntimeError as error:
            if not re.search("second time|modified by an in-?place", str(error)):
                raise
            return {BACKWARD: "runs into the window before, whose graph is gone or out of date"}
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            alone = isinstance(result, (int, float, Tensor))
            return {RETURNED: "one number" if alone else describe(result)}
        loss, norms = result
        seen: Seen = {BACKWARD: "stays in its window", RETURNED: "a loss and norms"}
        seen["the mean loss"] = float(loss)
        if not isinstance(norms, (list, tuple)):
            return seen | {"the norms": describe(norms)}
        seen["the norms"] = torch.tensor([float(norm) for norm in norms])
        for name, parameter in network.named_parameters():
            seen[f"`{name}` afterwards"] = parameter.detach()
        return seen

    carried = "the state carried" if carry else "carry_state=False"
    return Case(f"{given}, three windows, clip_norm {clip}, {carried}", run)


def epoch(
    wrong: str,
    network: LanguageModel,
    windows: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    clip_norm: float | None,
    carry_state: bool = True,
) -> Any:
    """Train for one pass with one thing wrong, which is named."""
    state, total, count, means, norms = None, 0.0, 0, [], []
    for X, Y in windows:
        if wrong == "step_first":
            optimizer.step()
        carry = {"state_lost": False, "always_carried": True}.get(wrong, carry_state)
        kept = state if wrong == "not_detached" else model.detach(state)
        logits, state = network(X, kept if carry else None)
        targets = X if wrong == "inputs_as_targets" else Y
        rows = logits.flatten(0, 1)
        if wrong == "axes_mixed":
            rows = logits.permute(0, 2, 1).reshape(rows.shape)
        if wrong == "text_by_text":
            rows = logits.transpose(0, 1).flatten(0, 1)
        loss = F.cross_entropy(rows, targets.flatten())
        if wrong == "summed_loss":
            loss = loss * targets.numel()
        if wrong == "uphill":
            loss = -loss
        if wrong != "not_zeroed":
            optimizer.zero_grad()
        loss.backward()
        limit = None if wrong == "not_clipped" else clip_norm
        norms.append(training.clip_gradients(network.parameters(), limit))
        if wrong == "norm_after":
            norms[-1] = training.clip_gradients(network.parameters(), None)
        if wrong not in ("no_step", "step_first"):
            optimizer.step()
        mean = abs(loss.item()) / (Y.numel() if wrong == "summed_loss" else 1)
        total, count = total + mean * Y.numel(), count + Y.numel()
        means.append(mean)
    results = {
        "mean_of_means": sum(means) / len(means),
        "total": sum(means),
        "total_of_tokens": total,
        "last_loss": means[-1],
        "perplexity": math.exp(total / count),
    }
    if wrong == "loss_alone":
        return total / count
    return results.get(wrong, total / count), norms


def explain_epoch(difference: Difference) -> str:
    """Say what it means where a pass over the text first goes another way."""
    if difference.name == "the mean loss":
        return (
            "Each window counts with its number of tokens: add up `loss.item() * Y.numel()`, and "
            "divide by the sum of `Y.numel()`. If the first window is right and later ones are "
            "not, look at the step and at the state."
        )
    if difference.name == "the norms":
        return "The loss is right, so look at what stands between `backward` and `step`."
    return ""


train_epoch = Task(
    name="train_epoch",
    title="One pass over the text",
    label="sec-loop",
    wanted=("function", "train_epoch"),
    reference=training.train_epoch,
    cases=[
        epoch_case("a plain network", lambda: layers.RNN(3, 4), None, True),
        epoch_case("a plain network", lambda: layers.RNN(3, 4), 0.2, True),
        epoch_case("a plain network", lambda: layers.RNN(3, 4), 0.2, False),
        epoch_case("an LSTM, whose state is a pair", lambda: nn.LSTM(3, 4), 0.2, True),
    ],
    variants=bank(
        epoch,
        {
            "not_zeroed": "Your gradients pile up: each step also takes those of all windows "
            "before. `backward` adds to `p.grad`; call `optimizer.zero_grad()` before it.",
            "not_detached": "The state is handed on with the graph that made it, so the second "
            "`backward` runs into the first window, whose graph is gone. `detach` the state at "
            "each border ({sec-truncation}).",
            "state_lost": "Every window of yours begins anew, without a state or with zeros. With "
            "`carry_state` it goes on from the last state of the window before, whose values are "
            "kept ({sec-windows}).",
            "always_carried": "With `carry_state=False` your windows still go on from the state of "
            "the one before. Pass None then: such windows have nothing to do with each other.",
            "not_clipped": "Your gradients are not clipped when the optimizer takes its step. "
            "`clip_gradients(model.parameters(), clip_norm)` stands between `backward` and `step` "
            "({eq-clipping}); after the step it comes too late.",
            "no_step": "The weights are the same as before. Either `optimizer.step()` is missing, "
            "or there is no gradient when it is called: the order is `zero_grad`, `backward`, "
            "clipping, `step`.",
            "step_first": "You take the step before this window's `backward`, with the gradient "
            "of the window before. The order is `zero_grad`, `backward`, clipping, `step`.",
            "inputs_as_targets": "Your loss asks for the inputs themselves. The targets are Y, one "
            "step later.",
            "axes_mixed": "Your scores do not belong to their targets: symbols and texts have "
            "changed places before everything was laid out in rows. `logits.flatten(0, 1)` has a "
            "row of V scores for each token, (T B, V).",
            "text_by_text": "Your scores stand in rows text by text, your targets step by step. "
            "Lay both out alike: `logits.flatten(0, 1)` and `Y.flatten()`.",
            "summed_loss": "You go back from the sum of the losses of a window. Its gradient is "
            "as many times longer as the window has tokens; take the mean, as "
            "`F.cross_entropy` does unless told otherwise.",
            "uphill": "Your steps go uphill: the loss that you go back from has the wrong sign.",
            "mean_of_means": "You take the mean of the windows' losses, so that a token of the "
            "shorter last window counts for more than others. Divide the total over all tokens by "
            "their number, as in {eq-perplexity}.",
            "total": "You return the sum of the windows' losses. Divide the total over all tokens "
            "by the number of tokens.",
            "total_of_tokens": "You return the total cross-entropy of all tokens. Divide it by the "
            "number of tokens.",
            "last_loss": "You return the loss of the last window alone. Divide the total over all "
            "tokens by the number of tokens.",
            "perplexity": "You return the perplexity. What is asked for is the mean cross-entropy "
            "a token; the exponential is taken later.",
            "loss_alone": "You return the loss alone. The norms of the gradients, one a step, are "
            "asked for as well: `return total / count, norms`.",
            "norm_after": "The weights are right, and your norms are those after clipping. "
            "`clip_gradients` returns the norm from before: keep that.",
        },
    ),
    hints=[
        "For each window: the logits and the new state from the model, the cross-entropy of "
        "`logits.flatten(0, 1)` with `Y.flatten()`, one step of the optimizer.",
        "The order of a step is `zero_grad`, `backward`, `clip_gradients`, `step`. The state goes "
        "into the model as `detach(state)`, or as None where it is not to be carried.",
        "The last window may be shorter: add up `loss.item() * Y.numel()`, count the tokens, and "
        "divide at the end. Return that and the list of norms.",
    ],
    passed="Losses, norms and the weights after three windows are right, with clipping and "
    "without, with the state carried, a pair included, and without ({sec-loop}).",
    explain=explain_epoch,
    doc="""Take one step of the optimizer for each window of a text.

    Args:
        model: gives logits (T, B, V) and a state, from tokens (T, B) and a state or None.
        batches: inputs and targets, int64, each of shape (T, B); the last may be shorter.
        optimizer: of the model's parameters.
        clip_norm: as of `clip_gradients`.
        carry_state: begin each window with the last state of the one before, cut off its graph.

    Returns:
        the mean cross-entropy a token, and the list of the norms before clipping, one a step.
    """,
)


# --- Back-propagation through time, by hand

GRADIENTS = ("`W_xh`", "`W_hh`", "`b_h`")


def by_hand_case(T: int, B: int, D: int, H: int, dtype: torch.dtype, **more: str) -> Case:
    """Return a case of a layer, inputs, a first state and gradients of the outputs."""

    def run(program: Any) -> Seen:
        layer = quietly(lambda: layers.RNN(D, H))
        fill(layer, dtype, 0.9)
        X, H_0 = numbers("X", (T, B, D), dtype), numbers("H_0", (B, H), dtype)
        with torch.no_grad():
            states = torch.cat([H_0[None], layer(X, H_0)[0]])
            given = X.clone(), states.clone(), numbers("G", (T, B, H), dtype)
            before = [each.clone() for each in (*given, *layer.parameters())]
            result = program(layer, *given)
        same = all(map(torch.equal, before, (*given, *layer.parameters())))
        told = "nothing" if same else "what was given, `X`, `states`, `G` or the weights"
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            return {CHANGED: told, RETURNED: describe(result)}
        seen: Seen = {CHANGED: told, RETURNED: "three gradients"}
        for name, gradient in zip(GRADIENTS, result, strict=True):
            seen[f"the gradient of {name}"] = (
                gradient.detach() if isinstance(gradient, Tensor) else describe(gradient)
            )
        return seen

    kind = "" if dtype == torch.float32 else " in float64"
    return Case(f"T = {T}, B = {B}, D = {D}, H = {H}{kind}", run, **more)


def by_hand(wrong: str, layer: Any, X: Tensor, states: Tensor, G: Tensor) -> tuple[Tensor, ...]:
    """Compute gradients with one thing wrong, which is named."""
    T, before, after = len(G), states[:-1], states[1:]
    slopes = 1 - (before if wrong == "slope_of_before" else after) ** 2
    slopes = {"no_slope": torch.ones_like(slopes), "not_squared": 1 - after}.get(wrong, slopes)
    W = layer.W_hh if wrong == "not_transposed" else layer.W_hh.T
    delta, deltas = torch.zeros_like(G[0]), []
    for t in range(T) if wrong == "forwards" else reversed(range(T)):
        back = torch.zeros_like(delta) if wrong == "no_time" else delta @ W
        if wrong == "slope_of_output":
            delta = G[t] * slopes[t] + back
        elif wrong == "slope_late":
            delta = G[t] + back * slopes[t]
        else:
            delta = (G[t] + back) * slopes[t]
        deltas.append(delta)
    in_order = deltas if wrong in ("not_turned", "forwards") else deltas[::-1]
    rows = torch.stack(in_order)  # (T, B, H)
    H = after if wrong == "state_after" else before
    if wrong == "one_step":
        X, H, rows = X[-1:], H[-1:], rows[-1:]
    if wrong == "no_first":
        H, dW_rows = H[1:], rows[1:]
    else:
        dW_rows = rows
    dW_x = X.flatten(0, 1).T @ rows.flatten(0, 1)
    dW_h, db = H.flatten(0, 1).T @ dW_rows.flatten(0, 1), rows.flatten(0, 1).sum(0)
    if wrong == "mean":
        size = X.shape[1]
        dW_x, dW_h, db = dW_x / size, dW_h / size, db / size
    if wrong == "transposed":
        dW_x, dW_h = dW_x.T, dW_h.T
    if wrong == "sign":
        dW_x, dW_h, db = -dW_x, -dW_h, -db
    if wrong == "bias_of_steps":
        db = rows.sum(1)
    if wrong == "bias_of_one_step":
        db = rows[0].sum(0)
    if wrong == "exchanged":
        dW_x, dW_h = dW_h, dW_x
    return (dW_x, dW_h) if wrong == "no_bias" else (dW_x, dW_h, db)


gradients_by_hand = Task(
    name="gradients_by_hand",
    title="Back-propagation through time, by hand",
    label="eq-bptt",
    wanted=("function", "gradients_by_hand"),
    reference=reference_gradients,
    cases=[
        by_hand_case(5, 3, 4, 6, torch.float32),
        by_hand_case(1, 2, 3, 4, torch.float32),
        by_hand_case(4, 1, 2, 2, torch.float32),
        by_hand_case(
            3, 2, 5, 3, torch.float64, mistake="dtype",
            advice="With a layer of float64 your code goes wrong: let `torch.zeros_like(G[0])` "
            "give the first delta its type.",
        ),
    ],
    variants=bank(by_hand, {
        "no_time": "What comes back from the next step is missing: each of your deltas knows the "
        "output of its own step alone. Add the next step's delta times `W_hh` transposed, from the "
        "last step to the first ({eq-bptt}).",
        "not_transposed": "You multiply the next delta by `W_hh`. On the way back it is "
        "transposed: `delta @ W_hh.T` ({eq-bptt}).",
        "slope_of_before": "Your slope is that of the state before the step. It is `1 - H_t**2` of "
        "the step's own state, `states[t + 1]` where `states[0]` is the start ({eq-bptt}).",
        "no_slope": "The slope of tanh is missing: the factor `1 - H_t**2` takes the sum through "
        "it ({eq-bptt}).",
        "not_squared": "Your slope is `1 - H`. The derivative of tanh at its output h is `1 - "
        "h**2` ({eq-bptt}).",
        "slope_of_output": "Your slope multiplies the gradient of the output alone. The brackets "
        "hold the sum: what comes back from the next step goes through this tanh, too "
        "({eq-bptt}).",
        "slope_late": "Your slope multiplies only what comes back from the next step. The brackets "
        "hold the sum: the gradient of the output goes through this tanh, too ({eq-bptt}).",
        "forwards": "You go from the first step to the last. The delta of a step needs that of the "
        "*next* one: begin with the last ({eq-bptt}).",
        "not_turned": "Your deltas stand in the order in which you computed them, the last step "
        "first, and meet the inputs and states of other steps. Turn the list round.",
        "state_after": "In the gradient of `W_hh` stand the states after each step. `W_hh` has "
        "multiplied those before: `states[:-1]` ({eq-bptt}).",
        "no_first": "The gradient of `W_hh` misses the first step. `W_hh` has multiplied the first "
        "state, too, and it need not be zero: all of `states[:-1]` belong in the sum "
        "({eq-bptt}).",
        "one_step": "Your gradients hold the last step alone. The same weights act at every step, "
        "so their gradient is the sum over t ({eq-bptt}).",
        "mean": "Your gradients are divided by the number of texts B. The sum over rows is already "
        "in the matrix product; whether the loss is a mean is up to `G`.",
        "transposed": "Your gradients of the matrices are transposed. They have the shapes of "
        "`W_xh`, D × H, and `W_hh`: the states stand transposed on the left ({eq-bptt}).",
        "sign": "Your gradients have the other sign. A gradient points uphill; the optimizer turns "
        "it round.",
        "bias_of_one_step": "Your gradient of the bias is that of the first step alone. The same "
        "bias is added at every step: add up.",
        "no_bias": "You return two gradients. The bias has one, too: the sum of the deltas over "
        "steps and texts.",
        "exchanged": "You return the gradient of `W_hh` first. The order is `W_xh`, `W_hh`, `b_h`.",
        "bias_of_steps": "Your gradient of the bias has a row for each step. The same bias is "
        "added at all of them: sum over steps and texts, to shape (H,).",
    }),
    hints=[
        "Go from the last step to the first with `delta`, which begins as zeros. What is inside "
        "the brackets of {eq-bptt}: the gradient of this step's output, and what comes back from "
        "the next step.",
        "`delta = (G_t + delta @ layer.W_hh.T) * (1 - H_t**2)`, with H_t the state after the step, "
        "`states[t + 1]` if t counts from 0. Collect the deltas and turn them round.",
        "With all deltas as rows, (T B, H), each gradient is one product: `X` as rows (T B, D), "
        "transposed, times the deltas; the states *before* each step, transposed, times the "
        "deltas. The bias has their sum.",
    ],
    passed="The three gradients are those of {eq-bptt}, and so those of autograd: with several "
    "steps and with one, a first state that is not zero, in float32 and float64.",
    doc="""Compute the gradients of an RNN's parameters without autograd.

    Args:
        layer: an RNN with W_xh (D, H), W_hh (H, H) and b_h (H,).
        X: its inputs, shape (T, B, D).
        states: those before the first step and after each step, shape (T + 1, B, H).
        G: the gradients of the loss with respect to the outputs, each by way of its own step alone,
            shape (T, B, H).

    Returns:
        the gradients of W_xh (D, H), W_hh (H, H) and b_h (H,).
    """,
)  # fmt: skip
