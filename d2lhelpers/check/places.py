"""Where things stand in the course, for messages: the package is used without the site.

A test holds the table to the built site: numbers, titles and addresses.
"""

from __future__ import annotations

import re

# For each label: what to call it, and where it is on the site, below `book/`.
PLACES = {
    "eq-perplexity": ("equation 1.1", "rnn.html#equation-eq-perplexity"),
    "eq-kneser-ney": ("equation 1.2", "rnn.html#equation-eq-kneser-ney"),
    "eq-feedforward": ("equation 1.3", "rnn.html#equation-eq-feedforward"),
    "eq-rnn": ("equation 1.4", "rnn.html#equation-eq-rnn"),
    "eq-output": ("equation 1.5", "rnn.html#equation-eq-output"),
    "eq-concatenation": ("equation 1.6", "rnn.html#equation-eq-concatenation"),
    "eq-softmax": ("equation 1.7", "rnn.html#equation-eq-softmax"),
    "eq-bptt": ("equation 1.8", "rnn.html#equation-eq-bptt"),
    "eq-clipping": ("equation 1.9", "rnn.html#equation-eq-clipping"),
    "eq-jacobian": ("equation 1.10", "rnn.html#equation-eq-jacobian"),
    "eq-witten-bell": ("equation 1.11", "rnn.html#equation-eq-witten-bell"),
    "eq-gru-gates": ("equation 2.1", "gru.html#equation-eq-gru-gates"),
    "eq-gru-candidate": ("equation 2.2", "gru.html#equation-eq-gru-candidate"),
    "eq-gru-state": ("equation 2.3", "gru.html#equation-eq-gru-state"),
    "eq-gru-before": ("equation 2.4", "gru.html#equation-eq-gru-before"),
    "eq-gru-jacobian": ("equation 2.5", "gru.html#equation-eq-gru-jacobian"),
    "eq-adding": ("equation 3.1", "lstm.html#equation-eq-adding"),
    "eq-adding-chance": ("equation 3.2", "lstm.html#equation-eq-adding-chance"),
    "eq-lstm-gates": ("equation 3.3", "lstm.html#equation-eq-lstm-gates"),
    "eq-lstm-candidate": ("equation 3.4", "lstm.html#equation-eq-lstm-candidate"),
    "eq-lstm-memory": ("equation 3.5", "lstm.html#equation-eq-lstm-memory"),
    "eq-lstm-state": ("equation 3.6", "lstm.html#equation-eq-lstm-state"),
    "eq-lstm-direct": ("equation 3.7", "lstm.html#equation-eq-lstm-direct"),
    "eq-copy-memory": ("equation 3.8", "lstm.html#equation-eq-copy-memory"),
    "eq-copy-chance": ("equation 3.9", "lstm.html#equation-eq-copy-chance"),
    "eq-deep": ("equation 4.1", "deep-rnn.html#equation-eq-deep"),
    "eq-deep-output": ("equation 4.2", "deep-rnn.html#equation-eq-deep-output"),
    "eq-deep-gain": ("equation 4.3", "deep-rnn.html#equation-eq-deep-gain"),
    "eq-deep-residual": ("equation 4.4", "deep-rnn.html#equation-eq-deep-residual"),
    "eq-deep-norm": ("equation 4.5", "deep-rnn.html#equation-eq-deep-norm"),
    "eq-bi-f1": ("equation 5.1", "bidirectional-rnn.html#equation-eq-bi-f1"),
    "eq-bi-windows": ("equation 5.2", "bidirectional-rnn.html#equation-eq-bi-windows"),
    "eq-bi": ("equation 5.3", "bidirectional-rnn.html#equation-eq-bi"),
    "eq-bi-join": ("equation 5.4", "bidirectional-rnn.html#equation-eq-bi-join"),
    "eq-bi-words": ("equation 5.5", "bidirectional-rnn.html#equation-eq-bi-words"),
    # Sections: “title” in their chapter. Those that a message names, and no others.
    "sec-rnn-scratch": ("“From scratch” in chapter 1", "rnn.html#sec-rnn-scratch"),
    "sec-bptt": ("“Back-propagation through time” in chapter 1", "rnn.html#sec-bptt"),
    "sec-gru-scratch": ("“From scratch” in chapter 2", "gru.html#sec-gru-scratch"),
    "sec-gru-order": ("“Before the product or after it” in chapter 2", "gru.html#sec-gru-order"),
    "sec-lstm-scratch": ("“From scratch” in chapter 3", "lstm.html#sec-lstm-scratch"),
    "sec-lstm-gradient": ("“The path of the memory” in chapter 3", "lstm.html#sec-lstm-gradient"),
    "sec-lstm-bias": ("“The bias of the forget gate” in chapter 3", "lstm.html#sec-lstm-bias"),
    "sec-lstm-long-lags": ("“Long lags” in chapter 3", "lstm.html#sec-lstm-long-lags"),
    "sec-deep-scratch": ("“From scratch” in chapter 4", "deep-rnn.html#sec-deep-scratch"),
    "sec-deep-repairs": ("“Repairs” in chapter 4", "deep-rnn.html#sec-deep-repairs"),
    "sec-deep-dropout": ("“Dropout between layers” in chapter 4", "deep-rnn.html#sec-deep-dropout"),
    "sec-bi-scratch": ("“From scratch” in chapter 5", "bidirectional-rnn.html#sec-bi-scratch"),
    "sec-bi-lengths": (
        "“Sentences of different lengths” in chapter 5",
        "bidirectional-rnn.html#sec-bi-lengths",
    ),
    "sec-gru-memory": (
        "“Perplexity on the training text measures memory” in chapter 2",
        "gru.html#sec-gru-memory",
    ),
    "sec-results": ("“Results” in chapter 1", "rnn.html#sec-results"),
    "sec-clipping": ("“Gradient clipping” in chapter 1", "rnn.html#sec-clipping"),
    "sec-language-model": (
        "“A character language model” in chapter 1",
        "rnn.html#sec-language-model",
    ),
    "sec-windows": (
        "“Windows of text, and a state that is carried” in chapter 1",
        "rnn.html#sec-windows",
    ),
    "sec-truncation": (
        "“Truncated back-propagation through time” in chapter 1",
        "rnn.html#sec-truncation",
    ),
    "sec-loop": ("“The loop” in chapter 1", "rnn.html#sec-loop"),
    "sec-generated": ("“Generated text” in chapter 1", "rnn.html#sec-generated"),
    "sec-lstm-failure": (
        "“Two numbers, many steps apart” in chapter 3",
        "lstm.html#sec-lstm-failure",
    ),
    "ex-witten-bell": ("exercise 1.3", "rnn.html#ex-witten-bell"),
    "ex-mean-of-exp": ("exercise 1.4", "rnn.html#ex-mean-of-exp"),
    "ex-generator": ("exercise 1.5", "rnn.html#ex-generator"),
    "ex-mixing": ("exercise 1.7", "rnn.html#ex-mixing"),
    "ex-bi-padding": ("exercise 5.3", "bidirectional-rnn.html#ex-bi-padding"),
    # Exercises.
    "ex-lstm-coupled": ("exercise 3.4", "lstm.html#ex-lstm-coupled"),
    "ex-gru-convention": ("exercise 2.3", "gru.html#ex-gru-convention"),
}


def place(label: str) -> str:
    """Return what a label is called, and where it is: "equation 2.4 (gru.html#...)".

    Raises:
        ValueError: a label that is not in the table.
    """
    return f"{render(f'{{{label}}}')} ({PLACES[label][1]})"


def render(text: str) -> str:
    """Replace each `{label}` of a text by what it is called: "{eq-rnn}" by "equation 1.4".

    Raises:
        ValueError: a label that is not in the table.
    """

    def name(match: re.Match[str]) -> str:
        if match[1] not in PLACES:
            raise ValueError(f"{match[1]} is no known place: add it to PLACES in check/places.py")
        return PLACES[match[1]][0]

    return re.sub(r"\{((?:eq|sec|ex)-[a-z0-9-]+)\}", name, text)
