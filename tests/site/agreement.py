"""The models in a browser against PyTorch: logits, states and gates of 1,000 characters.

    python tests/site/agreement.py firefox webkit

opens the page in these browsers, and fails where one is missing or says something else. A browser
needs no driver for that: the page computes and sends its numbers back. `make test` does the same in
Chromium, and in these where they are installed. Debian has them in the packages firefox-esr,
webkit2gtk-driver and xvfb.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch
from serve import Handler
from torch import Tensor, nn

from d2lhelpers.export import read_file, read_parts, rebuild
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import load_corpus

SITE = Path(__file__).parents[2] / "_build" / "html"
LENGTH = 1000
CLOSE = {torch.float64: 1e-9, torch.float32: 1e-4}
PAGE = """<!doctype html><meta charset="utf-8"><title>agreement</title>
<script src="/_static/play.js"></script><script src="/agreement.js"></script>"""
MINI = "webkit2gtk-4.1/MiniBrowser"
BROWSERS = {
    "firefox": ["firefox-esr", "firefox"],
    "webkit": [*map(str, Path("/usr/lib").glob(f"*/{MINI}")), f"/usr/libexec/{MINI}"],
}


@dataclass
class Answers:
    """What a page has sent: by the model's name, floats of 64 bits; at the end how long it took."""

    site: Path
    texts: dict[str, list[int]]
    numbers: dict[str, bytes] = field(default_factory=dict)
    finished: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = 180.0) -> dict[str, Any]:
        """Return the end of what the page sent; raise `AssertionError` if it failed."""
        assert self.finished.wait(seconds), f"the page has not finished: {sorted(self.numbers)}"
        assert "failed" not in self.numbers, self.numbers["failed"].decode()
        return dict(json.loads(self.numbers["done"]))


class Agreement(Handler):
    """A server of the site, and of a page that lets the models compute."""

    def __init__(self, *args: Any, answers: Answers, **options: Any):
        self.answers = answers
        super().__init__(*args, directory=str(answers.site), **options)

    def do_GET(self) -> None:
        own = {
            "/agreement.html": ("text/html", PAGE),
            "/agreement.js": (
                "text/javascript",
                Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
            ),
            "/texts.json": ("application/json", json.dumps(self.answers.texts)),
        }
        if self.path not in own:
            return super().do_GET()
        kind, text = own[self.path]
        self.answer(kind, text.encode())

    def do_POST(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.answers.numbers[name] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer("text/plain", b"")
        if name in ("done", "failed"):
            self.answers.finished.set()

    def answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def asking(site: Path) -> Iterator[tuple[str, Answers]]:
    """Serve the page, and yield its address and what it will have sent."""
    names = sorted(path.stem for path in site.glob("_static/models/*.bin"))
    answers = Answers(site, {name: text_of(site, name).tolist() for name in names})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Agreement, answers=answers)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/agreement.html", answers
        http.shutdown()


def model_file(site: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """Return the header and the numbers of a model of the site."""
    return read_file(site / "_static" / "models" / f"{name}.bin")


def text_of(site: Path, name: str) -> Tensor:
    """Return the first characters of the test part that a model knows, as its tokens."""
    corpus = load_corpus("story")
    symbols = model_file(site, name)[0]["symbols"]
    text = corpus.vocabulary.decode(corpus.test)
    known = [symbols.index(character) for character in text if character in symbols]
    return torch.tensor(known[:LENGTH])


@torch.no_grad()
def expected(site: Path, name: str, dtype: torch.dtype) -> np.ndarray:
    """Return what PyTorch computes with the weights of a file, a row for each character."""
    header, numbers = model_file(site, name)
    tokens = text_of(site, name)
    if header["kind"] == "counting":
        return counted(header, numbers, tokens)
    model: Any = rebuild(header, numbers).to(dtype)
    X = model.embedding(tokens)[:, None]  # (T, 1, D)
    if header["kind"] == "tagger":
        scores = model(tokens[:, None], torch.tensor([len(tokens)]))
        return torch.cat([scores, model.layer(X)[0][:, 0]], 1).numpy()
    logits, _ = model(tokens[:, None])
    columns = [logits[:, 0]]
    for layer in getattr(model.layer, "layers", [model.layer]):
        above, _ = layer(X)
        columns += inside(getattr(layer, "layer", layer), X)
        X = above
    return torch.cat(columns, 1).numpy()


def inside(layer: nn.RNNBase, X: Tensor) -> list[Tensor]:
    """Return the states, memories and gates of one of torch's layers, (T, H) each."""
    states, state = [], None
    for x in X:
        _, state = layer(x[None], state)
        states.append(state if isinstance(state, tuple) else (state,))
    own = [torch.cat(part)[:, 0] for part in zip(*states, strict=True)]  # H, and C
    before = torch.cat([torch.zeros_like(own[0][:1]), own[0][:-1]])
    from_X = X[:, 0] @ layer.weight_ih_l0.T + layer.bias_ih_l0
    from_H = before @ layer.weight_hh_l0.T + layer.bias_hh_l0
    if isinstance(layer, nn.GRU):
        (x_r, x_z, x_h), (h_r, h_z, h_h) = from_X.chunk(3, 1), from_H.chunk(3, 1)
        R, Z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        return [*own, R, Z, torch.tanh(x_h + R * h_h)]
    if isinstance(layer, nn.LSTM):
        i, f, g, o = (from_X + from_H).chunk(4, 1)
        return [*own, torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)]
    return own


def counted(header: dict[str, Any], numbers: bytes, tokens: Tensor) -> np.ndarray:
    """Return the logarithms of what counting expects after each token."""
    V, n = len(header["symbols"]), header["order"]
    text = torch.from_numpy(read_parts(header, numbers)["bytes"]).long()
    model = KneserNey(text, n, V)
    rows = []
    for t in range(1, n - 1):  # the first contexts are shorter; what follows is not looked at
        ahead = [torch.cat([tokens[:t], torch.tensor([w] + n * [0])]) for w in range(V)]
        rows.append([np.log(model.probabilities(each)[t - 1]) for each in ahead])
    windows = tokens.unfold(0, n - 1, 1)[:, None].expand(-1, V, -1)
    asked = torch.cat([windows, torch.arange(V).expand(len(windows), V)[..., None]], 2)
    p = np.append(1.0, model.probabilities(asked.flatten())).reshape(asked.shape)[..., -1]
    return np.vstack([rows, np.log(p)])


def furthest(site: Path, name: str, answers: Answers, dtype: torch.dtype = torch.float64) -> float:
    """Return the largest difference between what a page has sent and what PyTorch computes.

    Of float32, in which the chapters compute, numbers above 1 are compared by their digits: the
    memory of the six layers that learn nothing counts up to 950, where its steps are of 0.00006.
    """
    wanted = expected(site, name, dtype)
    found = np.frombuffer(answers.numbers[name], "<f8").reshape(wanted.shape)
    size = np.maximum(np.abs(wanted), 1.0) if dtype == torch.float32 else 1.0
    return float((np.abs(found - wanted) / size).max())


def command(browser: str) -> list[str] | None:
    """Return how to open a page in a browser that has no window to show; None: not installed."""
    program = next(filter(None, map(shutil.which, BROWSERS[browser])), None)
    display = shutil.which("xvfb-run")
    if program is None or (browser == "webkit" and display is None):
        return None
    if browser == "firefox":
        return [program, "--headless", "--no-remote", "--profile"]
    return [str(display), "-a", program]


def installed() -> list[str]:
    """Return the browsers, other than Chromium, that are here."""
    return [browser for browser in BROWSERS if command(browser)]


def ask(browser: str, site: Path) -> tuple[Answers, dict[str, Any]]:
    """Return what a browser has sent, and how long it took."""
    start = command(browser)
    if start is None:
        sys.exit(f"{browser} is not installed: {__doc__}")
    with asking(site) as (address, answers), tempfile.TemporaryDirectory() as folder:
        place = [folder, address] if browser == "firefox" else [address]
        process = subprocess.Popen(
            [*start, *place], stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            return answers, answers.wait()
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # a browser is many processes
            process.wait()


def main() -> int:
    """Compare in each browser, and return 0 if all agree."""
    parser = argparse.ArgumentParser(description="Compare the models of the site with PyTorch.")
    parser.add_argument("browsers", nargs="+", choices=BROWSERS)
    worst = 0.0
    for browser in parser.parse_args().browsers:
        answers, end = ask(browser, SITE)
        print(end["browser"])
        for name, time in end["times"].items():
            difference = furthest(SITE, name, answers)
            worst = max(worst, difference)
            print(f"{name:9} differs by at most {difference:.1e}, {time:.2f} ms a character")
    return int(worst > CLOSE[torch.float64])


if __name__ == "__main__":
    sys.exit(main())
