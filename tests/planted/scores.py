"""How good a model is, and what counting makes of a text, written by many hands."""

from planted import Planted
from planted.training_steps import changing

# --- Perplexity

PLAIN = """
was = model.training
model.eval()
total, count, state = 0.0, 0, None
with torch.no_grad():
    for X, Y in consecutive_batches(tokens, batch_size, 35):
        logits, state = model(X, state)
        loss = F.cross_entropy(logits.flatten(0, 1), Y.flatten(), reduction="sum")
        total += loss.item()
        count += Y.numel()
model.train(was)
return math.exp(total / count)
"""
but = changing(PLAIN)
MEAN = ('"sum")\n', '"mean")\n')

PERPLEXITY = Planted(
    """
from d2lhelpers.batches import consecutive_batches
from d2lhelpers.training import log_probabilities

def perplexity(model, tokens, batch_size=8, *, look_ahead=False):
    ...
""",
    right={
        "plain": PLAIN,
        "all at once": """
        was = model.training
        model.eval()
        length = (len(tokens) - 1) // batch_size
        X = tokens[: batch_size * length].view(batch_size, length).T
        Y = tokens[1 : batch_size * length + 1].view(batch_size, length).T
        with torch.inference_mode():
            logits, _ = model(X)
        model.train(was)
        return F.cross_entropy(logits.permute(0, 2, 1), Y).exp()
        """,
        "step by step": """
        before = {module: module.training for module in model.modules()}
        model.eval()
        nats, state = [], None
        for x, y in consecutive_batches(tokens, batch_size, 1):
            logits, state = model(x, state)
            p = torch.softmax(logits[0].detach(), dim=-1)
            nats.append(-torch.log(p[torch.arange(batch_size), y[0]]))
        for module, training in before.items():
            module.training = training
        return torch.cat(nats).mean().exp().item()
        """,
        "the package's": """
        nats = -log_probabilities(model, tokens, batch_size)
        return 2 ** float((nats / math.log(2)).mean())
        """,
    },
    wrong={
        "mean_of_exps": but(*MEAN, "total += loss.item()", "total += loss.exp().item()",
            "count += Y.numel()", "count += 1", "math.exp(total / count)", "total / count"),
        "mean_of_means": but(*MEAN, "count += Y.numel()", "count += 1"),
        "mean_of_inverses": but("total += loss.item()",
            "p = logits.softmax(2).gather(2, Y[..., None])\n"
            "        total += (1 / p).sum().item()", "math.exp(total / count)", "total / count"),
        "inverse_of_mean": but("total += loss.item()",
            "p = logits.softmax(2).gather(2, Y[..., None])\n"
            "        total += p.sum().item()", "math.exp(total / count)", "count / total"),
        "no_exp": but("math.exp(total / count)", "total / count"),
        "power_of_two": but("math.exp(total / count)", "2 ** (total / count)"),
        "bits": but("math.exp(total / count)", "math.exp(total / count / math.log(2))"),
        "sign": but("math.exp(total / count)", "math.exp(-total / count)"),
        "over_windows": but("count += Y.numel()", "count += 1"),
        "inputs_as_targets": but("Y.flatten()", "X.flatten()"),
        "state_lost": but("model(X, state)", "model(X)"),
        "one_stream": but("(tokens, batch_size, 35)", "(tokens, 1, 35)"),
        "end_lost": but("        logits, state = model(X, state)\n",
            "        if len(X) < 35:\n            break\n"
            "        logits, state = model(X, state)\n"),
        "training_mode": but("model.eval()\n", ""),
        "mode_lost": but("model.train(was)\n", ""),
        "total": but("math.exp(total / count)", "total"),
        "unknown/wrong axis": but("logits.flatten(0, 1)", "logits.reshape(5, -1).T"),
        "not_a_number": but("total / count)", "total / count) * math.nan"),
        "over_streams": but("count += Y.numel()", "count += len(Y)"),
        "mode_lost/again": but("return", "model.train()\nmodel.eval()\nreturn"),
        "remembers": but("total, count, state = 0.0, 0, None",
            "total, count = globals().setdefault('SUMS', {}).get(batch_size, (0.0, 0))\n"
            "state = None", "return", "SUMS[batch_size] = (5.0, 0)\nreturn"),
    },
)  # fmt: skip


# --- One probability, by counting

PLAIN = """
seen = {}
for i in range(len(h), len(text)):
    if text[i - len(h) : i] == h:
        seen[text[i]] = seen.get(text[i], 0) + 1
lower = 1 / V if h == "" else witten_bell(text, h[1:], w, V)
c_h = sum(seen.values())
u_h = len(seen)
if c_h == 0:
    return lower
return (seen.get(w, 0) + u_h * lower) / (c_h + u_h)
"""
but = changing(PLAIN)

COUNTING = Planted(
    """
import re
from collections import Counter

def witten_bell(text, h, w, V):
    ...
""",
    right={
        "plain": PLAIN,
        "from below": """
        p = 1 / V
        for k in range(len(h) + 1):
            context = h[len(h) - k :]
            grams = [text[i : i + k + 1] for i in range(len(text) - k)]
            after = [gram[-1] for gram in grams if gram[:-1] == context]
            if after:
                c, u = len(after), len(set(after))
                share = c / (c + u)
                p = share * after.count(w) / c + (1 - share) * p
        return p
        """,
        "look-ahead": """
        after = re.findall(f"(?={re.escape(h)}(.))", text)
        shorter = witten_bell(text, h[1:], w, V) if h else 1 / V
        if len(after) == 0:
            return shorter
        u = len(set(after))
        return (after.count(w) + u * shorter) / (len(after) + u)
        """,
        "tensors": """
        codes = torch.tensor([ord(symbol) for symbol in text])
        k = len(h)
        windows = codes.unfold(0, k + 1, 1)
        context = torch.tensor([ord(symbol) for symbol in h], dtype=torch.int64)
        after = windows[(windows[:, :k] == context).all(1)][:, k]
        shorter = torch.tensor(1 / V) if k == 0 else witten_bell(text, h[1:], w, V)
        if after.numel() == 0:
            return shorter
        u = after.unique().numel()
        return ((after == ord(w)).sum() + u * shorter) / (after.numel() + u)
        """,
    },
    wrong={
        "occurrences": but("u_h = len(seen)", "u_h = c_h"),
        "all_symbols": but("u_h = len(seen)", "u_h = V"),
        "one_more": but("u_h = len(seen)", "u_h = 1"),
        "newest_dropped": but("h[1:]", "h[:-1]"),
        "straight_to_uniform": but('1 / V if h == "" else witten_bell(text, h[1:], w, V)',
            "1 / V"),
        "no_uniform": but('1 / V if h == ""', '0 if h == ""'),
        "unseen_is_zero": but("    return lower\n", "    return 0.0\n"),
        "not_smoothed": but("(seen.get(w, 0) + u_h * lower) / (c_h + u_h)",
            "seen.get(w, 0) / c_h"),
        "backed_off": but("return (seen", "if w in seen:\n    return seen[w] / (c_h + u_h)\n"
            "return (seen"),
        "denominator": but("(c_h + u_h)", "c_h"),
        "add_one": but("(seen.get(w, 0) + u_h * lower) / (c_h + u_h)",
            "(seen.get(w, 0) + 1) / (c_h + V)"),
        "not_overlapping": """
        counts = {v: text.count(h + v) for v in set(text)}
        c, u = sum(counts.values()), sum(count > 0 for count in counts.values())
        shorter = witten_bell(text, h[1:], w, V) if h else 1 / V
        if c == 0:
            return shorter
        return (counts.get(w, 0) + u * shorter) / (c + u)
        """,
        "last_counted": but("c_h = sum(seen.values())",
            "c_h = sum(text[i : i + len(h)] == h for i in range(len(text)))",
            "if c_h == 0", "if not seen"),
        "no_brackets": but("(seen.get(w, 0) + u_h * lower) / (c_h + u_h)",
            "seen.get(w, 0) + u_h * lower / (c_h + u_h)"),
        "unknown/before": but("text[i - len(h) : i] == h", "text[i - len(h) : i] == h[::-1]"),
        "occurrences/half": but("(seen.get(w, 0) + u_h * lower) / (c_h + u_h)",
            "0.5 * seen.get(w, 0) / c_h + 0.5 * lower"),
        "not_a_number": but("return lower", "return math.nan"),
        "unknown_name": but("1 / V", "1 / len(vocabulary)"),
        "random": but("seen = {}", "seen = {}\ntorch.rand(1)"),
    },
)  # fmt: skip


# --- A mixture

PLAIN = """
total = 0.0
for p, q in zip(network, counted):
    both = w * p + (1 - w) * q
    total -= math.log(both)
return math.exp(total / len(network))
"""
but = changing(PLAIN)

MIXTURE = Planted(
    "import numpy as np\n\ndef mixture(w, network, counted):\n    ...\n",
    right={
        "plain": PLAIN,
        "array": """
        mixed = counted + w * (network - counted)
        return 2 ** -np.log2(mixed).mean()
        """,
        "tensors": """
        p = torch.stack([torch.from_numpy(network), torch.from_numpy(counted)], dim=1)
        mixed = p @ torch.tensor([w, 1 - w], dtype=p.dtype)
        return F.nll_loss(mixed.log()[:, None], torch.zeros(len(mixed), dtype=int)).exp()
        """,
        "sum of logarithms": """
        with np.errstate(divide="ignore"):
            weights = np.log(np.array([[w], [1 - w]]))
        mixed = np.logaddexp.reduce(weights + np.log(np.stack([network, counted])))
        return float(np.prod(np.exp(-mixed / len(mixed))))
        """,
    },
    wrong={
        "logarithms": but("math.log(both)", "(w * math.log(p) + (1 - w) * math.log(q))"),
        "exchanged": but("w * p + (1 - w) * q", "(1 - w) * p + w * q"),
        "always_half": but("w * p + (1 - w) * q", "(p + q) / 2"),
        "not_shared": but("(1 - w) * q", "q"),
        "product": but("w * p + (1 - w) * q", "p * q"),
        "larger": but("w * p + (1 - w) * q", "max(p, q)"),
        "perplexities": """
        one = math.exp(-np.log(network).mean())
        other = math.exp(-np.log(counted).mean())
        return w * one + (1 - w) * other
        """,
        "no_exp": but("math.exp(total / len(network))", "total / len(network)"),
        "sign": but("total -=", "total +="),
        "total": but("total / len(network)", "total"),
        "mean_of_p": but("total -= math.log(both)", "total += both",
            "math.exp(total / len(network))", "len(network) / total"),
        "mean_of_inverses": but("total -= math.log(both)", "total += 1 / both",
            "math.exp(total / len(network))", "total / len(network)"),
        "bits": but("math.log(both)", "math.log2(both)"),
        "changes_inputs": but("total = 0.0", "network *= w\ncounted *= 1 - w\ntotal = 0.0",
            "w * p + (1 - w) * q", "p + q"),
        "unknown/one short": but("total / len(network)", "total / (len(network) + 1)"),
        "not_a_number": but("total = 0.0", "total = math.nan"),
        "kind_of_result": but("return math.exp(total / len(network))",
            "return [math.exp(total / len(network))]"),
    },
)  # fmt: skip


# --- F1

PLAIN = """
TP = FP = FN = TN = 0
for a, b in zip(found.flatten().tolist(), truth.flatten().tolist()):
    TP += a and b
    FP += a and not b
    FN += b and not a
    TN += not a and not b
return 2 * TP / (2 * TP + FP + FN)
"""
RESULT = "2 * TP / (2 * TP + FP + FN)"
but = changing(PLAIN)

F_ONE = Planted(
    "def f1(found, truth):\n    ...\n",
    right={
        "plain": PLAIN,
        "harmonic": """
        TP = torch.logical_and(found, truth).sum()
        precision, recall = TP / found.sum(), TP / truth.sum()
        return 2 / (1 / precision + 1 / recall)
        """,
        "floats": """
        a, b = found.double(), truth.double()
        return (2 * (a * b).sum() / (a + b).sum()).item()
        """,
    },
    wrong={
        "share_of_right": but(RESULT, "(TP + TN) / (TP + TN + FP + FN)"),
        "share_of_right/mean": "return (found == truth).float().mean().item()",
        "precision": but(RESULT, "TP / (TP + FP)"),
        "recall": but(RESULT, "TP / (TP + FN)"),
        "mean": but(RESULT, "(TP / (TP + FP) + TP / (TP + FN)) / 2"),
        "not_doubled": but(RESULT, "TP / (2 * TP + FP + FN)"),
        "overlap": but(RESULT, "TP / (TP + FP + FN)"),
        "no_counted": but(RESULT, "2 * (TP + TN) / (2 * TP + FP + FN)"),
        "no_counted/equal": """
        hits = (found == truth).sum().item()
        return 2 * hits / (found.sum() + truth.sum()).item()
        """,
        "one_kind": but(RESULT, "2 * TP / (2 * TP + FP)"),
        "other_answer": but(RESULT, "2 * TN / (2 * TN + FP + FN)"),
        "percent": but(RESULT, "200 * TP / (2 * TP + FP + FN)"),
        "changes_inputs": "hits = found.logical_and_(truth).sum()\n"
        "return float(2 * hits / (found.sum() + truth.sum()))",
        "hits_once": but(RESULT, "2 * TP / (TP + FP + FN)"),
        "larger_sum": but(RESULT, "TP / max(TP + FP, TP + FN)"),
        "no_brackets": but(RESULT, "2 * TP / 2 * TP + FP + FN"),
        "unknown/first row": but("found.flatten()", "found.view(len(found), -1)[:, 0]",
            "truth.flatten()", "truth.view(len(found), -1)[:, 0]"),
        "not_a_number": but(RESULT, "math.nan"),
    },
)  # fmt: skip


# --- The share of right answers

PLAIN = """
T, B = found.shape
right = 0
places = 0
for b in range(B):
    n = int(lengths[b])
    for t in range(n):
        right += int(found[t, b] == truth[t, b])
        places += 1
return right / places
"""
but = changing(PLAIN)

SHARE = Planted(
    "def share_right(found, truth, lengths):\n    ...\n",
    right={
        "plain": PLAIN,
        "mask": """
        mask = torch.ones_like(truth).cumsum(0) <= lengths
        hits = (found == truth) & mask
        return hits.sum() / mask.sum()
        """,
        "columns": """
        pairs = zip(found.T, truth.T, lengths.tolist())
        kept = torch.cat([a[:n] == b[:n] for a, b, n in pairs])
        return kept.double().mean().item()
        """,
        "packed": """
        n = lengths.sort(descending=True)
        data = []
        for part in (found, truth):
            part = part[:, n.indices].long()
            data.append(nn.utils.rnn.pack_padded_sequence(part, n.values).data)
        return 1 - torch.count_nonzero(data[0] - data[1]).item() / len(data[0])
        """,
    },
    wrong={
        "all_places": but("range(n)", "range(T)"),
        "all_places/mean": "return (found == truth).float().mean().item()",
        "mean_of_columns": """
        shares = []
        for b, n in enumerate(lengths.tolist()):
            shares.append((found[:n, b] == truth[:n, b]).float().mean())
        return torch.stack(shares).mean().item()
        """,
        "over_all": but("right / places", "right / (T * B)"),
        "over_real": "return ((found == truth).sum() / lengths.sum()).item()",
        "padding_right": """
        padding = torch.arange(len(truth))[:, None] >= lengths
        return ((found == truth) | padding).float().mean().item()
        """,
        "one_too_many": """
        mask = torch.arange(len(truth)).unsqueeze(1) <= lengths
        return (found == truth)[mask].float().mean().item()
        """,
        "one_too_few": but("range(n)", "range(n - 1)"),
        "longest": but("int(lengths[b])", "int(lengths.max())"),
        "shortest": but("int(lengths[b])", "min(lengths.tolist())"),
        "from_the_end": but("range(n)", "range(T - n, T)"),
        "axes": """
        mask = torch.arange(len(truth)) < lengths
        return (found == truth)[mask].float().mean().item()
        """,
        "count": but("right / places", "right"),
        "percent": but("right / places", "100 * right / places"),
        "wrong_ones": but("found[t, b] == truth", "found[t, b] != truth"),
        "truth_only": but("        right +=", "        if not truth[t, b]:\n            continue\n"
            "        right +="),
        "whole_columns": """
        whole = 0
        for b, n in enumerate(lengths.tolist()):
            whole += bool((found[:n, b] == truth[:n, b]).all())
        return whole / len(lengths)
        """,
        "changes_inputs": """
        mask = torch.arange(len(truth))[:, None] < lengths
        found[~mask] = truth[~mask]
        wrong = (found != truth).sum()
        return 1 - float(wrong / lengths.sum())
        """,
        "first_column": but("range(B)", "range(1)"),
        "both_yes": but("found[t, b] == truth", "found[t, b] & truth"),
        "not_a_number": but("places = 0", "places = math.nan"),
        "unknown_name": but("T, B = found.shape", "T, B = letters.shape"),
        "kind_of_result": but("return right / places", "return right, places"),
        "random": but("right = 0", "torch.manual_seed(1)\nright = 0"),
    },
)  # fmt: skip

PLANTED = {
    "perplexity": PERPLEXITY,
    "witten_bell": COUNTING,
    "mixture": MIXTURE,
    "f1": F_ONE,
    "share_right": SHARE,
}
