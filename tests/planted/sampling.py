"""A language model writes, programmed by many hands."""

from planted import Planted
from planted.training_steps import changing

PLAIN = """
was = model.training
model.eval()
random_numbers = torch.Generator().manual_seed(seed)
text = prefix
state = None
X = vocabulary.encode(prefix).reshape(-1, 1)
with torch.no_grad():
    for _ in range(length):
        logits, state = model(X, state)
        scores = logits[-1, 0]
        if temperature == 0:
            w = scores.argmax().item()
        else:
            p = F.softmax(scores / temperature, dim=-1)
            w = torch.multinomial(p, 1, generator=random_numbers).item()
        text += vocabulary.decode([w])
        X = torch.tensor([[w]])
model.train(was)
return text
"""
but = changing(PLAIN)
DRAW = "torch.multinomial(p, 1, generator=random_numbers).item()"

SAMPLING = Planted(
    """
import random
import numpy as np
from d2lhelpers.generation import generate as package_generate

def generate(
    model, vocabulary, prefix, length, *, temperature=1.0, seed=0, look_ahead=False
):
    ...
""",
    right={
        "plain": PLAIN,
        "from a sorted sum": """
        was, tokens = model.training, vocabulary.encode(prefix).tolist()
        model.eval()
        dice = random.Random(seed)
        state = None
        for w in tokens[:-1]:
            _, state = model(torch.tensor([[w]]), state)
        for _ in range(length):
            logits, state = model(torch.tensor([tokens[-1:]]), state)
            scores = logits.flatten().tolist()
            best = max(scores)
            if temperature == 0:
                tokens.append(scores.index(best))
                continue
            weights = [math.exp((s - best) / temperature) for s in scores]
            tokens.append(dice.choices(range(len(scores)), weights)[0])
        model.train(was)
        return vocabulary.decode(torch.tensor(tokens))
        """,
        "Gumbel": """
        rng = np.random.default_rng(seed)
        was, tokens = model.training, vocabulary.encode(prefix)
        model.train(False)
        while len(tokens) < len(prefix) + length:
            logits, _ = model(tokens[:, None])  # the whole text, from the beginning
            noise = torch.from_numpy(rng.gumbel(size=logits.shape[-1]))
            w = (logits[-1, 0] + temperature * noise).argmax()
            tokens = torch.cat([tokens, w[None]])
        model.train(was)
        return vocabulary.decode(tokens)
        """,
        "seeded for all": """
        was = model.training
        model.eval()
        torch.manual_seed(seed)
        X, state, new = vocabulary.encode(prefix)[:, None], None, []
        for _ in range(length):
            logits, state = model(X, state)
            if temperature:
                choice = torch.distributions.Categorical(logits=logits[-1] / temperature)
                X = choice.sample()[None]
            else:
                X = logits[-1:].argmax(2)
            new.append(X.item())
        model.train(was)
        return prefix + vocabulary.decode(new)
        """,
    },
    wrong={
        "multiplied": but("scores / temperature", "scores * temperature"),
        "after_softmax": but("F.softmax(scores / temperature, dim=-1)",
            "F.softmax(scores, dim=-1) / temperature"),
        "after_softmax/forgotten": but("scores / temperature", "scores"),
        "softmax_twice": but("F.softmax(scores / temperature, dim=-1)",
            "F.softmax(F.softmax(scores, dim=-1) / temperature, dim=-1)"),
        "squared": but("scores / temperature", "scores / temperature / temperature"),
        "upside_down": but("scores / temperature", "-scores / temperature"),
        "uniform": but("F.softmax(scores / temperature, dim=-1)", "torch.ones(len(scores))"),
        "uniform/random": but(DRAW, "int(torch.randint(len(p), (1,), generator=random_numbers))"),
        "greedy": but(DRAW, "p.argmax().item()"),
        "seeded_anew": but("generator=random_numbers",
            "generator=torch.Generator().manual_seed(seed)"),
        "seed_ignored": but("manual_seed(seed)", "manual_seed(42)"),
        "global_draws": but(", generator=random_numbers", ""),
        "zero_divides": but("        if temperature == 0:\n            w = scores.argmax().item()\n"
            "        else:\n", "        if True:\n"),
        "not_warmed_up": but("vocabulary.encode(prefix)", "vocabulary.encode(prefix[-1])"),
        "state_lost": but("logits, state = model(X, state)", "logits, _ = model(X)"),
        "not_fed_back": but("        X = torch.tensor([[w]])\n", ""),
        "read_twice": but("torch.tensor([[w]])", "torch.cat([X, torch.tensor([[w]])])"),
        "first_scores": but("logits[-1, 0]", "logits[0, 0]"),
        "prefix_missing": but("text = prefix", "text = ''"),
        "prefix_counted": but("range(length)", "range(length - len(prefix))"),
        "one_more": but("range(length)", "range(length + 1)"),
        "tokens": but("text = prefix", "text = vocabulary.encode(prefix).tolist()",
            "vocabulary.decode([w])", "[w]"),
        "training_mode": but("model.eval()\n", ""),
        "mode_lost": but("model.train(was)\n", ""),
        "unknown/tempered probabilities": but("scores / temperature", "scores / (temperature + 1)"),
        "two_most_probable": but("scores / temperature, dim=-1)",
            "scores / temperature, dim=-1)\n"
            "            p = p * (p >= p.topk(2).values[-1])"),
        "unknown/never the last symbol": but(DRAW, DRAW + " % (len(p) - 1)"),
        "unknown/nan": but("scores = logits[-1, 0]", "scores = logits[-1, 0] * math.nan"),
        "unknown_name": but("logits[-1, 0]", "logits[-1, column]"),
        "list_of_symbols": but("return text", "return list(text)"),
        "prints": but("return text", "print(text)\nreturn text"),
    },
)  # fmt: skip

PLANTED = {"generate": SAMPLING}
