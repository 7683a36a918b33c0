"""Task: let a language model write, with a temperature.

What is drawn at random is judged by its distribution. A program draws 440 symbols from a
model whose probabilities are known, and these draws are compared under several hypotheses: the
right distribution, those of common mistakes, and one that is learned from the draws themselves.
Each is a probability of the draws, so another one can exceed the right one by a factor of 10^8 in
at most one of 10^8 runs of a right program (Markov's inequality): with all hypotheses and cases
together, a right program is refused in less than one of 10^6 runs. It needs no assumption about
how a program uses its seed.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers import generation
from d2lhelpers.check.core import Case, Difference, Seen, Task, describe
from d2lhelpers.check.training_steps import bank, quietly
from d2lhelpers.model import LanguageModel, State
from d2lhelpers.text import Vocabulary

SYMBOLS = "abcd"
ROWS = 7  # states of the model
FACTOR = 18.42  # ln 10^8
TEMPERATURES, DRAWS = (0.5, 2.0), 220


class Walker(LanguageModel):
    """A language model that is a table: a state of seven, and for each the scores of four symbols.

    Reading symbol w in state s leads to state 3 s + w + 1, modulo seven; it begins in state 0. So
    the whole past matters, and the probabilities of whatever comes next are known.
    """

    def __init__(self) -> None:
        super().__init__(nn.RNN(2, 2), len(SYMBOLS))
        generator = torch.Generator(device="cpu").manual_seed(5)
        self.table = torch.rand(ROWS, len(SYMBOLS), generator=generator) * 6 - 3
        self.modes: set[bool] = set()

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        self.modes.add(self.training)
        columns = tokens.T.tolist()
        states = [0] * len(columns) if state is None else state[0, :, 0].tolist()
        rows = [follow(int(s), column) for s, column in zip(states, columns, strict=True)]
        last = torch.tensor([[[float(column[-1])] for column in rows]])  # (1, B, 1)
        return self.table[torch.tensor(rows).T], last

    def rows(self, text: str) -> list[int]:
        """Return the state after each symbol of a text."""
        return follow(0, [SYMBOLS.index(symbol) for symbol in text])


def follow(s: int, tokens: list[int]) -> list[int]:
    """Return the state after each token, from state s on."""
    rows = []
    for w in tokens:
        s = (3 * s + w + 1) % ROWS
        rows.append(s)
    return rows


VOCABULARY = Vocabulary(SYMBOLS)
PREFIX = "badcab"


def written(program: Any, length: int, prefix: str = PREFIX, **how: Any) -> tuple[str, Walker]:
    """Let a program write, and return the text and the model it was given."""
    network = quietly(Walker).train()
    return program(network, VOCABULARY, prefix, length, **how), network


def boldest(program: Any) -> Seen:
    """Look at what is written at temperature 0, where nothing is random."""
    seen: Seen = {}
    for prefix, length in ((PREFIX, 12), ("c", 5), ("dda", 1)):
        text, network = written(program, length, prefix, temperature=0)
        if not isinstance(text, str):
            return {f"the text after {prefix!r}": describe(text)}
        seen[f"the text after {prefix!r}, {length} symbols"] = repr(text)
    seen["the model writes in"] = "training mode" if True in network.modes else "evaluation mode"
    seen["the mode afterwards"] = "as before" if network.training else "evaluation mode"
    return seen


def draws(program: Any) -> Seen:
    """Look at what is drawn at two temperatures."""
    cold, network = written(program, 12, temperature=0)
    if cold != PREFIX + greedy(network, 12):
        return {}  # told by the first case
    texts = {}
    for temperature in TEMPERATURES:
        text, _ = written(program, DRAWS, temperature=temperature, seed=3)
        if not isinstance(text, str) or len(text) != len(PREFIX) + DRAWS:
            return {"the text": describe(text)}
        texts[temperature] = text
    return {"the symbols are drawn from": distribution(network, texts)}


def greedy(network: Walker, length: int) -> str:
    """Return the most probable continuation of the prefix."""
    text = PREFIX
    for _ in range(length):
        text += SYMBOLS[int(network.table[network.rows(text)[-1]].argmax())]
    return text[len(PREFIX) :]


def distribution(network: Walker, texts: dict[float, str]) -> str:
    """Tell from which distribution the symbols after the prefix of each text were drawn."""
    likely: dict[str, float] = {}
    fixed, best = True, True
    for temperature, text in texts.items():
        rows = torch.tensor(network.rows(text)[len(PREFIX) - 1 : -1])
        drawn = torch.tensor([SYMBOLS.index(symbol) for symbol in text[len(PREFIX) :]])
        counts = torch.zeros(ROWS, len(SYMBOLS))
        counts.index_put_((rows, drawn), torch.ones(len(drawn)), accumulate=True)
        seen = counts.sum(1) > 0
        fixed = fixed and bool(((counts > 0).sum(1) <= 1).all())
        best = best and bool((counts.argmax(1) == network.table.argmax(1))[seen].all())
        for name, p in hypotheses(network.table.double(), temperature).items():
            log_p = (counts * p.clamp(min=1e-9).log()).sum().item()
            likely[name] = likely.get(name, 0.0) + log_p
        other = learned(rows.tolist(), drawn.tolist())
        likely["another distribution"] = likely.get("another distribution", 0.0) + other
    if fixed:
        return "the most probable symbol, always" if best else "one symbol after each state, always"
    name = max(likely, key=lambda name: likely[name])
    return name if likely[name] > likely[RIGHT] + FACTOR else RIGHT


def hypotheses(scores: Tensor, temperature: float) -> dict[str, Tensor]:
    """Return the probabilities (7, 4) from which symbols may have been drawn, the right first."""
    p, low = scores.softmax(1), scores - scores.min()
    return {
        RIGHT: (scores / temperature).softmax(1),
        "softmax(scores), at any temperature": p,
        "softmax(scores * temperature)": (scores * temperature).softmax(1),
        "softmax(p / temperature), p itself a softmax": (p / temperature).softmax(1),
        "softmax(scores / temperature²)": (scores / temperature**2).softmax(1),
        "softmax(-scores / temperature)": (-scores / temperature).softmax(1),
        "the scores themselves": low / low.sum(1, keepdim=True),
        "all symbols alike": torch.full_like(p, 1 / len(SYMBOLS)),
        "the two most probable symbols": top_two(scores / temperature),
    }


RIGHT = "softmax(scores / temperature)"


def top_two(scores: Tensor) -> Tensor:
    """Return the probabilities if all but the two highest scores of each row are left out."""
    second = scores.topk(2, dim=1).values[:, 1:]
    return scores.masked_fill(scores < second, -math.inf).softmax(1)


def learned(rows: list[int], drawn: list[int]) -> float:
    """Return ln of the probability of draws under a model that learns from those before each.

    It gives symbol w in state s the probability (c(s, w) + 1/2) / (c(s) + 2), with the counts so
    far, as Krichevsky and Trofimov do.
    """
    counts = [[0.5] * len(SYMBOLS) for _ in range(ROWS)]
    total = 0.0
    for row, symbol in zip(rows, drawn, strict=True):
        total += math.log(counts[row][symbol] / sum(counts[row]))
        counts[row][symbol] += 1
    return total


def seeds(program: Any) -> Seen:
    """Write again with the same seed and with another, and after another global seed."""
    cold, network = written(program, 12, temperature=0)
    if cold != PREFIX + greedy(network, 12):
        return {}
    one, _ = written(program, 40, seed=1)
    torch.manual_seed(77)
    again, _ = written(program, 40, seed=1)
    other, _ = written(program, 40, seed=2)
    return {
        "the same seed again": "gives the same text" if again == one else "gives another text",
        "another seed": "gives the same text" if other == one else "gives another text",
    }


def sampled(
    wrong: str,
    network: Any,
    vocabulary: Vocabulary,
    prefix: str,
    length: int,
    *,
    temperature: float = 1.0,
    seed: int = 0,
    look_ahead: bool = False,
) -> Any:
    """Write with one thing wrong, which is named."""
    generator = torch.Generator().manual_seed(0 if wrong == "seed_ignored" else seed)
    was = network.training
    network.train(wrong == "training_mode")
    tokens: list[int] = vocabulary.encode(prefix).tolist()
    inputs = tokens[-1:] if wrong == "not_warmed_up" else list(tokens)
    steps = {"one_more": length + 1, "prefix_counted": length - len(prefix)}.get(wrong, length)
    state = None
    for _ in range(steps):
        if wrong == "state_lost":
            state = None
        logits, state = network(torch.tensor(inputs)[:, None], state)
        last = logits[0 if wrong == "first_scores" else -1, 0].double()
        if temperature == 0 and wrong != "zero_divides":
            token = int(last.argmax())
        else:
            if wrong == "seeded_anew":
                generator.manual_seed(seed)
            p = probabilities(wrong, last, temperature)
            source = None if wrong == "global_draws" else generator
            token = int(torch.multinomial(p, 1, generator=source))
        if wrong == "greedy":
            token = int(last.argmax())
        tokens.append(token)
        if wrong == "read_twice":
            inputs = list(tokens)
        elif wrong != "not_fed_back":
            inputs = [token]
    if wrong != "mode_lost":
        network.train(was)
    if wrong == "tokens":
        return tokens
    if wrong == "list_of_symbols":
        return list(vocabulary.decode(tokens))
    return vocabulary.decode(tokens[len(prefix) :] if wrong == "prefix_missing" else tokens)


def probabilities(wrong: str, scores: Tensor, temperature: float) -> Tensor:
    """Return what is drawn from, with one thing wrong, which is named."""
    if wrong == "multiplied":
        return (scores * temperature).softmax(0)
    if wrong == "after_softmax":
        return scores.softmax(0) / temperature
    if wrong == "softmax_twice":
        return (scores.softmax(0) / temperature).softmax(0)
    if wrong == "two_most_probable":
        return top_two(scores[None] / temperature)[0]
    if wrong == "uniform":
        return torch.ones_like(scores) / len(scores)
    if wrong == "upside_down":
        return (-scores / temperature).softmax(0)
    if wrong == "squared":
        return (scores / temperature**2).softmax(0)
    return (scores / temperature).softmax(0)


def explain(difference: Difference) -> str:
    """Say what to look at where the text goes another way."""
    if difference.name.startswith("the text after"):
        return (
            "At temperature 0 nothing is random. The whole prefix goes through the model first; "
            "then each new symbol alone, with the state from before ({sec-generated})."
        )
    if difference.name == "the symbols are drawn from":
        return "Divide the scores by the temperature first, then take the softmax, then draw."
    return ""


generate = Task(
    name="generate",
    title="Sampling with a temperature",
    label="sec-generated",
    wanted=("function", "generate"),
    reference=generation.generate,
    cases=[
        Case("temperature 0", boldest),
        Case("220 symbols at temperature 0.5, and 220 at 2", draws),
        Case(
            "40 symbols, written again",
            seeds,
            "seed_ignored",
            "Your text does not follow from the seed alone. Make a generator of your own, "
            "`torch.Generator().manual_seed(seed)`, before the first symbol, and pass it to "
            "`torch.multinomial(p, 1, generator=generator)`.",
        ),
    ],
    variants=bank(
        sampled,
        {
            "multiplied": "You multiply the scores by the temperature. Then a low one makes the "
            "choice more even, and it should make it bolder: divide ({sec-generated}).",
            "after_softmax": "The temperature has no effect: dividing probabilities by a number "
            "changes nothing once they are made to add up to 1. Divide the *scores*, then take "
            "the softmax ({sec-generated}).",
            "softmax_twice": "You take the softmax twice: that of probabilities is almost even. "
            "Divide the scores by the temperature and take the softmax once.",
            "squared": "You divide by the temperature twice. Divide the scores once, before the "
            "softmax.",
            "upside_down": "Your least probable symbols are drawn most often: the scores have the "
            "wrong sign.",
            "uniform": "You draw all symbols alike: the model's scores do not enter "
            "({eq-softmax}).",
            "two_most_probable": "You draw from the two most probable symbols alone. Every symbol "
            "has its probability, small ones too ({eq-softmax}).",
            "greedy": "You always take the most probable symbol, at every temperature. That is "
            "temperature 0; otherwise draw, `torch.multinomial(p, 1)`.",
            "seeded_anew": "Your generator is made, or seeded, for each symbol anew, so that each "
            "draw is the first one: after the same scores always comes the same symbol. Make it "
            "once, before the loop.",
            "seed_ignored": "Another seed gives the same text: `seed` has no effect.",
            "global_draws": "The same seed gives another text each time: you draw with the "
            "generator of all. Make one of your own, `torch.Generator().manual_seed(seed)`, and "
            "pass it to `torch.multinomial`.",
            "zero_divides": "At temperature 0 you divide by zero. There stands no distribution to "
            "draw from: take the most probable symbol, `argmax` ({sec-generated}).",
            "not_warmed_up": "Only the last symbol of the prefix is read, so the state does not "
            "know the others. Let the whole prefix pass through the model first (warm-up, "
            "{sec-generated}).",
            "state_lost": "Your model forgets after each symbol: you call it without the state "
            "that it returned. Hand the state on from call to call ({sec-generated}).",
            "not_fed_back": "You go on feeding the prefix. What comes next has to follow the "
            "symbol that was drawn: feed that one back in ({sec-generated}).",
            "read_twice": "You feed the whole text so far at each step, and hand the state on as "
            "well: the model reads everything again and again. With the state, the last symbol "
            "alone is enough.",
            "first_scores": "You draw from the scores after the first symbol of what was fed in. "
            "After a prefix those of its last symbol count: `logits[-1]`.",
            "prefix_missing": "Your text begins after the prefix. Return the prefix, too.",
            "prefix_counted": "Your whole text has `length` characters. So many are to be added to "
            "the prefix.",
            "one_more": "You draw one symbol too many: `length` symbols follow the prefix.",
            "tokens": "You return tokens. Make a text of them, `vocabulary.decode(tokens)`.",
            "list_of_symbols": "You return a list of symbols. Join them to one text, "
            "`''.join(symbols)`.",
            "training_mode": "The model writes as it trains, with dropout if it has any. Put it "
            "into evaluation mode first, `model.eval()`.",
            "mode_lost": "The text is right, but the model stays in evaluation mode: whoever "
            "trains on would do so without dropout. Remember `model.training`, and put it back.",
        },
    ),
    hints=[
        "`vocabulary.encode(prefix)` gives tokens (T,). The model takes (T, 1): the whole prefix "
        "first, and then each new token alone, with the state that it returned.",
        "The scores to draw from are `logits[-1, 0]`, those after the last token. At temperature 0 "
        "take their `argmax`.",
        "Otherwise `p = torch.softmax(scores / temperature, dim=0)`, and "
        "`torch.multinomial(p, 1, generator=generator)` with a generator that was seeded once, "
        "before the loop. `vocabulary.decode(tokens)` makes a text of all tokens.",
    ],
    passed="At temperature 0 the text is the most probable one; at 0.5 and 2 it is drawn from "
    "softmax(scores / temperature), after a prefix that was read whole. The seed decides, and the "
    "model is in its own mode again. (Draws are judged by their frequencies; a right program is "
    "refused in less than one of a million runs.)",
    explain=explain,
    random=True,
)
