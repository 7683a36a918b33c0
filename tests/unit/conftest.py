"""What several test modules share: a small corpus, small models, settings of Hypothesis."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import settings

from d2lhelpers.layers import RNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.text import Corpus, load_corpus

# The same examples in every run, so that a test fails everywhere or nowhere; no clock.
settings.register_profile("unit", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("unit")
torch.set_num_threads(1)  # the models here are too small to gain from more


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The first 3,500 characters of the story."""
    return load_corpus("story", max_characters=3500)


@pytest.fixture
def new_model(corpus: Corpus) -> Callable[..., LanguageModel]:
    """Make a small language model in double precision, the same for the same seed."""

    def make(seed: int = 0) -> LanguageModel:
        torch.manual_seed(seed)
        return LanguageModel(RNN(8, 16), len(corpus.vocabulary)).double()

    return make
