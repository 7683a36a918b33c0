"""Corpora and vocabulary: from a file of text to tensors of token indices."""

from __future__ import annotations

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

import torch
from torch import Tensor

from d2lhelpers.checks import check_positive_int

LETTERS_AND_SPACE = " abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Download:
    """A text that is fetched on demand: where it is, its file name, the SHA-256 of its bytes."""

    url: str
    file_name: str
    sha256: str


DOWNLOADS = {
    "time_machine": Download(
        url="https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
        file_name="timemachine.txt",
        sha256="8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
    ),
    "tiny_shakespeare": Download(
        url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        file_name="tinyshakespeare.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}
# Where the test part begins, as a fraction of the text, if it is not the end. Of the story's ten
# tenths, each predicted by the best n-gram model of the other nine, this one has the median
# perplexity. The last has the highest: another narrator tells a good part of it.
TEST_AT = {"story": 0.6}


@dataclass(frozen=True)
class Vocabulary:
    """A closed set of symbols, each a character; the index of a symbol is its token.

    Raises `ValueError` if a symbol stands twice.
    """

    symbols: str

    def __post_init__(self) -> None:
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

        Raises `ValueError`, naming the characters, if some are not in the vocabulary.
        """
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

        Raises `ValueError` if some do not lie in [0, V).
        """
        indices = tokens.tolist() if isinstance(tokens, Tensor) else [int(t) for t in tokens]
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

    Raises:
        ValueError: unknown name, empty text, bytes that are not UTF-8, wrong checksum, a fraction
            out of range, a text that leaves one of the parts with fewer than two characters.
        FileNotFoundError: the path names no file.
        ConnectionError: the text could not be fetched.
        OSError: the cache folder cannot be written.
    """
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
    """Return the characters of a corpus, unchanged; `source` and errors as in `load_corpus`."""
    if source == "story":
        content = files("d2lhelpers").joinpath("corpora", "story.txt").read_bytes()
    elif source in DOWNLOADS:
        content = _cached(DOWNLOADS[str(source)])
    else:
        path = Path(source).expanduser()
        if isinstance(source, str) and not path.exists() and not path.suffix and "/" not in source:
            names = ", ".join(repr(name) for name in ["story", *DOWNLOADS])
            raise ValueError(
                f"no corpus is called {source!r}: choose {names}, "
                "or pass the path of a UTF-8 text file"
            )
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is not a file: pass the path of an existing text file "
                f"(this program runs in {Path.cwd()})"
            )
        content = path.read_bytes()
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")  # a byte-order mark
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{source!s} is not UTF-8: byte {content[error.start]:#04x} at offset {error.start}; "
            "save it as UTF-8, for example with: iconv -f latin1 -t utf-8 old.txt > new.txt"
        ) from error
    if not text.strip():
        raise ValueError(f"{source!s} is empty: a corpus needs text; pass another file")
    return text


def simplify(text: str) -> str:
    """Reduce a text to 27 symbols: lower-case a-z, every other run of characters one space."""
    return re.sub("[^a-z]+", " ", text.lower()).strip()


def cache_folder() -> Path:
    """Return the folder of fetched texts: $D2LHELPERS_CACHE, else ~/.cache/d2lhelpers."""
    return Path(os.environ.get("D2LHELPERS_CACHE") or "~/.cache/d2lhelpers").expanduser()


def _cached(download: Download) -> bytes:
    """Return the bytes of a download, from the cache if they are there; verified either way."""
    path = cache_folder() / download.file_name
    try:
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
    """Fetch a file over the network; a broken connection is tried again after a pause (s)."""
    for attempt in range(1, tries + 1):
        try:
            with urllib.request.urlopen(download.url, timeout=30) as response:
                content: bytes = response.read()
            break
        except (OSError, http.client.HTTPException) as error:
            if attempt == tries:
                raise ConnectionError(
                    f"could not fetch {download.url} ({error}) in {tries} tries: check the "
                    f"network, or put the file at {cache_folder() / download.file_name} yourself; "
                    "load_corpus('story') needs no network"
                ) from error
            time.sleep(pause * attempt)
    if (found := hashlib.sha256(content).hexdigest()) != download.sha256:
        raise ValueError(
            f"{download.url} sent {len(content)} bytes with SHA-256 {found}, not "
            f"{download.sha256}: nothing was kept; try again, or from another network"
        )
    return content


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it: aside first, then renamed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as aside:
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


def _unusable(path: Path, error: OSError) -> OSError:
    return OSError(
        f"cannot use {path} ({error}): the cache folder must be readable and writable; "
        "set D2LHELPERS_CACHE to a folder that is"
    )


def _shorten(text: str, length: int = 30) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
