"""A challenge: who predicts *Tiny Shakespeare* better, under a stated budget?

    python -m d2lhelpers.challenge entry.py

An entry is one Python file of at most 8,192 bytes with two functions:

    def build(vocab_size): ...    # a torch.nn.Module: tokens (T, B) give logits (T, B, V), or a
                                  # pair that begins with them
    def train(model, tokens): ... # changes the module; the tokens are all that may be learned from

The scorer runs `train` in a process of its own, on the first nine tenths of the text, and stops it
at the limit of CPU seconds. What the module has learned is its `state_dict()`, at most so many
numbers. A second process builds the module anew, loads them and answers: the scorer sends it
windows of 256 characters of the last tenth, in an order of its own, and scores the answers. So
nothing but the source and the counted numbers can carry what is known of the text.

Refused are entries whose answers for a character depend on later ones (the scorer swaps the ends of
windows for those of others), on other windows in the batch or on earlier questions, and processes
that read files beside the installed packages, use the network or start programs. The last is a
fence, not a sandbox: read a stranger's entry before you run it.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import multiprocessing
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers.ngram import Ints
from d2lhelpers.text import Corpus, cache_folder, load_corpus

MAX_SOURCE, WINDOW, EXCERPT = 8192, 256, 40
Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Budget:
    """What an entry may use: numbers in its state dict, CPU seconds to train, cores."""

    parameters: int = 1_000_000
    cpu_seconds: int = 1_800
    threads: int = 2


@dataclass(frozen=True)
class Score:
    """What an entry reached: nats a character, and what it used."""

    nats: float
    parameters: int
    cpu_seconds: float
    seconds: float


class Refused(Exception):
    """An entry breaks a rule; the message names the entry's part, the rule and the fix."""


def score_entry(path: str | Path, corpus: Corpus, budget: Budget | None = None) -> Score:
    """Train and score the entry in a file.

    Args:
        path: of the entry.
        corpus: trained on its training and validation part; scored on its test part.
        budget: None takes that of the challenge.

    Returns:
        the score.

    Raises:
        FileNotFoundError: there is no such file.
        Refused: the entry breaks a rule, or fails.
    """
    path, budget = Path(path).resolve(), budget or Budget()
    check_source(path, corpus)
    tokens = torch.cat([corpus.training, corpus.validation])
    vocab_size = len(corpus.vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        start = time.perf_counter()
        with _Process(_train, path, folder, budget, weights, tokens.numpy(), vocab_size) as process:
            cpu_seconds = float(process.ask("train"))
        seconds = time.perf_counter() - start
        parameters = count_weights(weights, budget)
        with _Process(_answer, path, folder, budget, weights, vocab_size) as process:
            nats = judge(
                lambda tokens: torch.from_numpy(process.ask(tokens.numpy())),
                corpus.test,
                vocab_size,
            )
    if cpu_seconds > budget.cpu_seconds:
        raise Refused(
            f"train took {cpu_seconds:.0f} CPU seconds: at most {budget.cpu_seconds} are allowed; "
            "train less, or a smaller model"
        )
    return Score(nats, parameters, cpu_seconds, seconds)


def check_source(path: Path, corpus: Corpus) -> None:
    """Raise `Refused` if an entry's source is too long or quotes the test part."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} names no file: pass the path of an entry, a Python file")
    source = path.read_bytes()
    if len(source) > MAX_SOURCE:
        raise Refused(
            f"{path.name} has {len(source)} bytes: at most {MAX_SOURCE} are allowed, so that it "
            "holds no text; shorten it, and import what d2lhelpers has"
        )
    text, test = source.decode("utf-8", "replace"), corpus.vocabulary.decode(corpus.test)
    for i in range(len(text) - EXCERPT + 1):
        if text[i : i + EXCERPT].strip() and text[i : i + EXCERPT] in test:
            raise Refused(
                f"{path.name} quotes the test part ({text[i : i + EXCERPT]!r}): it must not be "
                "known to an entry; remove it"
            )


def count_weights(path: Path, budget: Budget) -> int:
    """Return how many numbers a saved state dict has; raise `Refused` if there are too many.

    Buffers count as parameters do, and a number has at most four bytes.
    """
    if not path.is_file():
        raise Refused("train ended without a word: it must return; let it raise or finish")
    state = torch.load(path, weights_only=True)
    count = sum(int(tensor.numel()) for tensor in state.values())
    size = sum(int(tensor.nbytes) for tensor in state.values())
    if count > budget.parameters or size > 4 * budget.parameters:
        raise Refused(
            f"the state dict has {count} numbers in {size} bytes: at most {budget.parameters} of "
            "4 bytes are allowed, buffers included; build a smaller model"
        )
    return count


def judge(answer: Answer, test: Tensor, vocab_size: int, batch_size: int = 64) -> float:
    """Return the nats a character of an entry's answers, and raise `Refused` if they cheat.

    Args:
        answer: tokens (T, B) to logits (T, B, V).
        test: the test part, shape (N,).
        vocab_size: V.
        batch_size: windows in a question.
    """
    count = (len(test) - 1) // WINDOW
    if count < 2:
        raise ValueError(f"test has {len(test)} tokens: pass at least {2 * WINDOW + 1}")
    X = test[: count * WINDOW].view(count, WINDOW).T
    Y = test[1 : count * WINDOW + 1].view(count, WINDOW).T
    # An order that the entry does not know, so that it cannot tell a question from a check.
    generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
    order = torch.randperm(count, generator=generator)
    total, asked = 0.0, []
    for columns in order.split(batch_size):
        logits = checked_logits(answer(X[:, columns]), len(columns), vocab_size)
        log_p = logits.double().log_softmax(2).gather(2, Y[:, columns, None])
        total -= log_p.sum().item()
        asked.append((columns, logits))
        # The same windows again, each beside another one and with another's end after a cut.
        cut = int(torch.randint(1, WINDOW, (), generator=generator))
        ends, others = order[torch.randint(count, (2, len(columns)), generator=generator)]
        spliced = torch.cat([X[:cut, columns], X[cut:, ends]])
        mixed = torch.stack([spliced, X[:, others]], 2).flatten(1)  # (T, 2B), alternating
        again = checked_logits(answer(mixed), mixed.shape[1], vocab_size)[:cut, ::2]
        if not torch.allclose(again, logits[:cut], rtol=1e-3, atol=1e-3):
            raise Refused(
                f"the logits of the first {cut} characters of a window changed with what comes "
                "after them or stands beside them: they may depend on the window's characters so "
                "far alone; use no bidirectional layer, no statistics of the batch"
            )
    columns, logits = asked[0]
    if not torch.allclose(answer(X[:, columns]), logits, rtol=1e-3, atol=1e-3):
        raise Refused(
            "the same windows got other logits when asked again: nothing may be learned or drawn "
            "while answering; keep no state from call to call, and use model.eval()"
        )
    return total / (count * WINDOW)


def checked_logits(logits: Any, columns: int, vocab_size: int) -> Tensor:
    """Return an answer, or raise `Refused` unless it is finite and (T, B, V)."""
    shape = WINDOW, columns, vocab_size
    if not isinstance(logits, Tensor) or logits.shape != shape or not logits.is_floating_point():
        shown = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise Refused(f"the model answers {shown} to tokens {shape[:2]}: it must return {shape}")
    if not bool(logits.isfinite().all()):
        raise Refused("the model's logits hold infinity or NaN: each must be finite; train anew")
    return logits


class _Process:
    """A function of this module in a process of its own, which answers questions.

    What is sent are NumPy's arrays: tensors would need a socket, which the fence refuses.
    """

    def __init__(
        self, work: Callable[..., None], path: Path, folder: str, budget: Budget, *arguments: Any
    ):
        context = multiprocessing.get_context("spawn")
        self.patience = 60 + 4 * budget.cpu_seconds  # of the wall's, on a busy machine too
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=_guarded, args=(work, other, path, folder, budget, *arguments), daemon=True
        )
        self.process.start()
        other.close()

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.process.join(5)
        self.process.kill()

    def ask(self, question: Any) -> Any:
        """Return the answer, or raise `Refused` with what went wrong in the process."""
        try:
            self.connection.send(question)
            if not self.connection.poll(self.patience):
                raise Refused(
                    f"the entry has not answered for {self.patience} seconds: it must not wait; "
                    "let train return and the model answer"
                )
            kind, answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(5)
            raise Refused(
                f"the entry's process ended (exit code {self.process.exitcode}): it may have used "
                "up its CPU seconds or the memory; train less, or a smaller model"
            ) from None
        if kind == "error":
            raise Refused(f"the entry failed: {answer}")
        return answer


def _guarded(
    work: Callable[..., None], connection: Connection, path: Path, folder: str, budget: Budget,
    *arguments: Any,
) -> None:  # fmt: skip
    """Fence the process in, load the entry and work; send errors instead of showing them."""
    torch.set_num_threads(budget.threads)
    _limit(budget.cpu_seconds)
    try:
        os.chdir(folder)
        sys.addaudithook(_fence(Path(folder), path))
        work(_load(path), connection, *arguments)
    except EOFError:
        pass
    except BaseException as error:
        connection.send(("error", f"{type(error).__name__}: {error}"))


def _limit(cpu_seconds: int) -> None:
    """Let the system end the process when it has used up its time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the time is looked at when the training is over
        return
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    used = math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + cpu_seconds + 1, hard))


def _fence(folder: Path, entry: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that refuses the network, programs, and files beside the packages'."""
    paths = [*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, *filter(None, sys.path)]
    package = Path(__file__).resolve().parent
    roots = [*map(Path, paths), folder, package, Path("/proc"), Path("/sys"), Path("/dev")]
    allowed = [str(root.resolve()) for root in roots]
    corpora = str(package / "corpora")
    forbidden = [corpora, str(cache_folder().resolve())]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "subprocess.Popen", "os.system", "os.exec", "os.fork"):
            raise PermissionError(f"{event} is not allowed: learn from the tokens given alone")
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        inside = path == str(entry) or any(
            path == root or path.startswith(root + os.sep) for root in allowed
        )
        if not inside or any(path.startswith(root) for root in forbidden):
            raise PermissionError(
                f"{path} is not to be read: learn from the tokens given alone; the entry may use "
                "the installed packages and files of its own making in the current folder"
            )

    return hook


def _load(path: Path) -> ModuleType:
    """Import an entry, or raise `AttributeError` if it lacks a function."""
    spec = importlib.util.spec_from_file_location("entry", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no Python file: name it as in entry.py")
    entry = importlib.util.module_from_spec(spec)
    sys.modules["entry"] = entry
    spec.loader.exec_module(entry)
    for name in ("build", "train"):
        if not callable(getattr(entry, name, None)):
            raise AttributeError(f"{path.name} has no function {name}: an entry needs both")
    return entry


def _build(entry: ModuleType, vocab_size: int) -> nn.Module:
    """Return the entry's module from a fixed seed."""
    torch.manual_seed(0)
    model = entry.build(vocab_size)
    if not isinstance(model, nn.Module):
        raise TypeError(f"build returned {type(model).__name__}: it must return a torch.nn.Module")
    return model


def _train(
    entry: ModuleType, connection: Connection, weights: Path, tokens: Ints, vocab_size: int
) -> None:
    """Build, train and save; answer with the CPU seconds that it took."""
    connection.recv()
    start = time.process_time()
    model = _build(entry, vocab_size)
    entry.train(model, torch.from_numpy(tokens))
    seconds = time.process_time() - start
    torch.save({k: v.detach().cpu().clone() for k, v in model.state_dict().items()}, weights)
    connection.send(("done", seconds))


def _answer(entry: ModuleType, connection: Connection, weights: Path, vocab_size: int) -> None:
    """Build, load what was learned, and answer tokens with logits until no more come."""
    model = _build(entry, vocab_size)
    model.load_state_dict(torch.load(weights, weights_only=True))
    while True:
        model.eval()
        tokens = connection.recv()
        with torch.no_grad():
            logits = model(torch.from_numpy(tokens))
        if isinstance(logits, tuple):
            logits = logits[0]
        if not isinstance(logits, Tensor):
            raise TypeError(f"the model returned {type(logits).__name__}: it must return logits")
        connection.send(("done", logits.float().numpy()))


def main(arguments: list[str] | None = None) -> int:
    """Score the entry that the command line names; return 0, or 1 if it was refused."""
    parser = argparse.ArgumentParser(
        prog="python -m d2lhelpers.challenge", description=__doc__.splitlines()[0]
    )
    parser.add_argument("file", help="a Python file with the functions build and train")
    budget = Budget()
    try:
        result = score_entry(
            parser.parse_args(arguments).file,
            load_corpus("tiny_shakespeare", letters_only=False),
            budget,
        )
    except (Refused, FileNotFoundError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    print(f"nats a character  {result.nats:.4f}  (windows of {WINDOW} from a zero state)")
    print(f"parameters        {result.parameters:,} of {budget.parameters:,}")
    print(f"CPU seconds       {result.cpu_seconds:.0f} of {budget.cpu_seconds:,}")
    print(f"wall seconds      {result.seconds:.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
