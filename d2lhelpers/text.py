"""Corpora and vocabulary: from a file of text to tensors of token indices."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Thread

import torch
from torch import Tensor

from d2lhelpers.checks import check_bool, check_number, check_positive_int, check_text, check_type

LETTERS_AND_SPACE = " abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Download:
    """A text that is fetched on demand: where it is, its file name, its bytes and their SHA-256."""

    url: str
    file_name: str
    size: int
    sha256: str


DOWNLOADS = {
    "time_machine": Download(
        url="https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
        file_name="timemachine.txt",
        size=178_979,
        sha256="8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
    ),
    "tiny_shakespeare": Download(
        url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        file_name="tinyshakespeare.txt",
        size=1_115_394,
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}
# Where the test part begins, as a fraction of the text, if it is not the end. Of the story's ten
# tenths, each predicted by the best n-gram model of the other nine, this one has the median
# perplexity. The last has the highest: another narrator tells a good part of it.
TEST_AT = {"story": 0.6}
# Seconds that a server may be silent, and that all tries to fetch a text may take together.
SILENCE, PATIENCE = 30.0, 120.0


@dataclass(frozen=True)
class Vocabulary:
    """A closed set of symbols, each a character; the index of a symbol is its token.

    Raises:
        TypeError: the symbols are not a string.
        ValueError: there is none, or one stands twice.
    """

    symbols: str

    def __post_init__(self) -> None:
        check_type(str, "pass ''.join(sorted(set(text)))", symbols=self.symbols)
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError(
                f"symbols is {self.symbols!r}: it must hold each symbol once and at least one; "
                "pass ''.join(sorted(set(text)))"
            )
        index = {symbol: token for token, symbol in enumerate(self.symbols)}
        object.__setattr__(self, "_index", index)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Tensor:
        """Turn N characters into tokens: an int64 tensor of shape (N,).

        Raises:
            TypeError: the text is not a string.
            ValueError: some characters, which are named, are not in the vocabulary.
        """
        check_type(str, "pass one string", text=text)
        index: dict[str, int] = getattr(self, "_index")  # noqa: B009 - set on a frozen dataclass
        unknown = sorted(set(text) - index.keys())
        if unknown:
            raise ValueError(
                f"the text {_shorten(text)!r} has {unknown[:10]}, which the vocabulary lacks; "
                f"use only its {len(self)} symbols {_shorten(self.symbols, 60)!r} "
                "(simplify(text) reduces a text to lower-case letters and spaces)"
            )
        return torch.tensor([index[symbol] for symbol in text], dtype=torch.int64)

    def decode(self, tokens: Tensor | Iterable[int]) -> str:
        """Turn tokens of shape (N,) back into N characters.

        Raises:
            TypeError: the tokens are not integers.
            ValueError: they have several axes, or some do not lie in [0, V).
        """
        if not isinstance(tokens, Tensor):
            try:
                tokens = list(tokens)
                tokens = torch.tensor(tokens, device="cpu") if tokens else torch.arange(0)
            except (TypeError, ValueError, RuntimeError) as error:
                raise TypeError(
                    f"tokens is {_shorten(repr(tokens))}: it must hold integers; pass a list or a "
                    "tensor of them"
                ) from error
        check_text(tokens=tokens)
        indices = tokens.tolist()
        if indices and not 0 <= min(indices) <= max(indices) < len(self):
            raise ValueError(
                f"tokens run from {min(indices)} to {max(indices)}: each must lie in "
                f"[0, {len(self)}); pass tokens that this vocabulary has encoded"
            )
        return "".join(self.symbols[index] for index in indices)


@dataclass(frozen=True)
class Corpus:
    """A text as tokens, in three parts: to train on, to choose by, and to judge on.

    `training`, `validation` and `test` are int64 tensors with one axis. Models learn from the
    first. Whatever is chosen (n, epochs, rates) is chosen on the second. The third gives the
    verdict, on models that are final.
    """

    name: str
    vocabulary: Vocabulary
    training: Tensor
    validation: Tensor
    test: Tensor


def load_corpus(
    source: str | Path = "story",
    *,
    letters_only: bool = True,
    held_out: float = 0.1,
    test_at: float | None = None,
    max_characters: int | None = None,
) -> Corpus:
    """Load a text and split it into a training, a validation and a test part.

    The test part is one stretch of the text, the validation part the stretch before it. What stands
    before and after the two is trained on, joined where they were cut out.

    Args:
        source: "story" (the text that comes with the package), "time_machine" (H. G. Wells) or
            "tiny_shakespeare" (a million characters of plays), each fetched once and then
            cached, or the path of a UTF-8 text file of your own.
        letters_only: reduce the text to 27 symbols with `simplify`. With False the vocabulary
            is every character that occurs in any part, so that all models share the same
            closed set of symbols.
        held_out: fraction of the characters in the test part, and in the validation part; in
            (0, 0.5).
        test_at: fraction of the text before the test part, from `held_out` to 1 - `held_out`.
            None takes the end of the text, but 0.6 for the story, whose end is not like the rest.
        max_characters: use only so many characters from the start (after `simplify`).

    Returns:
        the three parts and their vocabulary.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: unknown name, empty text, bytes that are not UTF-8, wrong checksum, a fraction
            out of range, a text that leaves one of the parts with fewer than two characters, or
            of whose letters `simplify` would drop more than half.
        FileNotFoundError: the path names no file.
        ConnectionError: the text could not be fetched.
        OSError: the cache folder cannot be written.
    """
    check_bool(letters_only=letters_only)
    check_number(held_out=held_out, test_at=0.5 if test_at is None else test_at)
    if not 0.0 < held_out < 0.5:
        raise ValueError(
            f"held_out is {held_out}: it is the fraction of the test part and of the validation "
            "part, and must lie between 0 and 0.5; try 0.1"
        )
    if test_at is None:
        test_at = min(TEST_AT.get(str(source), 1.0), 1.0 - held_out)
        test_at = max(test_at, held_out)
    elif not held_out <= test_at <= 1.0 - held_out:
        raise ValueError(
            f"test_at is {test_at}: with held_out {held_out} it must lie between {held_out} and "
            f"{1.0 - held_out}, so that both parts fit; try {1.0 - held_out}"
        )
    if max_characters is not None:
        check_positive_int(max_characters=max_characters)
    text = load_text(source)
    if letters_only:
        simple = simplify(text)
        if len(simple) < 2:
            raise ValueError(
                f"{source!s} has {len(text)} characters but fewer than two letters a-z; "
                "pass letters_only=False to keep every character"
            )
        letters, kept = sum(map(str.isalpha, text)), len(simple.replace(" ", ""))
        if 2 * kept < letters:
            raise ValueError(
                f"{source!s} has {letters} letters, of which only {kept} are among a-z: the rest "
                "must not be lost; pass letters_only=False to keep every character"
            )
        text = simple
    text = text[:max_characters]
    size = len(text) - int(len(text) * (1 - held_out))
    start = min(max(round(len(text) * test_at), size), len(text) - size)  # whatever is rounded
    if size < 2 or len(text) - 2 * size < 2:
        raise ValueError(
            f"{source!s} leaves {len(text) - 2 * size} characters to train on and {size} each to "
            "choose by and to judge on: all parts need at least 2; use a longer text or another "
            "held_out"
        )
    vocabulary = Vocabulary(LETTERS_AND_SPACE if letters_only else "".join(sorted(set(text))))
    tokens = vocabulary.encode(text)
    before, validation, test, after = tokens.split(
        [start - size, size, size, len(text) - start - size]
    )
    return Corpus(str(source), vocabulary, torch.cat([before, after]), validation, test)


def load_text(source: str | Path) -> str:
    """Return the characters of a corpus, unchanged; `source` and errors as of `load_corpus`."""
    check_type((str, Path), "pass 'story' or the path of a text file", source=source)
    if source == "story":
        content = files("d2lhelpers").joinpath("corpora", "story.txt").read_bytes()
    elif source in DOWNLOADS:
        content = _cached(DOWNLOADS[str(source)])
    else:
        content = _own_file(source)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")  # a byte-order mark
    except UnicodeDecodeError as error:
        old = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
        raise ValueError(
            f"{source!s} is not UTF-8: byte {content[error.start]:#04x} at offset {error.start}; "
            f"save it as UTF-8, for example with: iconv -f {old} -t utf-8 old.txt > new.txt"
        ) from error
    if "\0" in text:
        raise ValueError(
            f"{source!s} is not UTF-8 text: it has NUL characters, as UTF-16 and binary files do; "
            "save it as UTF-8, for example with: iconv -f utf-16 -t utf-8 old.txt > new.txt"
        )
    if not text.strip():
        raise ValueError(f"{source!s} is empty: a corpus needs text; pass another file")
    return text


def _own_file(source: str | Path) -> bytes:
    """Return the bytes of the reader's own file."""
    shown, text = _shorten(repr(str(source))), str(source)
    if "\n" in text or "\0" in text or max(map(len, text.split("/"))) > 255:
        raise ValueError(
            f"source begins {shown} and has {len(text)} characters: it must be the name of a "
            "corpus or the path of a file, not the text itself; write the text to a file and pass "
            "its path"
        )
    try:
        path = Path(source).expanduser()
        name_alone = isinstance(source, str) and not path.suffix and "/" not in source
        if name_alone and not path.exists():
            names = ", ".join(repr(name) for name in ["story", *DOWNLOADS])
            raise ValueError(
                f"no corpus is called {source!r}: choose {names}, "
                "or pass the path of a UTF-8 text file"
            )
        if not path.is_file():  # nor a pipe or a device, from which one could read for ever
            raise FileNotFoundError(
                f"{path} is not a file: pass the path of an existing text file "
                f"(this program runs in {Path.cwd()})"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError) as error:  # no right to read it, no such user's folder
        raise OSError(
            f"{shown} cannot be read ({error}): a source must be a readable text file; pass the "
            "path of one"
        ) from error


def simplify(text: str) -> str:
    """Reduce a text to 27 symbols: lower-case a-z, every other run of characters one space.

    Raises:
        TypeError: the text is not a string.
    """
    check_type(str, "pass one string", text=text)
    return re.sub("[^a-z]+", " ", text.lower()).strip()


def cache_folder() -> Path:
    """Return the folder of fetched texts: $D2LHELPERS_CACHE, else ~/.cache/d2lhelpers.

    Raises:
        OSError: there is neither that variable nor a home folder.
    """
    try:
        return Path(os.environ.get("D2LHELPERS_CACHE") or "~/.cache/d2lhelpers").expanduser()
    except RuntimeError as error:
        raise OSError(
            f"no folder for fetched texts ({error}): there must be a home folder or another place; "
            "set D2LHELPERS_CACHE to a folder"
        ) from error


def _cached(download: Download) -> bytes:
    """Return the bytes of a download, from the cache if they are there; verified either way."""
    path = cache_folder() / download.file_name
    try:
        if path.exists() and not path.is_file():  # to read a pipe could take for ever
            raise OSError("it is not a regular file")
        content = path.read_bytes()
    except FileNotFoundError:
        content = _fetch(download)
        _write_whole(path, content)
    except OSError as error:
        raise _unusable(path, error) from error
    if (found := hashlib.sha256(content).hexdigest()) != download.sha256:
        raise ValueError(
            f"{path} has SHA-256 {found}, not {download.sha256}: "
            "it was changed or damaged; delete it and load the corpus again"
        )
    return content


def _fetch(download: Download, tries: int = 3, pause: float = 1.0) -> bytes:
    """Fetch a file over the network; a broken connection is tried again after a pause (s).

    All tries together end after `PATIENCE` seconds, whatever the server does.
    """
    end = time.monotonic() + PATIENCE
    for attempt in range(1, tries + 1):
        try:
            content = _read_until(end, download)
            break
        except (OSError, http.client.HTTPException) as error:
            if attempt == tries or time.monotonic() >= end:
                raise ConnectionError(
                    f"could not fetch {download.url} ({error}) in {attempt} tries: check the "
                    f"network, or put the file at {cache_folder() / download.file_name} yourself; "
                    "load_corpus('story') needs no network"
                ) from error
            time.sleep(pause * attempt)
    if (found := hashlib.sha256(content).hexdigest()) != download.sha256:
        size = f"more than {download.size}" if len(content) > download.size else str(len(content))
        raise ValueError(
            f"{download.url} sent {size} bytes with SHA-256 {found}, not "
            f"{download.sha256}: nothing was kept; try again, or from another network"
        )
    return content


def _read_until(end: float, download: Download) -> bytes:
    """Return what `_read` returns, or raise `TimeoutError` at a time of `time.monotonic`.

    It reads in a thread of its own: a socket's timeout begins anew with each byte, and to look up
    a name has none.
    """
    results: list[bytes | BaseException] = []

    def read() -> None:
        try:
            results.append(_read(download, end))
        except BaseException as error:
            results.append(error)

    thread = Thread(target=read, name=f"fetch {download.file_name}", daemon=True)
    thread.start()
    thread.join(max(0.0, end - time.monotonic()))
    if not results:
        raise TimeoutError(f"it took more than {PATIENCE:g} seconds")
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def _read(download: Download, end: float) -> bytes:
    """Read a file over the network, at most one byte more than it should have."""
    content = b""
    with urllib.request.urlopen(download.url, timeout=SILENCE) as response:
        while len(content) <= download.size and time.monotonic() < end:
            part = response.read1(download.size + 1 - len(content))
            if not part:
                break
            content += part
    if len(content) < download.size:
        raise http.client.IncompleteRead(content, download.size - len(content))
    return content


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it: aside first, then renamed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as aside:
            try:
                aside.write(content)
                aside.close()
                os.chmod(aside.name, 0o644)  # temporary files are private, a cache may be shared
                os.replace(aside.name, path)
            except BaseException:
                os.unlink(aside.name)
                raise
    except OSError as error:
        raise _unusable(path, error) from error


def _remove_leftovers(path: Path, seconds: float = 3600.0) -> None:
    """Remove what processes have left that were killed while they wrote this file."""
    for aside in path.parent.glob(f".{path.name}.*.part"):
        with contextlib.suppress(OSError):  # another process may be faster
            if aside.stat().st_mtime < time.time() - seconds:
                aside.unlink()


def _unusable(path: Path, error: OSError) -> OSError:
    return OSError(
        f"cannot use {path} ({error}): the cache folder must be readable and writable; "
        "set D2LHELPERS_CACHE to a folder that is"
    )


def _shorten(text: str, length: int = 30) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
