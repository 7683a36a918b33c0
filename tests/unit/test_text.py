"""Corpora: the two texts of the course, the reader's own file, and everything that can go wrong."""

import hashlib
import itertools
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from limits import time_limit

from d2lhelpers import text
from d2lhelpers.ngram import KneserNey, WittenBell
from d2lhelpers.text import LETTERS_AND_SPACE, Vocabulary, load_corpus, load_text, simplify

BOM = b"\xef\xbb\xbf"
NOVEL = b"It was a dark and stormy night. " * 200
HALF, DAMAGED = NOVEL[:3000], NOVEL.replace(b"dark", b"mild")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("D2LHELPERS_CACHE", str(folder))
    return folder


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, noted instead of waited for."""
    noted: list[float] = []
    clock = SimpleNamespace(sleep=noted.append, monotonic=time.monotonic, time=time.time)
    monkeypatch.setattr(text, "time", clock)
    return noted


@pytest.fixture
def answers(cache: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """Serve the corpus "novel": every request takes the next answer from this list.

    An answer is an HTTP status, or what is sent after announcing the length of the whole novel.
    """
    queue: list[bytes | int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = queue.pop(0)
            if isinstance(answer, int):
                self.send_error(answer)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(NOVEL)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        offer(monkeypatch, server.server_port)
        yield queue
        server.shutdown()
        thread.join()


def offer(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Make the corpus "novel" one that is fetched from this port of this machine."""
    url, sha256 = f"http://127.0.0.1:{port}/novel.txt", hashlib.sha256(NOVEL).hexdigest()
    monkeypatch.setitem(
        text.DOWNLOADS, "novel", text.Download(url, "novel.txt", len(NOVEL), sha256)
    )
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up root's right to write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


# --- The two texts of the course


def test_story_has_its_length_and_is_ascii() -> None:
    story = load_text("story")
    assert 80_000 <= len(story) <= 120_000
    assert story.isascii()


def test_story_is_prose_not_a_template() -> None:
    words = simplify(load_text("story")).split()
    sequences = [tuple(words[i : i + 8]) for i in range(len(words) - 7)]
    assert len(set(sequences)) == len(sequences)


def test_story_is_about_as_predictable_as_the_real_book() -> None:
    corpus = load_corpus()
    model = WittenBell(corpus.training, order=5, vocab_size=27)
    assert 15.5 <= model.perplexity(corpus.test, order=1) <= 18
    assert 3.3 <= model.perplexity(corpus.test) <= 4.7


def test_the_storys_test_part_is_the_typical_tenth() -> None:
    """Each tenth is predicted by Kneser-Ney counts of the other nine: this one is in the middle."""
    tokens = load_corpus().vocabulary.encode(simplify(load_text("story")))
    edges = [round(len(tokens) * k / 10) for k in range(11)]
    folds = []
    for start, stop in pairwise(edges):
        rest = torch.cat([tokens[:start], tokens[stop:]])
        model = KneserNey(rest, 9, 27)
        folds.append(min(model.perplexity(tokens[start:stop], n) for n in range(5, 10)))
    assert sorted(folds).index(folds[6]) in (4, 5)
    assert folds[9] == max(folds) > 1.08 * folds[6]
    torch.testing.assert_close(load_corpus().test[:10_000], tokens[edges[6] :][:10_000])


@pytest.mark.real_book("time_machine")
def test_time_machine_is_the_real_book() -> None:
    corpus = load_corpus("time_machine")
    both = torch.cat([corpus.training, corpus.validation])  # as in the literature: 90 % to count
    model = WittenBell(both, order=6, vocab_size=27)
    found = [model.perplexity(corpus.test, order) for order in range(1, 7)]
    expected = ["16.7", "9.6", "6.38", "4.63", "4.09", "4.16"]
    digits = [len(figure.split(".")[1]) for figure in expected]
    assert [f"{p:.{d}f}" for p, d in zip(found, digits, strict=True)] == expected
    assert f"{KneserNey(both, 7, 27).perplexity(corpus.test):.2f}" == "3.69"


@pytest.mark.real_book("tiny_shakespeare")
def test_tiny_shakespeare_is_split_as_nanogpt_splits_it() -> None:
    corpus = load_corpus("tiny_shakespeare", letters_only=False)
    assert len(corpus.vocabulary) == 65
    both = torch.cat([corpus.training, corpus.validation])
    assert (len(both), len(corpus.test)) == (1_003_854, 111_540)
    model = KneserNey(both, 7, 65)
    assert f"{math.log(model.perplexity(corpus.test)):.3f}" == "1.517"


# --- Splitting and simplifying


@pytest.mark.parametrize(
    ("held_out", "test_at"), [(0.1, None), (0.25, 0.6), (0.4, 0.6), (0.1, 0.1)]
)
def test_corpus_is_the_text_split_once(held_out: float, test_at: float | None) -> None:
    corpus = load_corpus("story", held_out=held_out, test_at=test_at, max_characters=1000)
    assert len(corpus.validation) == len(corpus.test) == 1000 * held_out
    assert corpus.training.dtype == corpus.validation.dtype == corpus.test.dtype == torch.int64
    assert corpus.vocabulary.symbols == LETTERS_AND_SPACE
    start = round(1000 * (0.6 if test_at is None else test_at)) - len(corpus.validation)
    parts = [corpus.training[:start], corpus.validation, corpus.test, corpus.training[start:]]
    assert corpus.vocabulary.decode(torch.cat(parts)) == simplify(load_text("story"))[:1000]


@given(
    size=st.integers(6, 200),
    held_out=st.floats(0.01, 0.49),
    test_at=st.none() | st.floats(0, 1),
)
def test_corpus_has_every_character_in_one_part(size, held_out, test_at) -> None:
    options = {"held_out": held_out, "test_at": test_at, "max_characters": size}
    try:
        corpus = load_corpus("story", **options)
    except ValueError as error:
        assert re.search(r"test_at is .*; try|leaves .* characters to train on", str(error))  # noqa: PT017
        return
    parts = [corpus.training, corpus.validation, corpus.test]
    assert sum(map(len, parts)) == size
    assert len(corpus.validation) == len(corpus.test) == size - int(size * (1 - held_out))
    assert sorted(torch.cat(parts).tolist()) == sorted(
        corpus.vocabulary.encode(simplify(load_text("story"))[:size]).tolist()
    )


@given(st.text())
def test_simplify_leaves_words_of_letters_with_one_space_between(raw: str) -> None:
    simple = simplify(raw)
    assert set(simple) <= set(LETTERS_AND_SPACE)
    assert simple.split() == [word for word in simple.split(" ") if simple]
    assert simplify(simple) == simple


def test_simplify_by_example() -> None:
    assert simplify("  The 2nd-Best\n\nof “All”; ") == "the nd best of all"


# --- The reader's own file


@pytest.mark.parametrize(
    "own",
    [
        "Über den Wölken muß die Freiheit\r\nwohl grenzenlos sein. " * 3,
        "昔者莊周夢為蝴蝶，栩栩然蝴蝶也。" * 3,
        "abcd" * 20 + "ß",  # the last symbol occurs in the held-out part alone
    ],
    ids=["german", "chinese", "rare"],
)
@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "byte-order mark"])
def test_own_file_in_any_language(tmp_path: Path, own: str, mark: bytes) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(mark + own.encode())
    corpus = load_corpus(path, letters_only=False)
    assert corpus.vocabulary.symbols == "".join(sorted(set(own)))
    assert corpus.vocabulary.decode([*corpus.training, *corpus.validation, *corpus.test]) == own
    assert load_text(str(path)) == own


@given(st.text(min_size=1))
def test_decode_inverts_encode(own: str) -> None:
    vocabulary = Vocabulary("".join(sorted(set(own))))
    tokens = vocabulary.encode(own)
    assert tokens.shape == (len(own),)
    assert vocabulary.decode(tokens) == vocabulary.decode(tokens.tolist()) == own


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"own\.txt is empty: .*pass another file"),
        (BOM + b" \n\t ", r"own\.txt is empty: .*pass another file"),
        (b"a caf\xe9", r"own\.txt is not UTF-8: byte 0xe9 at offset 5; save it as UTF-8"),
        (BOM + b"a caf\xe9", r"own\.txt is not UTF-8: byte 0xe9 at offset 8; save it as UTF-8"),
        ("1984 年".encode(), r"own\.txt has 6 characters but fewer than two letters.*=False"),
        (b"too short", r"leaves 7 characters to train .*all parts need .*use a longer"),
    ],
)
def test_own_file_that_will_not_do(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_corpus(path)


@pytest.mark.parametrize("source", ["missing.txt", "some/where", Path("missing"), Path(".")])
def test_missing_file(source: str | Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{source} is not a file: pass the path of"):
        load_corpus(source)


def test_unknown_corpus() -> None:
    message = "no corpus is called 'time-machine': choose 'story', 'time_machine', 'tiny_shake"
    with pytest.raises(ValueError, match=message):
        load_corpus("time-machine")


@pytest.mark.parametrize("held_out", [0, 0.5, 1, -0.1, 1.5, math.nan])
def test_held_out_must_be_a_fraction(held_out: float) -> None:
    with pytest.raises(ValueError, match=f"held_out is {held_out}: .*between 0 and 0.5; try"):
        load_corpus(held_out=held_out)


@pytest.mark.parametrize("test_at", [0, 0.05, 0.95, 1, -0.1, math.nan])
def test_both_parts_must_fit(test_at: float) -> None:
    with pytest.raises(ValueError, match=f"test_at is {test_at}: .*between 0.1 and 0.9, .*; try"):
        load_corpus(test_at=test_at)


@pytest.mark.parametrize(("number", "error"), [(0, ValueError), (-5, ValueError), (2.5, TypeError)])
def test_max_characters_must_be_a_positive_int(number: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"max_characters is {number}: it must be .*; pass"):
        load_corpus(max_characters=number)


@pytest.mark.parametrize("symbols", ["", "aba"])
def test_vocabulary_holds_each_symbol_once(symbols: str) -> None:
    with pytest.raises(ValueError, match=f"symbols is '{symbols}': .*each symbol once.*; pass"):
        Vocabulary(symbols)


def test_encode_names_unknown_characters() -> None:
    message = r"'Was ist ß\?' has \['\?', 'W', 'ß'\], which the vocabulary lacks; use only its 27"
    with pytest.raises(ValueError, match=message):
        Vocabulary(LETTERS_AND_SPACE).encode("Was ist ß?")


@pytest.mark.parametrize("tokens", [[0, 27], [3, -1]])
def test_decode_names_tokens_outside_the_vocabulary(tokens: list[int]) -> None:
    message = r"tokens run from .*: each must lie in \[0, 27\); .*"
    with pytest.raises(ValueError, match=message):
        Vocabulary(LETTERS_AND_SPACE).decode(tokens)


# --- Fetching


def test_fetched_once_then_cached(cache: Path, answers: list, pauses: list[float]) -> None:
    answers[:] = [NOVEL]
    assert load_text("novel") == load_text("novel") == NOVEL.decode()
    assert [path.name for path in cache.iterdir()] == ["novel.txt"]
    assert pauses == []


def test_cache_folder_is_made_when_needed(cache: Path, answers: list) -> None:
    cache.rmdir()
    answers[:] = [NOVEL]
    load_text("novel")
    assert (cache / "novel.txt").read_bytes() == NOVEL


def test_cache_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LHELPERS_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/reader")
    assert text.cache_folder() == Path("/home/reader/.cache/d2lhelpers")


@pytest.mark.parametrize("first", [HALF, b"", 503], ids=["half", "nothing", "HTTP 503"])
def test_broken_connection_is_tried_again(
    cache: Path, answers: list, pauses: list[float], first: bytes | int
) -> None:
    answers[:] = [first, NOVEL]
    assert load_text("novel") == NOVEL.decode()
    assert [path.name for path in cache.iterdir()] == ["novel.txt"]
    assert len(pauses) == 1


@pytest.mark.parametrize("answer", [HALF, b"", 404], ids=["half", "nothing", "HTTP 404"])
def test_connection_that_stays_broken(
    cache: Path, answers: list, pauses: list[float], answer: bytes | int
) -> None:
    answers[:] = [answer] * 3
    message = r"could not fetch http.*/novel\.txt .* in 3 tries: check the network"
    with pytest.raises(ConnectionError, match=message):
        load_text("novel")
    assert not list(cache.iterdir())
    assert not answers
    assert all(a < b for a, b in pairwise([0, *pauses]))


def test_no_network(cache: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        offer(monkeypatch, unused.getsockname()[1])
        message = r"in 3 tries: check the network.* cache/novel\.txt .*load_corpus\('story'\)"
        with pytest.raises(ConnectionError, match=message.replace(" cache", ".*cache")):
            load_text("novel")
    assert not list(cache.iterdir())


def test_damaged_download_is_not_kept(cache: Path, answers: list) -> None:
    answers[:] = [DAMAGED]
    with pytest.raises(ValueError, match=r"with SHA-256 .*: nothing was kept; try again"):
        load_text("novel")
    assert not list(cache.iterdir())


def test_damaged_cache_is_found_at_every_use(cache: Path, answers: list) -> None:
    answers[:] = [NOVEL, NOVEL]
    load_text("novel")
    (cache / "novel.txt").write_bytes(DAMAGED)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"novel\.txt has SHA-256 .*; delete it and load"):
            load_text("novel")
    (cache / "novel.txt").unlink()
    assert load_text("novel") == NOVEL.decode()  # the advice helps


def test_read_only_cache(answers: list, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # tmp_path is closed to an unprivileged user
    try:
        folder.chmod(0o555)
        for cache in (folder, folder / "below"):
            monkeypatch.setenv("D2LHELPERS_CACHE", str(cache))
            answers[:] = [NOVEL]
            message = f"cannot use {cache}/novel.txt .*readable and writable; set D2LHELPERS_CACHE"
            with unprivileged(), pytest.raises(OSError, match=message):
                load_text("novel")
            assert not list(folder.iterdir())
    finally:
        shutil.rmtree(folder)


def test_failed_write_leaves_nothing(cache: Path, answers: list) -> None:
    (cache / "novel.txt").mkdir()  # so that the last step, the renaming, fails
    answers[:] = [NOVEL]
    with pytest.raises(OSError, match=r"cannot use .*novel\.txt"):
        load_text("novel")
    assert [path.name for path in cache.iterdir()] == ["novel.txt"]


class Unkind:
    """A server on this machine that does the same with each connection, until it is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pieces: Callable[[], Iterator[bytes]]):
        self.pieces, self.connections, self.over = pieces, 0, Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        offer(monkeypatch, self.socket.getsockname()[1])
        Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while not self.over.is_set():
            with suppress(OSError):
                connection, _ = self.socket.accept()
                self.connections += 1
                Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for piece in self.pieces():
                connection.sendall(piece)
                if self.over.is_set():
                    return
            self.over.wait()

    def close(self) -> None:
        self.over.set()
        self.socket.close()


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def slowly(content: bytes) -> Iterator[bytes]:
    for number in itertools.cycle(content):
        time.sleep(0.05)
        yield bytes([number])


UNKIND: dict[str, tuple[Callable[[], Iterator[bytes]], type[Exception], str]] = {
    "silent": (lambda: iter(()), ConnectionError, r"timed out.* in 3 tries: check the network"),
    "silent after the head": (lambda: iter([HEAD]), ConnectionError, "in 3 tries: check"),
    "a byte at a time": (
        lambda: itertools.chain([HEAD], slowly(NOVEL)),
        ConnectionError,
        "in 1 tries: check the network",
    ),
    "a head without end": (
        lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], slowly(b"y")),
        ConnectionError,
        r"took more than .* in 1 tries: check the network",
    ),
    "a body without end": (
        lambda: itertools.chain([HEAD], itertools.repeat(NOVEL)),
        ValueError,
        f"sent more than {len(NOVEL)} bytes .*: nothing was kept; try again",
    ),
}


@pytest.mark.parametrize("case", UNKIND)
def test_every_wait_for_a_server_has_an_end(
    cache: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    pieces, error, message = UNKIND[case]
    monkeypatch.setattr(text, "SILENCE", 0.3)
    monkeypatch.setattr(text, "PATIENCE", 2.0 if error is ConnectionError else 20.0)
    if "3 tries" in message:
        monkeypatch.setattr(text, "PATIENCE", 20.0)
    server = Unkind(monkeypatch, pieces)
    with time_limit(), pytest.raises(error, match=message):
        load_text("novel")
    if case == "a byte at a time":  # and nobody goes on reading
        with time_limit():
            while any(thread.name == "fetch novel.txt" for thread in enumerate_threads()):
                time.sleep(0.05)
    assert server.connections == (3 if "3 tries" in message else 1)
    assert not list(cache.iterdir())
    server.close()


def test_a_cache_is_never_half_written(tmp_path: Path) -> None:
    """A process whose disk is full after 1,000 bytes leaves nothing, and says what is wrong."""
    script = """
import resource, sys
from pathlib import Path
from d2lhelpers.text import _write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    _write_whole(Path(sys.argv[1]), bytes(5000))
except OSError as error:
    print(error)
"""
    path = tmp_path / "novel.txt"
    ended = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"cannot use {path}" in ended.stdout
    assert not list(tmp_path.iterdir())


def test_what_killed_processes_left_goes_at_the_next_write(cache: Path, answers: list) -> None:
    old, young, other = (
        cache / name for name in (".novel.txt.a1.part", ".novel.txt.b2.part", "mine.part")
    )
    for path in (old, young, other):
        path.write_bytes(HALF)
    for path in (old, other):
        os.utime(path, (0, 0))
    answers[:] = [NOVEL]
    load_text("novel")
    assert sorted(path.name for path in cache.iterdir()) == [young.name, other.name, "novel.txt"]


def test_the_file_aside_has_a_name_that_is_known_again(
    cache: Path, answers: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def killed(source: str, _target: Path) -> None:
        names.append(Path(source).name)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    answers[:] = [NOVEL]
    with pytest.raises(KeyboardInterrupt):
        load_text("novel")
    (name,) = names
    assert re.fullmatch(r"\.novel\.txt\..+\.part", name)
    assert not list(cache.iterdir())


def test_the_catalogue_tells_the_size_of_a_text_that_is_here() -> None:
    for download in text.DOWNLOADS.values():
        path = text.cache_folder() / download.file_name
        assert not path.is_file() or path.stat().st_size == download.size
