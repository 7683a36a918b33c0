"""The GRU, written by many hands."""

from planted import Planted, editor

AROUND = """
class GRU(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        n, a = 3 * hidden_size, hidden_size**-0.5
        self.W_x = nn.Parameter(torch.empty(input_size, n).uniform_(-a, a))
        self.W_h = nn.Parameter(torch.empty(hidden_size, n).uniform_(-a, a))
        self.b = nn.Parameter(torch.empty(4, hidden_size).uniform_(-a, a))

    def gates(self, r, z):
        return torch.sigmoid(r), torch.sigmoid(z)

    def forward(self, inputs, state=None):
        ...
"""

# The plainest solution, a line for each formula; most of the wrong ones change one of its lines.
PLAIN = """
T, B, D = inputs.shape
h = self.hidden_size
W_xr, W_xz, W_xh = self.W_x[:, :h], self.W_x[:, h : 2 * h], self.W_x[:, 2 * h :]
W_hr, W_hz, W_hh = self.W_h[:, :h], self.W_h[:, h : 2 * h], self.W_h[:, 2 * h :]
b_r, b_z, b_h, b_hh = self.b
if state is None:
    state = torch.zeros(B, h, dtype=inputs.dtype, device=inputs.device)
H = state
outputs = []
for t in range(T):
    X = inputs[t]
    R = torch.sigmoid(X @ W_xr + H @ W_hr + b_r)
    Z = torch.sigmoid(X @ W_xz + H @ W_hz + b_z)
    candidate = torch.tanh(X @ W_xh + b_h + R * (H @ W_hh + b_hh))
    H = Z * H + (1 - Z) * candidate
    outputs.append(H)
return torch.stack(outputs), H
"""


but = editor(PLAIN)

RIGHT = {
    "plain": PLAIN,
    "einsum": """
    W_x, W_h = (W.view(len(W), 3, -1) for W in (self.W_x, self.W_h))
    X = torch.einsum("tbd,dgh->tgbh", inputs, W_x) + self.b[:3, None]
    H = inputs.new_zeros(X.shape[2:]) if state is None else state
    outputs = []
    for x in X.unbind(0):
        p = torch.einsum("bk,kgh->gbh", H, W_h)
        R, Z = (x[:2] + p[:2]).sigmoid().unbind(0)
        H = Z * H + (1 - Z) * (x[2] + R * (p[2] + self.b[3])).tanh()
        outputs.append(H)
    return torch.stack(outputs), H
    """,
    "concatenated": """
    h = self.hidden_size
    if state is None:
        state = torch.zeros((inputs.size(1), h)).to(inputs)
    W_rz = torch.cat([self.W_x[:, : 2 * h], self.W_h[:, : 2 * h]])
    states = [state]
    for X in inputs:
        both = torch.cat([X, states[-1]], dim=1)
        R, Z = torch.sigmoid(both @ W_rz + self.b[:2].reshape(-1)).split(h, dim=1)
        past = torch.addmm(self.b[3], states[-1], self.W_h[:, 2 * h :])
        new = torch.tanh(torch.addmm(self.b[2], X, self.W_x[:, 2 * h :]) + R * past)
        states.append(new + Z * (states[-1] - new))
    return torch.stack(states[1:]), states[-1]
    """,
    "preallocated": """
    T, B = inputs.shape[:2]
    H = torch.zeros(B, self.hidden_size).type_as(inputs) if state is None else state
    outputs = inputs.new_empty(T, B, self.hidden_size)
    for t in range(T):
        x = (inputs[t] @ self.W_x).chunk(3, dim=-1)
        h = (H @ self.W_h).chunk(3, dim=-1)
        R, Z = self.gates(x[0] + h[0] + self.b[0], x[1] + h[1] + self.b[1])
        H = torch.lerp(torch.tanh(x[2] + self.b[2] + R * (h[2] + self.b[3])), H, Z)
        outputs[t] = H
    return outputs, H
    """,
    "functions of torch.func": """
    from torch.func import vmap

    def step(x, h):
        x_r, x_z, x_h = (x @ self.W_x).chunk(3)
        h_r, h_z, h_h = (h @ self.W_h).chunk(3)
        r, z = torch.sigmoid(x_r + h_r + self.b[0]), torch.sigmoid(x_z + h_z + self.b[1])
        return z * h + (1 - z) * torch.tanh(x_h + self.b[2] + r * (h_h + self.b[3]))

    H, outputs = state, []
    if H is None:
        H = inputs.new_zeros(inputs.shape[1], self.hidden_size)
    for X in inputs:
        H = vmap(step)(X, H)
        outputs.append(H)
    return torch.stack(outputs), H
    """,
    "torch's own": """
    from torch import _VF

    h = self.hidden_size
    H = inputs.new_zeros(inputs.shape[1], h) if state is None else state
    second = torch.cat([torch.zeros_like(self.b[:2]), self.b[3:]]).flatten()
    weights = [self.W_x.T, self.W_h.T, self.b[:3].flatten(), second]
    outputs, H = _VF.gru(inputs, H[None], weights, True, 1, 0.0, False, False, False)
    return outputs, H[0]
    """,
}

WRONG = {
    "reset_before": but("R * (H @ W_hh + b_hh)", "(R * H) @ W_hh + b_hh"),
    "reset_before/fused": """
    H, h = state, self.hidden_size
    if H is None:
        H = inputs.new_zeros(inputs.shape[1], h)
    outputs = []
    for XW in inputs @ self.W_x + self.b[:3].flatten():
        x_r, x_z, x_h = XW.chunk(3, dim=1)
        h_r, h_z = (H @ self.W_h[:, : 2 * h]).chunk(2, dim=1)
        R, Z = self.gates(x_r + h_r, x_z + h_z)
        new = torch.tanh(x_h + torch.mm(R * H, self.W_h[:, 2 * h :]) + self.b[3])
        H = (1 - Z) * new + Z * H
        outputs.append(H)
    return torch.stack(outputs), H
    """,
    "update_exchanged": but("Z * H + (1 - Z) * candidate", "(1 - Z) * H + Z * candidate"),
    "update_exchanged/lerp": but("Z * H + (1 - Z) * candidate", "torch.lerp(H, candidate, Z)"),
    "no_reset": but("R * (H @ W_hh + b_hh)", "(H @ W_hh + b_hh)"),
    "bias_outside": but("R * (H @ W_hh + b_hh)", "R * (H @ W_hh) + b_hh"),
    "bias_outside/brackets": but("b_h + R * (H @ W_hh + b_hh)", "b_h + b_hh + R * (H @ W_hh)"),
    "no_second_bias": but("R * (H @ W_hh + b_hh)", "R * (H @ W_hh)"),
    "no_biases": PLAIN.replace(" + b_r)", ")").replace(" + b_z)", ")").replace("+ b_h +", "+"),
    "blocks_exchanged": PLAIN.replace("W_xr, W_xz", "W_xz, W_xr")
    .replace("W_hr, W_hz", "W_hz, W_hr")
    .replace("b_r, b_z,", "b_z, b_r,"),
    "blocks_exchanged/columns": """
    h = self.hidden_size
    H = inputs.new_zeros(inputs.shape[1], h) if state is None else state
    outputs = []
    for XW in inputs @ self.W_x:
        X_z, X_r, X_h = XW.chunk(3, dim=1)
        H_z, H_r, H_h = (H @ self.W_h).chunk(3, dim=1)
        R, Z = self.gates(X_r + H_r + self.b[0], X_z + H_z + self.b[1])
        H = torch.lerp(torch.tanh(X_h + self.b[2] + R * (H_h + self.b[3])), H, Z)
        outputs.append(H)
    return torch.stack(outputs), H
    """,
    "blocks_exchanged/rows": but("b_r, b_z, b_h, b_hh", "b_z, b_r, b_h, b_hh"),
    "candidate_first": PLAIN.replace("W_xr, W_xz, W_xh =", "W_xh, W_xr, W_xz =")
    .replace("W_hr, W_hz, W_hh =", "W_hh, W_hr, W_hz =")
    .replace("b_r, b_z, b_h, b_hh =", "b_h, b_r, b_z, b_hh ="),
    "linear_gates": PLAIN.replace("torch.sigmoid", ""),
    "no_update": but("Z * H + (1 - Z) * candidate", "candidate"),
    "given_state": but("(outputs), H", "(outputs), given").replace(
        "T, B, D =", "given = state\nT, B, D ="
    ),
    "sigmoid_candidate": but("torch.tanh(", "torch.sigmoid("),
    "linear_candidate": but("torch.tanh(", "("),
    "tanh_gates": PLAIN.replace("torch.sigmoid", "torch.tanh"),
    "all_reset": but(
        "X @ W_xh + b_h + R * (H @ W_hh + b_hh)", "R * (X @ W_xh + b_h + H @ W_hh + b_hh)"
    ),
    "not_weighted": but("(1 - Z) * candidate", "candidate"),
    "reset_kept": but(
        "    candidate = torch.tanh(X @ W_xh + b_h + R * (H @ W_hh + b_hh))",
        "    H = R * H\n    candidate = torch.tanh(X @ W_xh + b_h + H @ W_hh + b_hh)",
    ),
    "transposed": PLAIN.replace("H @ W_hr", "H @ W_hr.T")
    .replace("H @ W_hz", "H @ W_hz.T")
    .replace("H @ W_hh", "H @ W_hh.T"),
    "gates_of_input": PLAIN.replace(" + H @ W_hr", "").replace(" + H @ W_hz", ""),
    "cut": but("    X = inputs[t]", "    X, H = inputs[t], H.detach()"),
    "state_ignored": but("if state is None:", "if True:"),
    "not_carried": but("H = Z * H + (1 - Z) * candidate", "new = Z * H + (1 - Z) * candidate")
    .replace("append(H)", "append(new)")
    .replace("(outputs), H", "(outputs), new"),
    "first_state": but("(outputs), H", "(outputs), outputs[0]"),
    "previous_state": but("    outputs.append(H)\n", "").replace(
        "    X = inputs[t]\n", "    X = inputs[t]\n    outputs.append(H)\n"
    ),
    "backwards": but("range(T):", "reversed(range(T)):").replace("(outputs)", "(outputs[::-1])"),
    # No variant of the bank, but of a kind that has a name.
    "changes_inputs": but(
        "H = Z * H + (1 - Z) * candidate", "H *= Z\n    H += (1 - Z.detach()) * candidate"
    ),
    "no_gradient": "with torch.no_grad():\n" + "\n".join("    " + x for x in PLAIN.splitlines()),
    "no_gradient/data": but("(outputs), H", "(outputs).data, H.data"),
    "dtype": but(", dtype=inputs.dtype, device=inputs.device", ""),
    "device": but(", device=inputs.device", ""),
    "random": but("T, B, D = inputs.shape", "torch.manual_seed(0)\nT, B, D = inputs.shape"),
    "prints": but("    X = inputs[t]", "    X = inputs[t]; print(X.shape)"),
    "remembers": but("H = state\n", "H = getattr(self, 'last', state)\n").replace(
        "(outputs), H", "(outputs), setattr(self, 'last', H.detach()) or H"
    ),
    "mode": but("outputs.append(H)", "outputs.append(H if self.training else 0.9 * H)"),
    # No name at all.
    "looks_ahead": but("X = inputs[t]", "X = inputs[min(t + 1, T - 1)]"),
    "unknown/batch first": but("range(T)", "range(B)")
    .replace("inputs[t]", "inputs[:, t]")
    .replace("zeros(B, h", "zeros(T, h"),
    "unknown/only the outputs": but(
        "return torch.stack(outputs), H", "return torch.stack(outputs)"
    ),
    "kind_of_result": but("torch.stack(outputs), H", "outputs, H"),
    "unknown/state of torch": but("(outputs), H", "(outputs), H[None]"),
    "unknown/no default": but("if state is None:", "if False:"),
    "mixes_texts": but("R * (H @ W_hh + b_hh)", "R * (H.mean(0) @ W_hh + b_hh)"),
    "unknown/rounded": but("outputs.append(H)", "outputs.append((H * 1e6).round() / 1e6)"),
    "not_a_number": but("outputs.append(H)", "outputs.append(H / (t - 2) * (t - 2))"),
    "unknown/two mistakes": but("R * (H @ W_hh + b_hh)", "(H @ W_hh)"),
    "dtype/inside": but("X = inputs[t]", "X = inputs[t].double()").replace(
        "X @ W", "X.float() @ W"
    ),
}

# --- The other form

BEFORE = AROUND.replace("class GRU(nn.Module):", "class Parent(nn.Module):").replace(
    "    def forward(self, inputs, state=None):\n        ...\n",
    "\nclass ResetBefore(Parent):\n    def forward(self, inputs, state=None):\n        ...\n",
)
PLAIN_BEFORE = but("R * (H @ W_hh + b_hh)", "(R * H) @ W_hh + b_hh")


def other(old: str, new: str) -> str:
    """Return the plain solution of the other form with something changed everywhere."""
    assert old in PLAIN_BEFORE
    return PLAIN_BEFORE.replace(old, new)


RIGHT_BEFORE = {
    "plain": PLAIN_BEFORE,
    "fused": """
    h = self.hidden_size
    H = inputs.new_zeros(inputs.shape[1], h) if state is None else state
    W_rz, W_hh = self.W_h.split([2 * h, h], dim=1)
    bias = self.b[:3].flatten()
    outputs = []
    for XW in inputs @ self.W_x + bias:
        rz, new = XW.split([2 * h, h], dim=1)
        R, Z = self.gates(*(rz + H @ W_rz).chunk(2, dim=1))
        H = Z * H + (1 - Z) * (new + (R * H) @ W_hh + self.b[3]).tanh()
        outputs.append(H)
    return torch.stack(outputs), H
    """,
    "einsum": """
    W_x, W_h = (W.view(len(W), 3, -1) for W in (self.W_x, self.W_h))
    X = torch.einsum("tbd,dgh->tgbh", inputs, W_x) + self.b[:3, None]
    H = inputs.new_zeros(X.shape[2:]) if state is None else state
    outputs = []
    for x in X:
        R, Z = torch.sigmoid(x[:2] + torch.einsum("bk,kgh->gbh", H, W_h[:, :2]))
        past = torch.einsum("bk,kh->bh", R * H, W_h[:, 2])
        H = torch.lerp(torch.tanh(x[2] + past + self.b[3]), H, Z)
        outputs.append(H)
    return torch.stack(outputs), H
    """,
}
WRONG_BEFORE = {
    "reset_after": PLAIN,
    "product_reset": other("(R * H) @ W_hh", "R * (H @ W_hh)"),
    "bias_reset": other("(R * H) @ W_hh + b_hh", "(R * H) @ W_hh + R * b_hh"),
    "not_elementwise": other("(R * H) @ W_hh", "R @ W_hh * H"),
    "update_exchanged": other("Z * H + (1 - Z) * candidate", "candidate * Z + H * (1 - Z)"),
    "no_reset": other("(R * H) @", "H @"),
    "no_second_bias": other(" + b_hh)", ")"),
    "no_biases": other(" + b_r)", ")").replace(" + b_z)", ")").replace("+ b_h +", "+"),
    "blocks_exchanged": other("R = torch.sigmoid", "swap = torch.sigmoid")
    .replace("Z = torch", "R = torch")
    .replace("swap", "Z"),
    "blocks_exchanged/columns": other("W_xr, W_xz", "W_xz, W_xr").replace(
        "W_hr, W_hz", "W_hz, W_hr"
    ),
    "blocks_exchanged/rows": other("b_r, b_z, b_h, b_hh", "b_z, b_r, b_h, b_hh"),
    "candidate_first": WRONG["candidate_first"].replace(
        "R * (H @ W_hh + b_hh)", "(R * H) @ W_hh + b_hh"
    ),
    "sigmoid_candidate": other("torch.tanh(", "torch.sigmoid("),
    "linear_candidate": other("torch.tanh(", "("),
    "tanh_gates": other("torch.sigmoid", "torch.tanh"),
    "linear_gates": other("torch.sigmoid", ""),
    "all_reset": other(
        "X @ W_xh + b_h + (R * H) @ W_hh + b_hh", "R * (X @ W_xh + b_h + H @ W_hh + b_hh)"
    ),
    "not_weighted": other("(1 - Z) * candidate", "candidate"),
    "no_update": other("H = Z * H + (1 - Z) * candidate", "H = candidate"),
    "reset_kept": other("    candidate =", "    H = R * H\n    candidate =").replace(
        "(R * H) @", "H @"
    ),
    "transposed": other("H @ W_hr", "H @ W_hr.T")
    .replace("H @ W_hz", "H @ W_hz.T")
    .replace("(R * H) @ W_hh", "(R * H) @ W_hh.T"),
    "gates_of_input": other(" + H @ W_hr", "").replace(" + H @ W_hz", ""),
    "cut": other("    X = inputs[t]", "    X, H = inputs[t], H.detach()"),
    "state_ignored": other("if state is None:", "if True:"),
    "not_carried": other("(outputs), H", "(outputs), new")
    .replace("H = Z * H", "new = Z * H")
    .replace("append(H)", "append(new)"),
    "first_state": other("(outputs), H", "(outputs), outputs[0]"),
    "given_state": other("(outputs), H", "(outputs), given").replace(
        "T, B, D", "given = state\nT, B, D"
    ),
    "previous_state": other("    outputs.append(H)\n", "").replace(
        "    X = inputs[t]\n", "    X = inputs[t]\n    outputs.append(H)\n"
    ),
    "backwards": other("range(T):", "range(T)[::-1]:").replace("(outputs)", "(outputs[::-1])"),
    "dtype": other(", dtype=inputs.dtype, device=inputs.device", ""),
    "unknown/reset of the output": other("append(H)", "append(R * H)"),
}

PLANTED = {
    "gru": Planted(AROUND, RIGHT, WRONG),
    "reset_before": Planted(BEFORE, RIGHT_BEFORE, WRONG_BEFORE),
}
