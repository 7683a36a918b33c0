"""The device: which one is taken, and that nothing of the package stays behind on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
import torch
from accelerator import Accelerator, accelerator
from torch import Tensor, nn

from d2lhelpers.batches import consecutive_batches, random_batches
from d2lhelpers.device import available_devices, default_device, use_device
from d2lhelpers.generation import generate
from d2lhelpers.layers import GRU, LSTM, RNN, Bidirectional, DeepRNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import WittenBell
from d2lhelpers.tasks import Adder, adding_problem, copy_memory, train_on_task
from d2lhelpers.text import load_corpus
from d2lhelpers.training import TrainConfig, perplexity, train


@pytest.fixture(params=["cuda", "mps"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Accelerator]:
    """A machine with an accelerator, in use."""
    with accelerator(request.param) as mode:
        use_device(show=False)
        yield mode


@pytest.mark.parametrize(
    ("cuda", "mps", "names"),
    [
        (True, True, ["cuda", "mps", "cpu"]),
        (False, True, ["mps", "cpu"]),
        (False, False, ["cpu"]),
    ],
)
def test_the_fastest_device_comes_first(cuda: bool, mps: bool, names: list[str]) -> None:
    with (
        patch("torch.cuda.is_available", lambda: cuda),
        patch("torch.backends.mps.is_available", lambda: mps),
    ):
        assert available_devices() == names


def test_the_cpu_is_used_where_there_is_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with patch("torch.cuda.is_available", lambda: False):
        assert use_device("cpu") == torch.device("cpu") == default_device()
    assert capsys.readouterr().out == "running on the CPU\n"
    # A default that is set is looked up at each call.
    assert torch._C._len_torch_function_stack() == 0


def test_a_gpu_is_used_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    with accelerator("cuda"):
        assert use_device().type == "cuda" == default_device().type
        assert not torch.backends.cudnn.allow_tf32
        assert use_device("cpu").type == "cpu" == default_device().type
    said = "running on the NVIDIA GPU (in disguise)\nrunning on the CPU\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("name", ["gpu", "cuda:1", "", "tpu"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    message = f"the device {name!r} does not work here: choose from cpu"
    with (
        patch("torch.cuda.is_available", lambda: False),
        patch("torch.backends.mps.is_available", lambda: False),
        pytest.raises(ValueError, match=message),
    ):
        use_device(name)


def test_data_are_the_same_on_every_device() -> None:
    def draw() -> list[Tensor]:
        generator = torch.Generator().manual_seed(1)
        tokens = load_corpus("story", max_characters=3000).training
        pieces = [
            *adding_problem(4, 10, generator),
            *copy_memory(4, 20, generator),
            *(part for batch in random_batches(tokens, 8, 20, generator) for part in batch),
            *(part for batch in consecutive_batches(tokens, 8, 20) for part in batch),
        ]
        assert {piece.device.type for piece in pieces} == {default_device().type}
        return [piece.cpu() for piece in pieces]

    here = draw()
    with accelerator():
        use_device(show=False)
        there = draw()
    for ours, theirs in zip(here, there, strict=True):
        assert torch.equal(ours, theirs)


LAYERS: list[Callable[[], nn.Module]] = [
    lambda: RNN(8, 12),
    lambda: GRU(8, 12),
    lambda: LSTM(8, 12),
    lambda: nn.LSTM(8, 12),
    lambda: DeepRNN([GRU(8, 12), LSTM(12, 12)], dropout=0.1),
    lambda: Bidirectional(GRU(8, 12), LSTM(8, 12)),
]


@pytest.mark.parametrize("make", LAYERS, ids=["RNN", "GRU", "LSTM", "nn.LSTM", "deep", "both"])
def test_a_model_trains_predicts_and_writes_there(
    make: Callable[[], nn.Module], elsewhere: Accelerator
) -> None:
    corpus = load_corpus("story", max_characters=3000)
    V = len(corpus.vocabulary)

    def result() -> tuple[list[float], float, str]:
        torch.manual_seed(0)
        model = LanguageModel(make(), V)
        ahead = isinstance(model.layer, Bidirectional)
        config = TrainConfig(epochs=2, num_steps=20)
        history = train(model, corpus, config, show=False, look_ahead=ahead)
        assert all(elsewhere.is_there(p) for p in model.parameters())
        text = generate(model, corpus.vocabulary, "the ", 20, look_ahead=ahead)
        reached = perplexity(model, corpus.validation, look_ahead=ahead)
        return history.validation, reached, text

    first = result()
    assert first == result(), "the same seed gives another model"
    assert first[0][-1] == first[1]
    assert WittenBell(corpus.training, 3, V).perplexity(corpus.validation) < first[1]


def test_tasks_are_learned_there(elsewhere: Accelerator) -> None:
    losses = train_on_task(
        Adder(GRU(2, 8)), lambda g: adding_problem(8, 6, g), 3, learning_rate=0.01
    )
    assert len(losses) == 3


# The accelerator in disguise has to refuse what a GPU refuses, or the tests above show nothing.
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "sum": (lambda: torch.ones(3) + torch.ones(3, device="cpu"), "all tensors on one device"),
    "function": (lambda: nn.Linear(3, 2)(torch.ones(3).cpu()), "all tensors on one device"),
    "stack": (lambda: torch.stack([torch.ones(3), torch.ones(3).cpu()]), "on one device"),
    "place": (lambda: torch.ones(3).cpu()[torch.tensor([1])], "all tensors on one device"),
    "a gradient": (lambda: _gradient() + torch.ones(3, device="cpu"), "on one device"),
    "a view": (lambda: torch.ones(2, 3).T[0] + torch.ones(2, device="cpu"), "on one device"),
    "numpy": (lambda: torch.ones(3).numpy(), "has to be copied to the CPU"),
    "generator": (lambda: torch.randperm(3, generator=torch.Generator()), "a generator on"),
    "float64": (lambda: torch.ones(3).double(), "no float64"),
}


def _gradient() -> Tensor:
    x = torch.ones(3, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_disguise_refuses_what_a_gpu_refuses(mistake: str) -> None:
    call, message = MISTAKES[mistake]
    with accelerator("mps"):
        use_device(show=False)
        with pytest.raises((RuntimeError, TypeError), match=message):
            call()


def test_the_disguise_allows_what_a_gpu_allows() -> None:
    with accelerator("cuda"):
        use_device(show=False)
        x = torch.ones(3)
        assert (x + torch.tensor(1.0, device="cpu")).tolist() == [2.0, 2.0, 2.0]
        assert x[torch.tensor([0, 1], device="cpu")].device.type == "cuda"
        x[:2] = torch.zeros(2).cpu()[:2].to(x.device)
        assert x.double().cpu().numpy().tolist() == [0.0, 0.0, 1.0]
