"""The long short-term memory and its start, written by many hands."""

from planted import Planted, editor

AROUND = """
class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        D, H, a = input_size, hidden_size, hidden_size**-0.5
        self.W_x = nn.Parameter(torch.empty(D, 4 * H).uniform_(-a, a))
        self.W_h = nn.Parameter(torch.empty(H, 4 * H).uniform_(-a, a))
        self.b = nn.Parameter(torch.empty(4, H).uniform_(-a, a))

    def gates(self, i, f, o):
        return torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)

    def forward(self, inputs, state=None):
        ...
"""
PLAIN = """
if state is None:
    zeros = torch.zeros(inputs.shape[1], self.hidden_size, dtype=inputs.dtype, device=inputs.device)
    state = (zeros, zeros)
H, C = state
outputs = []
for X in inputs:
    sums = X @ self.W_x + H @ self.W_h + self.b.flatten()
    i, f, c, o = sums.chunk(4, dim=1)
    input_gate = torch.sigmoid(i)
    forget_gate = torch.sigmoid(f)
    output_gate = torch.sigmoid(o)
    candidate = torch.tanh(c)
    C = forget_gate * C + input_gate * candidate
    H = output_gate * torch.tanh(C)
    outputs.append(H)
return torch.stack(outputs), (H, C)
"""
but = editor(PLAIN)
RIGHT = {
    "plain": PLAIN,
    "a loop over the gates": """
    h = self.hidden_size
    H, C = state or (inputs.new_zeros(inputs.shape[1], h), inputs.new_zeros(inputs.shape[1], h))
    outputs = []
    for X in inputs:
        gates = []
        for k, activation in enumerate([torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid]):
            columns = slice(k * h, (k + 1) * h)
            part = X @ self.W_x[:, columns] + H @ self.W_h[:, columns] + self.b[k]
            gates.append(activation(part))
        C = torch.addcmul(gates[1] * C, gates[0], gates[2])
        H = gates[3] * C.tanh()
        outputs.append(H)
    return torch.stack(outputs), (H, C)
    """,
    "one product of the concatenations": """
    W = torch.cat([self.W_x, self.W_h])
    if state is None:
        state = [torch.zeros_like(inputs[0, :, :1]).repeat(1, self.hidden_size) for _ in "HC"]
    H, C = state
    outputs = inputs.new_zeros(len(inputs), *H.shape)
    for t in range(len(inputs)):
        sums = torch.addmm(self.b.reshape(-1), torch.cat((inputs[t], H), dim=-1), W)
        i, f, c, o = sums.split(self.hidden_size, dim=-1)
        I, F_t, O = self.gates(i, f, o)
        C = F_t * C + I * torch.tanh(c)
        H = O * torch.tanh(C)
        outputs[t] = H
    return outputs, (H, C)
    """,
    "torch's own": """
    from torch import _VF

    if state is None:
        zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        state = zeros, zeros
    b = self.b.flatten()
    weights = [self.W_x.T, self.W_h.T, b, torch.zeros_like(b)]
    H = [part[None] for part in state]
    outputs, H, C = _VF.lstm(inputs, H, weights, True, 1, 0.0, False, False, False)
    return outputs, (H[0], C[0])
    """,
    "torch.func": """
    def step(x, h, c):
        i, f, g, o = (x @ self.W_x + h @ self.W_h + self.b.flatten()).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
    H, C = (zeros, zeros) if state is None else state
    outputs = []
    for X in inputs:
        H, C = torch.vmap(step)(X, H, C)
        outputs.append(H)
    return torch.stack(outputs), (H, C)
    """,
}
ORDER = "i, f, c, o = sums"
MEMORY = "forget_gate * C + input_gate * candidate"
WRONG = {
    "no_output_tanh": but("torch.tanh(C)", "C"),
    "bounded_memory": but(MEMORY, f"torch.tanh({MEMORY})"),
    "sigmoid_candidate": but("torch.tanh(c)", "torch.sigmoid(c)"),
    "linear_candidate": but("torch.tanh(c)", "c"),
    "tanh_gates": PLAIN.replace("sigmoid", "tanh"),
    "linear_gates": PLAIN.replace("torch.sigmoid", ""),
    "order_ifoc": but(ORDER, "i, f, o, c = sums"),
    "order_fico": but(ORDER, "f, i, c, o = sums"),
    "order_ofci": but(ORDER, "o, f, c, i = sums"),
    "order_cifo": but(ORDER, "c, i, f, o = sums"),
    "coupled": but("input_gate * candidate", "(1 - forget_gate) * candidate"),
    "forgets_complement": but("forget_gate * C", "(1 - forget_gate) * C"),
    "no_forget_gate": but("forget_gate * C", "C"),
    "no_input_gate": but("input_gate * candidate", "candidate"),
    "no_output_gate": but("output_gate * torch.tanh(C)", "torch.tanh(C)"),
    "no_memory": but(MEMORY, "input_gate * candidate"),
    "state_for_memory": but("forget_gate * C", "forget_gate * H"),
    "old_memory_shown": but(
        f"    C = {MEMORY}\n    H = output_gate * torch.tanh(C)\n",
        f"    H = output_gate * torch.tanh(C)\n    C = {MEMORY}\n",
    ),
    "pair_exchanged_inside": """
    if state is None:
        zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        state = zeros, zeros
    outputs = []
    for X in inputs:
        C, H = state
        i, f, c, o = (X @ self.W_x + H @ self.W_h + self.b.flatten()).chunk(4, dim=1)
        C = torch.sigmoid(f) * C + torch.sigmoid(i) * torch.tanh(c)
        H = torch.sigmoid(o) * torch.tanh(C)
        state = H, C
        outputs.append(H)
    return torch.stack(outputs), state
    """,
    "no_biases": but(" + self.b.flatten()", ""),
    "transposed": but("H @ self.W_h", "torch.cat([H @ W.T for W in self.W_h.chunk(4, 1)], 1)"),
    "cut": but("for X in inputs:", "for X in inputs:\n    H, C = H.detach(), C.detach()"),
    "cut_memory": but("forget_gate * C", "forget_gate * C.detach()"),
    "cut_state": but("H @ self.W_h", "H.detach() @ self.W_h"),
    "returned_exchanged": but("(H, C)\n", "(C, H)\n"),
    "taken_exchanged": but("H, C = state", "C, H = state"),
    "both_exchanged": but("H, C = state", "C, H = state").replace("(H, C)\n", "(C, H)\n"),
    "memory_shown": but("append(H)", "append(C)"),
    "memory_not_carried": but("H, C = state", "H, C_0 = state").replace(
        "gate * C +", "gate * C_0 +"
    ),
    "state_ignored": but("if state is None:", "if True:"),
    "not_carried": but(
        "    outputs.append(H)", "    outputs.append(H)\n    last = H, C\n    H, C = state"
    ).replace("(H, C)\n", "last\n"),
    "first_state": but(
        "    outputs.append(H)", "    outputs.append(H)\n    first = first or (H, C)"
    )
    .replace("outputs = []", "outputs, first = [], None")
    .replace("(outputs), (H, C)", "(outputs), first"),
    "given_state": but("(outputs), (H, C)", "(outputs), given").replace(
        "if state is None", "given = state\nif state is None"
    ),
    "previous_state": but("    outputs.append(H)\n", "").replace(
        "    sums", "    outputs.append(H)\n    sums"
    ),
    "backwards": but("in inputs:", "in inputs.flip(0):").replace("(outputs)", "(outputs[::-1])"),
    "dtype": but(", dtype=inputs.dtype, device=inputs.device", ""),
    "device": but(", device=inputs.device", ""),
    "changes_inputs": but(MEMORY, "C.mul_(forget_gate) + input_gate * candidate"),
    "no_gradient": but("(outputs), (H, C)", "(outputs).detach(), (H.detach(), C.detach())"),
    "prints": but("    outputs.append(H)", "    outputs.append(H)\n    print(C.max())"),
    "unknown/peepholes": but("torch.sigmoid(f)", "torch.sigmoid(f + C)"),
    "unknown/state of three": but("(H, C)\n", "(H, C, X)\n"),
    "unknown/the state as one tensor": but("(H, C)\n", "torch.stack((H, C))[:1]\n"),
    "unknown/one bias for all": but("self.b.flatten()", "self.b[:1].repeat(1, 4)"),
    "unknown/clipped": but(MEMORY, f"({MEMORY}).clamp(-1, 1)"),
}

START = """
def adder_lstm(forget_bias):
    ...
"""
START_PLAIN = """
layer = nn.LSTM(2, 32)
with torch.no_grad():
    layer.bias_ih_l0[32:64] = forget_bias
    layer.bias_hh_l0[32:64] = 0.0
return layer
"""
start = editor(START_PLAIN)
START_RIGHT = {
    "plain": START_PLAIN,
    "halves": start("= forget_bias", "= forget_bias / 2").replace("= 0.0", "= forget_bias / 2"),
    "by name": """
    layer = nn.LSTM(input_size=2, hidden_size=32)
    for name, parameter in layer.named_parameters():
        if name.startswith("bias"):
            n = len(parameter) // 4
            value = forget_bias if "ih" in name else 0.0
            nn.init.constant_(parameter.detach()[n : 2 * n], value)
    return layer
    """,
    "chunk": """
    layer = nn.LSTM(2, 32)
    layer.bias_ih_l0.data.chunk(4)[1].fill_(forget_bias)
    layer.bias_hh_l0.data.chunk(4)[1].zero_()
    return layer
    """,
}
START_WRONG = {
    "twice": start("= 0.0", "= forget_bias"),
    "second_left": start("    layer.bias_hh_l0[32:64] = 0.0\n", ""),
    "added": start("= forget_bias", "+= forget_bias").replace(
        "    layer.bias_hh_l0[32:64] = 0.0\n", ""
    ),
    "input_block": START_PLAIN.replace("32:64", ":32"),
    "candidate_block": START_PLAIN.replace("32:64", "64:96"),
    "output_block": START_PLAIN.replace("32:64", "96:"),
    "all_blocks": START_PLAIN.replace("[32:64]", "[:]"),
    "others_zero": start(
        "    layer.bias_ih_l0[32:64]", "    layer.bias_ih_l0[:] = 0\n    layer.bias_ih_l0[32:64]"
    ).replace("hh_l0[32:64]", "hh_l0[:]"),
    "argument_ignored": start("= forget_bias", "= 1.0"),
    "not_set": """
    layer = nn.LSTM(2, 32)
    bias = layer.bias_ih_l0.detach().clone()
    bias[32:64] = forget_bias
    return layer
    """,
    "unknown/other sizes": start("nn.LSTM(2, 32)", "nn.LSTM(32, 32)"),
    "unknown/frozen": start("return layer", "return layer.requires_grad_(False)"),
    "unknown/a GRU": start("nn.LSTM(2, 32)", "nn.GRU(2, 32)"),
    "no_grad_missing": start("with torch.no_grad():", "if True:"),
    "unknown/weights too": start(
        "    layer.bias_hh_l0[32:64] = 0.0",
        "    layer.bias_hh_l0[32:64] = 0.0\n    layer.weight_hh_l0.zero_()",
    ),
}

PLANTED = {
    "lstm": Planted(AROUND, RIGHT, WRONG),
    "forget_bias": Planted(START, START_RIGHT, START_WRONG),
}
