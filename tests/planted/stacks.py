"""Layers made of layers, written by many hands."""

from planted import Planted, editor

# --- A stack

DEEP = """
class DeepRNN(nn.Module):
    def __init__(self, layers, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.input_size = layer_sizes(layers[0])[0]
        self.hidden_size = layer_sizes(layers[-1])[1]

    def forward(self, inputs, state=None):
        ...
"""
DEEP_PLAIN = """
if state is None:
    state = [None] * len(self.layers)
H = inputs
states = []
for i in range(len(self.layers)):
    if i > 0:
        H = self.dropout(H)
    H, new = self.layers[i](H, state[i])
    states.append(new)
return H, tuple(states)
"""
deep = editor(DEEP_PLAIN)
DEEP_RIGHT = {
    "plain": DEEP_PLAIN,
    "dropout behind": """
    states, H, last = (), inputs, len(self.layers) - 1
    for number, layer in enumerate(self.layers):
        H, new = layer(H, state and state[number])
        if number < last:
            H = self.dropout(H)
        states = (*states, new)
    return H, states
    """,
    "recursive": """
    def climb(H, layers, states):
        if not layers:
            return H, ()
        H, first = layers[0](H, states[0])
        if len(layers) > 1:
            H = F.dropout(H, self.dropout.p, self.training)
        top, rest = climb(H, layers[1:], states[1:])
        return top, (first,) + rest

    return climb(inputs, list(self.layers), state or [None] * len(self.layers))
    """,
    "first apart": """
    first, *others = self.layers
    states = list(state) if state is not None else [None for _ in self.layers]
    H, states[0] = first(inputs, states[0])
    for i, layer in enumerate(others, start=1):
        H, states[i] = layer(self.dropout(H), states[i])
    return H, tuple(states)
    """,
}
CALL = "H, new = self.layers[i](H, state[i])"
DEEP_WRONG = {
    "inputs_to_all": deep(CALL, "H, new = self.layers[i](inputs, state[i])").replace(
        "        H = self.dropout(H)", "        pass"
    ),
    "states_ignored": deep("(H, state[i])", "(H)"),
    "first_state_for_all": deep("state[i]", "state[0]"),
    "state_from_below": deep("(H, state[i])", "(H, new)").replace(
        "states = []", "states = []\nnew = state[0]"
    ),
    "only_last_state": deep("tuple(states)", "new"),
    "states_reversed": deep("states.append(new)", "states.insert(0, new)"),
    "given_state": deep("tuple(states)", "given").replace(
        "\nif state", "\ngiven = state\nif state", 1
    ),
    "upside_down": deep("(len(self.layers)):", "(len(self.layers))[::-1]:").replace(
        "states.append(new)", "states.insert(0, new)"
    ),
    "one_layer_short": deep("    if i > 0", "    below = H\n    if i > 0").replace(
        "return H", "return below"
    ),
    "residual": deep(CALL, "new_H, new = self.layers[i](H, state[i])\n    H = H + new_H"),
    "dropout_on_inputs": deep("if i > 0", "if True"),
    "dropout_on_outputs": deep("return H", "H = self.dropout(H)\nreturn H"),
    "no_dropout": deep("if i > 0", "if False"),
    "cut": deep("(H, state[i])", "(H.detach() if i else H, state[i])"),
    "unknown/outputs of all": deep("return H", "return torch.cat([H, inputs], 2)"),
    "unknown/dropout in evaluation": deep("self.dropout(H)", "F.dropout(H, self.dropout.p, True)"),
    "unknown/changes the list": deep("states.append(new)", "state[i] = new"),
}

# --- A residual connection

RESIDUAL = """
class Wrapped(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.input_size, self.hidden_size = layer_sizes(layer)


class Residual(Wrapped):
    def forward(self, inputs, state=None):
        ...
"""
RESIDUAL_PLAIN = """
outputs, new = self.layer(inputs, state)
return inputs + outputs, new
"""
around = editor(RESIDUAL_PLAIN)
RESIDUAL_RIGHT = {
    "plain": RESIDUAL_PLAIN,
    "indices": """
    result = self.layer(inputs, state)
    return torch.add(result[0], inputs), result[1]
    """,
    "einsum": """
    outputs, state = self.layer(inputs, state)
    return torch.einsum("ktbd->tbd", torch.stack([inputs, outputs])), state
    """,
    "in place, of its own": """
    outputs, state = self.layer(inputs, state)
    sums = inputs.clone()
    sums += outputs
    return sums, state
    """,
}
RESIDUAL_WRONG = {
    "no_way_around": around("inputs + outputs", "outputs"),
    "no_layer": around("inputs + outputs", "inputs * 1"),
    "mean": around("inputs + outputs", "0.5 * (inputs + outputs)"),
    "product": around("inputs + outputs", "inputs * outputs"),
    "difference": around("inputs + outputs", "inputs - outputs"),
    "outputs_twice": """
    inputs, state = self.layer(inputs, state)
    return inputs + inputs, state
    """,
    "state_ignored": around("(inputs, state)", "(inputs)"),
    "given_state": around(", new\n", ", state\n"),
    "state_of_sum": """
    outputs, state = self.layer(inputs, state)
    outputs = inputs + outputs
    return outputs, outputs[-1]
    """,
    "inputs_cut": around("inputs + outputs", "inputs.detach() + outputs"),
    "layer_cut": around("inputs + outputs", "inputs + outputs.data"),
    "layer_cut/no_grad": """
    with torch.no_grad():
        outputs, state = self.layer(inputs, state)
    return inputs + outputs, state
    """,
    "joined": around("inputs + outputs", "torch.cat([inputs, outputs], dim=-1)"),
    "changes_inputs": around("return inputs + outputs", "inputs += outputs\nreturn inputs"),
    "unknown/state alone": around("return inputs + outputs, new", "return inputs + outputs"),
    "unknown/twice through": around("inputs + outputs", "inputs + self.layer(outputs)[0]"),
}

# --- Reversal

REVERSE = """
def reverse(inputs, lengths=None):
    ...
"""
LOOP = """
if lengths is None:
    return inputs.flip(0)
columns = []
for b, n in enumerate(lengths.tolist()):
    X = inputs[:, b]
    columns.append(torch.cat([X[:n].flip(0), X[n:]]))
return torch.stack(columns, dim=1)
"""
TABLE = """
if lengths is None:
    return inputs.flip(0)
T, B = inputs.shape[:2]
t = torch.arange(T, device=inputs.device)[:, None]
source = torch.where(t < lengths, lengths - 1 - t, t)
return inputs[source, torch.arange(B, device=inputs.device)]
"""
loop, table = editor(LOOP), editor(TABLE)
REVERSE_RIGHT = {
    "loop": LOOP,
    "table": TABLE,
    "gather": """
    T, B, D = inputs.shape
    if lengths is None:
        lengths = torch.full((B,), T, device=inputs.device)
    steps = torch.arange(T, device=inputs.device).unsqueeze(1).expand(T, B)
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return inputs.gather(0, source.unsqueeze(2).expand(T, B, D))
    """,
    "place by place": """
    result = inputs.clone()
    for b in range(inputs.shape[1]):
        n = inputs.shape[0] if lengths is None else int(lengths[b])
        for t in range(n):
            result[t, b] = inputs[n - 1 - t, b]
    return result
    """,
    "torch.func": """
    T, B, _ = inputs.shape
    ends = lengths if lengths is not None else torch.tensor([T] * B, device=inputs.device)
    t = torch.arange(T, device=inputs.device)

    def column(X, n):
        return X[torch.where(t < n, n - 1 - t, t)]

    return torch.func.vmap(column, in_dims=(1, 0), out_dims=1)(inputs, ends)
    """,
}
REVERSE_WRONG = {
    "lengths_ignored": "return inputs.flip(0)",
    "lengths_ignored/indices": "return inputs[torch.arange(len(inputs) - 1, -1, -1)]",
    "padding_to_zero": loop("X[n:]", "torch.zeros_like(X[n:])"),
    "longest": table("lengths - 1 - t, t)", "lengths.max() - 1 - t, t)").replace(
        "t < lengths", "t < lengths.max()"
    ),
    "first_length": loop("X = inputs[:, b]", "X, n = inputs[:, b], int(lengths[0])"),
    "one_short": loop("X[:n].flip(0), X[n:]", "X[: n - 1].flip(0), X[n - 1 :]"),
    "one_far": loop("X[:n].flip(0), X[n:]", "X[: n + 1].flip(0), X[n + 1 :]"),
    "shifted": table("lengths - 1 - t, t)", "(lengths - t) % lengths, t)"),
    "batch_reversed": "return inputs.flip(1)",
    "features_reversed": "return inputs.flip(-1)",
    "not_reversed": """
    result = inputs.clone()
    result.flip(0)
    return result
    """,
    "not_without_lengths": loop("return inputs.flip(0)", "return inputs"),
    "cut": "import numpy\nif lengths is None:\n    return inputs.flip(0).detach()"
    + LOOP.replace(
        "torch.stack(columns, dim=1)",
        "torch.from_numpy(numpy.stack([c.detach().numpy() for c in columns], 1))",
    ),
    "cut/lengths": loop(
        "torch.cat([X[:n].flip(0), X[n:]])", "torch.tensor(X[:n].tolist()[::-1] + X[n:].tolist())"
    ),
    "device": TABLE.replace(", device=inputs.device", ""),
    "changes_inputs": """
    for b in range(inputs.shape[1]):
        n = len(inputs) if lengths is None else int(lengths[b])
        inputs[:n, b] = inputs[:n, b].flip(0)
    return inputs
    """,
    "prints": loop("    X = inputs", "    print(n)\n    X = inputs"),
    "unknown/off the end": table("lengths - 1 - t, t)", "lengths - t, t)"),
    "kind_of_result": loop("torch.stack(columns, dim=1)", "columns"),
    "unknown/batch first": loop("dim=1", "dim=0"),
    "unknown/needs lengths": loop("if lengths is None", "if False"),
}

# --- Two directions

BI = """
class Bidirectional(nn.Module):
    def __init__(self, forward_layer, backward_layer):
        super().__init__()
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer
        self.input_size = layer_sizes(forward_layer)[0]
        self.hidden_size = sum(layer_sizes(each)[1] for each in (forward_layer, backward_layer))

    def forward(self, inputs, state=None, lengths=None):
        ...
"""
BI_PLAIN = """
if state is None:
    state = (None, None)
right, state_right = self.forward_layer(inputs, state[0])
turned = reverse(inputs, lengths)
left, state_left = self.backward_layer(turned, state[1])
left = reverse(left, lengths)
H = torch.cat([right, left], dim=2)
return H, (state_right, state_left)
"""
bi = editor(BI_PLAIN)
BI_RIGHT = {
    "plain": BI_PLAIN,
    "unpacked": """
    first, second = state or (None, None)
    right, first = self.forward_layer(inputs, first)
    left, second = self.backward_layer(reverse(inputs, lengths), second)
    return torch.cat((right, reverse(left, lengths)), -1), (first, second)
    """,
    "preallocated": """
    outputs, states = [], []
    for i, layer in enumerate([self.forward_layer, self.backward_layer]):
        X = reverse(inputs, lengths) if i else inputs
        H, new = layer(X, None if state is None else state[i])
        outputs.append(reverse(H, lengths) if i else H)
        states.append(new)
    T, B, n = outputs[0].shape
    H = inputs.new_empty(T, B, self.hidden_size)
    H[..., :n], H[..., n:] = outputs
    return H, tuple(states)
    """,
    "text by text": """
    if lengths is None:
        lengths = torch.full(inputs.shape[1:2], len(inputs), device=inputs.device)
    state = state or (None, None)
    right, to_right = self.forward_layer(inputs, state[0])
    turned = torch.stack([torch.cat([X[:n].flip(0), X[n:]]) for X, n in zip(inputs.unbind(1), lengths.tolist())], 1)
    left, to_left = self.backward_layer(turned, state[1])
    back = torch.stack([torch.cat([X[:n].flip(0), X[n:]]) for X, n in zip(left.unbind(1), lengths.tolist())], 1)
    return torch.einsum("tbh->tbh", torch.cat([right, back], 2)), (to_right, to_left)
    """,
}
BI_WRONG = {
    "not_turned_back": bi("left = reverse(left, lengths)\n", ""),
    "not_reversed": bi("reverse(inputs, lengths)", "inputs").replace(
        "left = reverse(left, lengths)\n", ""
    ),
    "outputs_reversed_only": bi("reverse(inputs, lengths)", "inputs"),
    "sum": bi("torch.cat([right, left], dim=2)", "right + left"),
    "halves_exchanged": bi("[right, left]", "[left, right]"),
    "joined_in_time": bi("dim=2", "dim=0"),
    "next_step": bi("[right, left]", "[right, torch.cat([left[1:], left[:1]])]"),
    "lengths_ignored": BI_PLAIN.replace(", lengths)", ")"),
    "lengths_only_back": bi("reverse(inputs, lengths)", "reverse(inputs)"),
    "lengths_only_there": bi("reverse(left, lengths)", "reverse(left)"),
    "lengths_only_there/flip": bi("reverse(left, lengths)", "left.flip(0)"),
    "states_ignored": bi("if state is None", "if True"),
    "states_taken_exchanged": BI_PLAIN.replace("state[0]", "state[?]")
    .replace("state[1]", "state[0]")
    .replace("state[?]", "state[1]"),
    "states_returned_exchanged": bi("(state_right, state_left)", "(state_left, state_right)"),
    "one_state_for_both": bi("state[1]", "state[0]"),
    "state_passed_on": bi("(state_right, state_left)", "state_left"),
    "one_layer_twice": bi("self.backward_layer(", "self.forward_layer("),
    "cut": bi("left = reverse(left, lengths)", "left = reverse(left, lengths).detach()"),
    "unknown/backward reads the forward one": bi(
        "reverse(inputs, lengths)", "reverse(right[..., :1].expand_as(inputs), lengths)"
    ),
    "unknown/state goes over": bi("state[1])", "state_right)"),
    "unknown/flips the batch": BI_PLAIN.replace(
        "reverse(inputs, lengths)", "inputs.flip(1)"
    ).replace("reverse(left, lengths)", "left.flip(1)"),
}

PLANTED = {
    "deep_rnn": Planted(DEEP, DEEP_RIGHT, DEEP_WRONG),
    "residual": Planted(RESIDUAL, RESIDUAL_RIGHT, RESIDUAL_WRONG),
    "reverse": Planted(REVERSE, REVERSE_RIGHT, REVERSE_WRONG),
    "bidirectional": Planted(BI, BI_RIGHT, BI_WRONG),
}
