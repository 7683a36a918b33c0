"""What a network is given, written by many hands."""

from planted import Planted
from planted.training_steps import changing

# --- One-hot rows

PLAIN = """
V = E.shape[0]
rows = F.one_hot(tokens, V)
rows = rows.to(E.dtype)
return torch.matmul(rows, E)
"""
but = changing(PLAIN)

ROWS = Planted(
    "def one_hot_product(tokens, E):\n    ...\n",
    right={
        "plain": PLAIN,
        "compared": """
        V, D = E.shape
        rows = (tokens[..., None] == torch.arange(V, device=E.device)).type_as(E)
        return torch.einsum("...v,vd->...d", rows, E)
        """,
        "identity": """
        rows = torch.eye(len(E), dtype=E.dtype, device=E.device)[tokens]
        return rows @ E
        """,
        "looked up": "return nn.functional.embedding(tokens, E)",
        "scattered": """
        rows = E.new_zeros(*tokens.shape, len(E))
        rows.scatter_(-1, tokens.unsqueeze(-1), 1.0)
        return (rows.unsqueeze(-1) * E).sum(-2)
        """,
    },
    wrong={
        "classes_seen": but("F.one_hot(tokens, V)", "F.one_hot(tokens)"),
        "classes_seen/max": but("E.shape[0]", "int(tokens.max()) + 1"),
        "no_floats": but("rows = rows.to(E.dtype)\n", ""),
        "whole_numbers": but("rows = rows.to(E.dtype)\n", "", ", E)", ", E.to(rows.dtype))"),
        "columns": "return E[:, tokens]",
        "columns/transposed": "return torch.index_select(E, 1, tokens.flatten()).unflatten(1, "
        "tokens.shape)",
        "from_the_left": but("(rows, E)", "(E, rows)"),
        "counted_from_one": "return E[tokens - 1]",
        "counted_from_one/rolled": but("F.one_hot(tokens, V)", "F.one_hot(tokens, V).roll(-1, -1)"),
        "padding_idx": "return F.embedding(tokens, E, padding_idx=0)",
        "bag": but("return", "rows = rows.sum(dim=0)\nreturn"),
        "flat": but("one_hot(tokens, V)", "one_hot(tokens.reshape(-1), V)"),
        "no_gradient": but(", E)", ", E.detach())"),
        "no_gradient/numbers": "return torch.tensor(E.tolist(), dtype=E.dtype)[tokens]",
        "dtype": but("rows.to(E.dtype)", "rows.float()"),
        "device": but("F.one_hot(tokens, V)", "torch.eye(V)[tokens]"),
        "changes_inputs": but("return torch.matmul(rows, E)",
            "result = torch.matmul(rows, E)\ntokens += 1\nreturn result"),
        "not_a_number": but("return torch.matmul(rows, E)",
            "return torch.where(rows > 0, 1.0, math.nan) @ E"),
        "unknown/normalised": but(", E)", ", F.normalize(E, dim=1))"),
        "prints": but("return", "print(rows.shape)\nreturn"),
        "random": but("return", "rows = rows + 0 * torch.rand_like(rows)\nreturn"),
    },
)  # fmt: skip


# --- Windows of a text

PLAIN = """
N = len(tokens) - 1 - offset
length = N // batch_size
streams = []
answers = []
for b in range(batch_size):
    begin = offset + b * length
    streams.append(tokens[begin : begin + length])
    answers.append(tokens[begin + 1 : begin + length + 1])
X = torch.stack(streams, dim=1)
Y = torch.stack(answers, dim=1)
for t in range(0, length, num_steps):
    yield X[t : t + num_steps], Y[t : t + num_steps]
"""
but = changing(PLAIN)
YIELD = "    yield X[t : t + num_steps], Y[t : t + num_steps]\n"

WINDOWS = Planted(
    "def consecutive_batches(tokens, batch_size, num_steps, offset=0):\n    ...\n",
    right={
        "plain": PLAIN,
        "list": """
        length = (tokens.numel() - 1 - offset) // batch_size
        used = length * batch_size
        X = tokens[offset:][:used].reshape(batch_size, length).t()
        Y = tokens[offset + 1 :][:used].reshape(batch_size, length).t()
        return list(zip(X.split(num_steps), Y.split(num_steps)))
        """,
        "one more token": """
        length = (len(tokens) - 1 - offset) // batch_size
        starts = offset + length * torch.arange(batch_size)
        places = starts + torch.arange(length + 1)[:, None]  # (length + 1, B)
        text = tokens[places]
        for t in range(0, length, num_steps):
            window = text[t : t + num_steps + 1]
            yield window[:-1], window[1:]
        """,
        "unfold": """
        length = (len(tokens) - 1 - offset) // batch_size
        pairs = tokens[offset:].unfold(0, 2, 1)[: length * batch_size]  # (used, 2)
        pairs = pairs.view(batch_size, length, 2).permute(1, 0, 2)
        t = 0
        while t < length:
            X, Y = pairs[t : t + num_steps].unbind(2)
            yield X, Y
            t += num_steps
        """,
    },
    wrong={
        "same_targets": but("tokens[begin + 1 : begin + length + 1]",
            "tokens[begin : begin + length]"),
        "swapped": but(YIELD, "    yield Y[t : t + num_steps], X[t : t + num_steps]\n"),
        "rolled": but(YIELD, "    window = X[t : t + num_steps]\n"
            "    yield window, torch.cat([window[1:], window[:1]])\n"),
        "batch_first": but(YIELD, "    yield X[t : t + num_steps].T, Y[t : t + num_steps].T\n"),
        "batch_first/rows": but("X = torch.stack(streams, dim=1)", "X = torch.stack(streams)",
            "Y = torch.stack(answers, dim=1)", "Y = torch.stack(answers)",
            "X[t : t + num_steps], Y[t : t + num_steps]",
            "X[:, t : t + num_steps], Y[:, t : t + num_steps]"),
        "interleaved": """
        length = (len(tokens) - 1 - offset) // batch_size
        used = length * batch_size
        X = tokens[offset : offset + used].view(length, batch_size)
        Y = tokens[offset + 1 : offset + 1 + used].view(length, batch_size)
        for t in range(0, length, num_steps):
            yield X[t : t + num_steps], Y[t : t + num_steps]
        """,
        "side_by_side": """
        size = batch_size * num_steps
        for start in range(offset, len(tokens) - size, size):
            X = tokens[start : start + size].reshape(batch_size, num_steps)
            Y = tokens[start + 1 : start + size + 1].reshape(batch_size, num_steps)
            yield X.T, Y.T
        """,
        "rows_in_order": """
        starts = range(offset, len(tokens) - num_steps, num_steps)
        pieces = [(tokens[i : i + num_steps], tokens[i + 1 : i + num_steps + 1]) for i in starts]
        for k in range(0, len(pieces), batch_size):
            X, Y = zip(*pieces[k : k + batch_size])
            yield torch.stack(X, dim=1), torch.stack(Y, dim=1)
        """,
        "last_dropped": but("range(0, length, num_steps)",
            "range(0, length - length % num_steps, num_steps)"),
        "sliding": but("range(0, length, num_steps)", "range(length - num_steps + 1)"),
        "offset_ignored": but("begin = offset + b * length", "begin = b * length",
            "len(tokens) - 1 - offset", "len(tokens) - 1"),
        "no_room": """
        length = (len(tokens) - offset) // batch_size
        used = length * batch_size
        X = tokens[offset : offset + used].reshape(batch_size, length).T
        Y = tokens[offset + 1 : offset + used + 1].reshape(batch_size, length).T
        for t in range(0, length, num_steps):
            yield X[t : t + num_steps], Y[t : t + num_steps]
        """,
        "within_streams": """
        length = (len(tokens) - offset) // batch_size
        text = tokens[offset : offset + length * batch_size].view(batch_size, -1).T
        for t in range(0, length - 1, num_steps):
            yield text[:-1][t : t + num_steps], text[1:][t : t + num_steps]
        """,
        "gaps": """
        length = (len(tokens) - offset) // batch_size
        text = tokens[offset : offset + length * batch_size].view(batch_size, length).T
        t = 0
        while t < length - 1:
            piece = text[t : t + num_steps + 1]
            yield piece[:-1], piece[1:]
            t += num_steps + 1
        """,
        "changes_inputs": but("N = len(tokens)", "tokens += 0\ntokens[0] = 7\nN = len(tokens)"),
        "two_ahead": but("begin + 1 : begin + length + 1", "begin + 2 : begin + length + 2",
            "len(tokens) - 1", "len(tokens) - 2"),
        "unknown/one hot": but("yield X[t : t + num_steps]",
            "yield F.one_hot(X[t : t + num_steps], 40)"),
        "dtype_of_result": but("yield X[t : t + num_steps]", "yield X[t : t + num_steps].float()"),
        "one_window": but(YIELD, YIELD + "    break\n"),
        "inputs_alone": but(YIELD, "    yield X[t : t + num_steps]\n"),
        "unknown_name": but("N = len(tokens)", "N = len(corpus.training)"),
        "random": but("N = len(tokens)", "torch.randperm(3)\nN = len(tokens)"),
    },
)  # fmt: skip


# --- The adding problem

PLAIN = """
T, B = num_steps, batch_size
half = T // 2
numbers = torch.rand(T, B, generator=generator)
marks = torch.zeros(T, B)
targets = torch.zeros(B)
low = torch.randint(0, half, (B,), generator=generator)
high = torch.randint(half, T, (B,), generator=generator)
columns = torch.arange(B)
marks[low, columns] = 1
marks[high, columns] = 1
targets = numbers[low, columns] + numbers[high, columns]
inputs = torch.stack([numbers, marks], dim=2)
return inputs, targets
"""
but = changing(PLAIN)

ADDING = Planted(
    "def adding_problem(batch_size, num_steps, generator=None):\n    ...\n",
    right={
        "plain": PLAIN,
        "shuffled": """
        half = num_steps // 2
        score = torch.rand(num_steps, batch_size, generator=generator)
        marks = torch.zeros_like(score)
        for part in (slice(0, half), slice(half, num_steps)):
            marks[part] = (score[part] == score[part].max(0).values).float()
        numbers = torch.rand(num_steps, batch_size, generator=generator)
        return torch.dstack([numbers, marks]), torch.einsum("tb,tb->b", numbers, marks)
        """,
        "one_hot": """
        half = num_steps // 2
        inputs = torch.empty(num_steps, batch_size, 2)
        inputs[..., 0].uniform_(generator=generator)
        places = torch.rand(2, batch_size, generator=generator)
        first = (places[0] * half).floor().long()
        second = half + (places[1] * (num_steps - half)).floor().long()
        inputs[..., 1] = (F.one_hot(first, num_steps) + F.one_hot(second, num_steps)).T
        return inputs, inputs.prod(2).sum(0)
        """,
    },
    wrong={
        "same_for_all": but("half, (B,)", "half, (1,)", "T, (B,)", "T, (1,)"),
        "same_for_all/one draw": but(
            "torch.randint(0, half, (B,), generator=generator)",
            "int(torch.randint(0, half, (), generator=generator))",
            "torch.randint(half, T, (B,), generator=generator)",
            "int(torch.randint(half, T, (), generator=generator))"),
        "anywhere": but("randint(0, half,", "randint(0, T,", "randint(half, T,", "randint(0, T,",
            "targets = numbers[low, columns] + numbers[high, columns]",
            "targets = (numbers * marks).sum(0)"),
        "any_two": """
        inputs = torch.zeros(num_steps, batch_size, 2)
        inputs[:, :, 0] = torch.rand(num_steps, batch_size, generator=generator)
        for b in range(batch_size):
            i, j = torch.randperm(num_steps, generator=generator)[:2]
            inputs[i, b, 1] = inputs[j, b, 1] = 1
        return inputs, (inputs[:, :, 0] * inputs[:, :, 1]).sum(0)
        """,
        "one_mark": but("marks[high, columns] = 1\n", "",
            "numbers[low, columns] + numbers[high, columns]", "numbers[low, columns]"),
        "rounded_up": but("T // 2", "math.ceil(T / 2)"),
        "last_step_never": but("randint(half, T,", "randint(half, T - 1,"),
        "product": but("numbers[low, columns] + ", "numbers[low, columns] * "),
        "mean": but("targets = numbers[low, columns] + numbers[high, columns]",
            "targets = (numbers[low, columns] + numbers[high, columns]) / 2"),
        "sum_of_all": but("numbers[low, columns] + numbers[high, columns]", "numbers.sum(dim=0)"),
        "normal": but("torch.rand(T", "torch.randn(T"),
        "numbers_hidden": but("[numbers, marks]", "[numbers * marks, marks]"),
        "batch_first": but("return inputs", "return inputs.permute(1, 0, 2)"),
        "batch_first/stacked": but("dim=2)", "dim=2).transpose(0, 1)"),
        "column": but("return inputs, targets", "return inputs, targets.unsqueeze(1)"),
        "generator_ignored": but("torch.rand(T, B, generator=generator)", "torch.rand(T, B)",
            "half, (B,), generator=generator)", "half, (B,))", "T, (B,), generator=generator)",
            "T, (B,))"),
        "generator_ignored/seeded": but("T, B = num_steps",
            "generator = torch.Generator().manual_seed(0)\nT, B = num_steps"),
        "whole_numbers": but("torch.rand(T, B, generator=generator)",
            "torch.randint(2, (T, B), generator=generator).float()"),
        "unknown/marks of two": but("marks[high, columns] = 1", "marks[high, columns] = 2"),
        "dtype_of_result/targets": but("return inputs, targets", "return inputs, targets.long()"),
        "dtype_of_result": but("return inputs", "return inputs.double()"),
        "difference": but("numbers[low, columns] + ", "numbers[low, columns] - "),
        "unknown/squared": but("torch.rand(T, B, generator=generator)",
            "torch.rand(T, B, generator=generator) ** 2"),
        "first_step_never": but("randint(0, half,", "randint(1, half,"),
        "not_a_number": but("torch.zeros(B)\n", "torch.zeros(B)\nnumbers[0] = math.nan\n"),
        "exchanged": but("[numbers, marks]", "[marks, numbers]"),
    },
)  # fmt: skip

PLANTED = {"one_hot_product": ROWS, "consecutive_batches": WINDOWS, "adding_problem": ADDING}
