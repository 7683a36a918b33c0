"""What looking ahead is worth: two tasks on the story, each layer with five sets of weights.

Run by `make study`. Writes d2lhelpers/measurements/lookahead.json, which the chapter on
bidirectional networks shows. Task "words": put the spaces back into sentences of letters. Task
"speech": find the words that were between quotation marks in a text that has lost the marks.
Layers: a GRU to the right, both ways, and to the right with its answers delayed by k
steps, all with nearly the same number of parameters. Whatever is chosen (the epoch to keep, the
rivals' settings) is chosen on the validation part; the verdict is that of the test part.
"""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from record import machine, today, write
from torch import Tensor, nn

from d2lhelpers.layers import reverse
from d2lhelpers.text import Vocabulary, load_corpus

SEEDS = (0, 1, 2, 3, 4)
SETTINGS: dict[str, dict[str, Any]] = {
    "words": {"D": 32, "both": 64, "one": 97, "dropout": 0.0, "epochs": 6, "batch": 32},
    "speech": {"D": 64, "both": 64, "one": 97, "dropout": 0.5, "epochs": 15, "batch": 48},
}
DELAYS = {"words": (1, 2, 4, 8), "speech": (16,)}
WINDOWS, PENALTIES = (6, 10), (3e-5, 1e-4)  # of the linear rival
WEIGHTS = (10.0, 30.0, 100.0, 300.0)  # of the counting rival's shorter contexts

Row = tuple[list[str], list[bool]]  # symbols, and the answer for each


def paragraphs(vocabulary: Vocabulary, tokens: Tensor, whole: bool) -> list[str]:
    """Return the paragraphs of a part, without the first and the last where they may be cut."""
    parts = re.split(r"\n\n+", vocabulary.decode(tokens))
    return parts if whole else parts[1:-1]


def word_rows(vocabulary: Vocabulary, tokens: Tensor, whole: bool) -> list[Row]:
    """Return the letters of each sentence, and whether a word ends at each."""
    rows = []
    for paragraph in paragraphs(vocabulary, tokens, whole):
        text = re.sub(r"\b(Mrs?)\.", r"\1", paragraph).replace("'", "").lower()
        for sentence in re.split(r'(?<=[.!?])"?\s+', text):
            words = re.findall("[a-z]+", sentence)
            if len(words) > 1:
                ends = [i == len(w) - 1 for w in words for i in range(len(w))]
                rows.append((list("".join(words)), ends))
    return rows


def speech_rows(vocabulary: Vocabulary, tokens: Tensor, whole: bool) -> list[Row]:
    """Return the words and marks of each paragraph, and whether each was in quotes."""
    rows: list[Row] = []
    for paragraph in paragraphs(vocabulary, tokens, whole):
        inside = False
        rows.append((["<p>"], [False]))
        for token in re.findall(r"\"|[a-z']+|[.,;:?!]|-+", paragraph.lower()):
            if token == '"':
                inside = not inside
            else:
                rows[-1][0].append(token)
                rows[-1][1].append(inside)
    return rows


class Data:
    """A task: three parts of rows, and the numbers of their symbols."""

    def __init__(self, task: str):
        corpus = load_corpus("story", letters_only=False)
        cut = {"words": word_rows, "speech": speech_rows}[task]
        self.task = task
        self.training = cut(corpus.vocabulary, corpus.training, True)
        self.validation = cut(corpus.vocabulary, corpus.validation, False)
        self.test = cut(corpus.vocabulary, corpus.test, False)
        seen = Counter(symbol for row in self.training for symbol in row[0])
        kept = [symbol for symbol, count in seen.items() if count > 1]
        self.index = {symbol: i for i, symbol in enumerate(kept, 2)}  # 0: padding, 1: unknown
        self.size = len(kept) + 2

    def encode(self, rows: list[Row]) -> tuple[Tensor, Tensor, Tensor]:
        """Return symbols (T, B), answers (T, B) and lengths (B,)."""
        lengths = torch.tensor([len(symbols) for symbols, _ in rows])
        X = torch.zeros(int(lengths.max()), len(rows), dtype=torch.int64)
        Y = torch.zeros(X.shape)
        for b, (symbols, answers) in enumerate(rows):
            X[: lengths[b], b] = torch.tensor([self.index.get(s, 1) for s in symbols])
            Y[: lengths[b], b] = torch.tensor(answers).float()
        return X, Y, lengths

    def asked(self, rows: list[Row], X: Tensor, lengths: Tensor) -> Tensor:
        """Return what is scored: all letters but a sentence's last; words, but no marks."""
        t = torch.arange(len(X))[:, None]
        if self.task == "words":
            return t < lengths - 1
        words = torch.zeros(self.size, dtype=torch.bool)
        words[1] = True
        for symbol, i in self.index.items():
            words[i] = symbol[0].isalpha()
        return words[X] & (t < lengths)

    def f1(self, rows: list[Row], found: Tensor) -> float:
        """Return F1 of answers (T, B)."""
        X, Y, lengths = self.encode(rows)
        asked = self.asked(rows, X, lengths)
        found, truth = found[asked], Y[asked] > 0
        return 2 * int((found & truth).sum()) / int(found.sum() + truth.sum())


class Tagger(nn.Module):
    """Embedding, GRU in one direction or two, one score for each step; answers k steps late."""

    def __init__(self, size: int, kind: str, delay: int, D: int, H: int, dropout: float):
        super().__init__()
        self.kind, self.delay = kind, delay
        self.embedding, self.dropout = nn.Embedding(size, D), nn.Dropout(dropout)
        self.layer = nn.GRU(D, H, bidirectional=kind == "both")
        self.output = nn.Linear(2 * H if kind == "both" else H, 1)

    def forward(self, X: Tensor, lengths: Tensor) -> Tensor:
        """Return scores (T, B)."""
        T = len(X)
        X = torch.cat([X, X.new_zeros(self.delay, X.shape[1])])  # padding is symbol 0
        E = self.dropout(self.embedding(X))
        if self.kind == "left":
            E = reverse(E, lengths)
        if self.kind == "both":
            packed = nn.utils.rnn.pack_padded_sequence(E, lengths, enforce_sorted=False)
            H, _ = nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], total_length=T)
        else:
            H, _ = self.layer(E)
        if self.kind == "left":
            H = reverse(H, lengths)
        scores: Tensor = self.output(self.dropout(H))[self.delay :, :, 0]
        return scores


def batches(rows: list[Row], size: int, generator: torch.Generator) -> Iterator[list[Row]]:
    """Yield rows of similar length together, in random order."""
    order = torch.randperm(len(rows), generator=generator).tolist()
    order.sort(key=lambda i: len(rows[i][0]) // 20)
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    for k in torch.randperm(len(groups), generator=generator).tolist():
        yield [rows[i] for i in groups[k]]


def network(data: Data, kind: str, delay: int, seed: int) -> dict[str, object]:
    """Train one tagger, keep its best epoch on the validation part, and test it."""
    setting, start = SETTINGS[data.task], time.process_time()
    torch.manual_seed(seed)
    H = setting["both" if kind == "both" else "one"]
    model = Tagger(data.size, kind, delay, setting["D"], H, setting["dropout"])
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, setting["epochs"])
    best, tested = 0.0, 0.0
    for _ in range(setting["epochs"]):
        model.train()
        for rows in batches(data.training, setting["batch"], generator):
            X, Y, lengths = data.encode(rows)
            real = torch.arange(len(X))[:, None] < lengths
            loss = F.binary_cross_entropy_with_logits(model(X, lengths)[real], Y[real])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        decay.step()
        model.eval()
        with torch.no_grad():
            score = {
                part: data.f1(rows, model(*data.encode(rows)[::2]) > 0)
                for part, rows in (("validation", data.validation), ("test", data.test))
            }
        if score["validation"] > best:
            best, tested = score["validation"], score["test"]
    return {
        "model": kind if not delay else f"delay {delay}", "seed": seed, "validation": best,
        "test": tested, "parameters": sum(p.numel() for p in model.parameters()),
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


class Linear(nn.Module):
    """Linear-chain conditional random field (Lafferty et al. 2001) with a window of words.

    The score of answers y is a sum over steps: of weights of the 2 r + 1 symbols around each step
    that lies in speech, and, where speech begins or ends, of weights of the two symbols there.
    """

    def __init__(self, size: int, radius: int):
        super().__init__()
        self.radius, self.size = radius, size
        self.around = nn.Embedding((2 * radius + 1) * size, 1)
        self.switch = nn.Embedding(2 * size, 2)  # (before or after the gap, to begin or to end)
        for weights in (self.around.weight, self.switch.weight):
            nn.init.zeros_(weights)
        self.bias = nn.Parameter(torch.tensor([-2.0, -2.0]))

    def scores(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of being in speech (T, B), of beginning and ending (T - 1, B, 2)."""
        T, r = len(X), self.radius
        padded = F.pad(X, (0, 0, r, r))
        inside = sum(
            self.around(padded[i : i + T] + i * self.size)[..., 0] for i in range(2 * r + 1)
        )
        switch = self.switch(X[:-1]) + self.switch(X[1:] + self.size) + self.bias
        assert isinstance(inside, Tensor)
        return inside, switch

    @staticmethod
    def log_z(inside: Tensor, switch: Tensor, real: Tensor) -> Tensor:
        """Return the log of the sum over all answers, for each column (B,)."""
        out, within = torch.zeros_like(inside[0]), inside[0] - 2.0
        for t in range(1, len(inside)):
            new_out = torch.logaddexp(out, within + switch[t - 1, :, 1])
            new_in = torch.logaddexp(within, out + switch[t - 1, :, 0]) + inside[t]
            out = torch.where(real[t], new_out, out)
            within = torch.where(real[t], new_in, within)
        return torch.logaddexp(out, within)

    def loss(self, X: Tensor, Y: Tensor, lengths: Tensor) -> Tensor:
        """Return -ln p(answers) for each step."""
        inside, switch = self.scores(X)
        real = torch.arange(len(X))[:, None] < lengths
        given = (inside * Y * real).sum(0) - 2.0 * Y[0]
        begins, ends = Y[1:] * (1 - Y[:-1]) * real[1:], Y[:-1] * (1 - Y[1:]) * real[1:]
        given = given + (begins * switch[..., 0] + ends * switch[..., 1]).sum(0)
        return (self.log_z(inside, switch, real) - given).sum() / lengths.sum()

    def found(self, X: Tensor, lengths: Tensor) -> Tensor:
        """Return where speech is more likely than not; a probability is the gradient of log_z."""
        inside, switch = (scores.detach() for scores in self.scores(X))
        inside.requires_grad_()
        real = torch.arange(len(X))[:, None] < lengths
        (p,) = torch.autograd.grad(self.log_z(inside, switch, real).sum(), inside)
        return p > 0.5


def linear(data: Data) -> dict[str, object]:
    """Fit the linear rival with each window and penalty; test the best on validation."""
    start, rows = time.process_time(), []
    X, Y, lengths = data.encode(data.training)
    for radius in WINDOWS:
        for penalty in PENALTIES:
            model = Linear(data.size, radius)
            optimizer = torch.optim.Adam(model.parameters(), 0.05)
            for _ in range(40):
                weights = model.around.weight.square().sum() + model.switch.weight.square().sum()
                loss = model.loss(X, Y, lengths) + penalty * weights
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            score = {
                part: data.f1(rows_, model.found(*data.encode(rows_)[::2]))
                for part, rows_ in (("validation", data.validation), ("test", data.test))
            }
            rows.append(score | {"radius": radius, "penalty": penalty})
    best = max(rows, key=lambda row: row["validation"])
    seconds = round(time.process_time() - start, 1)
    return {"model": "linear window", "seed": None, **best, "cpu_seconds": seconds}


class Counted:
    """Counting with two states, in speech or not, and exact sums over all answers.

    p(y', w' | y, w) = p(y' | y, w) p(w' | y, y', w), each mixed with what is known of less: the
    next answer given the last alone, the next word given the two answers, the new one, nothing.
    """

    def __init__(self, data: Data, weight: float):
        self.data, self.weight = data, weight
        self.counts: Counter[tuple[object, ...]] = Counter()
        for symbols, answers in data.training:
            codes = [data.index.get(s, 1) for s in symbols]
            for i in range(1, len(codes)):
                y, y2, w, w2 = answers[i - 1], answers[i], codes[i - 1], codes[i]
                for context in ((y, w), (y,)):
                    self.counts["y", context, y2] += 1
                    self.counts["y", context] += 1
                for more in ((y, y2, w), (y, y2), (y2,), ()):
                    self.counts["w", more, w2] += 1
                    self.counts["w", more] += 1

    def mixed(self, kind: str, contexts: list[tuple[object, ...]], x: object, p: float) -> float:
        """Return p(x | the last context), from short contexts to long ones."""
        for context in contexts:
            seen = self.counts[kind, context, x] + self.weight * p
            p = seen / (self.counts[kind, context] + self.weight)
        return p

    def found(self, rows: list[Row]) -> Tensor:
        """Return where speech is more likely than not, (T, B)."""
        X, _, lengths = self.data.encode(rows)
        found = torch.zeros(X.shape, dtype=torch.bool)
        for b, n in enumerate(lengths.tolist()):
            codes = X[:n, b].tolist()
            steps = []
            for w, w2 in itertools.pairwise(codes):
                step = torch.empty(2, 2, dtype=torch.float64)
                for y in (False, True):
                    for y2 in (False, True):
                        p = self.mixed("y", [(y,), (y, w)], y2, 0.5)
                        less = [(), (y2,), (y, y2), (y, y2, w)]
                        step[int(y), int(y2)] = p * self.mixed("w", less, w2, 1 / self.data.size)
                steps.append(step)
            before = [torch.tensor([1.0, 0.0], dtype=torch.float64)]
            after = [torch.ones(2, dtype=torch.float64)]
            for step in steps:
                before.append(before[-1] @ step / (before[-1] @ step).sum())
            for step in reversed(steps):
                after.append(step @ after[-1] / (step @ after[-1]).sum())
            p_in = torch.stack(before) * torch.stack(after[::-1])
            found[:n, b] = p_in[:, 1] > p_in[:, 0]
        return found


def counted(data: Data) -> dict[str, object]:
    """Count with each weight; test the best on validation."""
    start, rows = time.process_time(), []
    for weight in WEIGHTS:
        model = Counted(data, weight)
        score = {
            part: data.f1(rows_, model.found(rows_))
            for part, rows_ in (("validation", data.validation), ("test", data.test))
        }
        rows.append(score | {"weight": weight})
    best = max(rows, key=lambda row: row["validation"])
    seconds = round(time.process_time() - start, 1)
    return {"model": "counting", "seed": None, **best, "cpu_seconds": seconds}


def save(results: list[dict[str, object]]) -> None:
    """Write the study."""
    study = {
        "task": "spaces put back (words), speech found without quotation marks (speech): F1",
        "command": "python book/_studies/lookahead.py",
        "date": today(),
        "machine": machine(),
        "settings": {
            "networks": SETTINGS, "optimizer": "Adam", "learning_rate": 0.01, "clip_norm": 1.0,
            "epoch_kept": "best on validation", "seeds": SEEDS,
            "linear": {"windows": WINDOWS, "penalties": PENALTIES}, "counting": WEIGHTS,
        },
        "cpu_seconds": round(sum(float(str(r["cpu_seconds"])) for r in results)),
        "results": results,
    }  # fmt: skip
    write("lookahead", study)


def main() -> None:
    """Run the whole study; write it down after each result, so that nothing is lost."""
    torch.set_num_threads(1)
    results: list[dict[str, object]] = []

    def note(task: str, row: dict[str, object]) -> None:
        results.append({"task": task, **row})
        print(json.dumps(results[-1]), flush=True)
        save(results)

    speech, words = Data("speech"), Data("words")
    note("speech", counted(speech))
    note("speech", linear(speech))
    for data in (speech, words):
        for seed in SEEDS:
            for kind in ("both", "right"):
                note(data.task, network(data, kind, 0, seed))
            for delay in DELAYS[data.task]:
                note(data.task, network(data, "right", delay, seed))


if __name__ == "__main__":
    main()
