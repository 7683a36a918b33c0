"""The simple recurrent layer, written by many hands."""

from planted import Planted, editor

AROUND = """
class RNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_xh = nn.Parameter(torch.empty(input_size, hidden_size))
        self.W_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b_h = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, inputs, state=None):
        ...
"""

PLAIN = """
if state is None:
    state = torch.zeros(inputs.shape[1], self.hidden_size, dtype=inputs.dtype, device=inputs.device)
outputs = []
H = state
for X in inputs:
    H = torch.tanh(X @ self.W_xh + H @ self.W_hh + self.b_h)
    outputs.append(H)
return torch.stack(outputs), H
"""
but = editor(PLAIN)

RIGHT = {
    "plain": PLAIN,
    "side by side": """
    W = torch.cat([self.W_xh, self.W_hh])
    H = state if state is not None else inputs.new_zeros(inputs.size(1), self.hidden_size)
    outputs = [H]
    for X in inputs:
        outputs.append((torch.cat([X, outputs[-1]], 1) @ W + self.b_h).tanh())
    return torch.stack(outputs[1:]), outputs[-1]
    """,
    "einsum": """
    T, B, _ = inputs.shape
    outputs = torch.empty(T, B, self.hidden_size).to(inputs)
    H = torch.zeros_like(outputs[0]) if state is None else state
    for t, X in enumerate(torch.einsum("tbd,dh->tbh", inputs, self.W_xh)):
        H = torch.tanh(X + torch.einsum("bk,kh->bh", H, self.W_hh) + self.b_h)
        outputs[t] = H
    return outputs, outputs[-1]
    """,
    "torch's own": """
    from torch import _VF

    H = inputs.new_zeros(inputs.shape[1], self.hidden_size) if state is None else state
    weights = [self.W_xh.T, self.W_hh.T, self.b_h, torch.zeros_like(self.b_h)]
    outputs, H = _VF.rnn_tanh(inputs, H[None], weights, True, 1, 0.0, False, False, False)
    return outputs, H[0]
    """,
    "text by text, with torch.func": """
    def step(x, h):
        return torch.tanh(x @ self.W_xh + h @ self.W_hh + self.b_h)

    def text(X, h):
        outputs = []
        for x in X:
            h = step(x, h)
            outputs.append(h)
        return torch.stack(outputs)

    H = inputs.new_zeros(inputs.shape[1], self.hidden_size) if state is None else state
    outputs = torch.func.vmap(text, in_dims=(1, 0), out_dims=1)(inputs, H)
    return outputs, outputs[-1]
    """,
}

WRONG = {
    "linear": but("torch.tanh(", "("),
    "sigmoid": but("torch.tanh(", "torch.sigmoid("),
    "relu": but("torch.tanh(", "torch.relu("),
    "no_bias": but(" + self.b_h", ""),
    "two_biases": but("X @ self.W_xh", "X @ self.W_xh + self.b_h"),
    "no_past": but(" + H @ self.W_hh", ""),
    "transposed": but("self.W_hh", "self.W_hh.T"),
    "past_outside": but(" + H @ self.W_hh + self.b_h)", " + self.b_h) + H @ self.W_hh"),
    "past_added": but("H = torch.tanh", "H = H + torch.tanh"),
    "no_weights": but("H @ self.W_hh", "H"),
    "cut": but("for X in inputs:", "for X in inputs:\n    H = H.detach()"),
    "cut/data": but("H @ self.W_hh", "H.data @ self.W_hh"),
    "state_ignored": but("if state is None", "if True"),
    "not_carried": but("H @", "state @"),
    "first_state": but("(outputs), H", "(outputs), outputs[0]"),
    "given_state": but("(outputs), H", "(outputs), state")
    .replace("    state = torch", "    state = None\n    H = torch")
    .replace("H = state\n", "H = state if state is not None else H\n"),
    "previous_state": but("outputs.append(H)", "pass").replace(
        "    H = torch.tanh", "    outputs.append(H)\n    H = torch.tanh"
    ),
    "backwards": but("in inputs:", "in inputs.flip(0):").replace(
        "(outputs), H", "(outputs).flip(0), H"
    ),
    "dtype": but(", dtype=inputs.dtype, device=inputs.device", ""),
    "device": but(", device=inputs.device", ""),
    "prints": but("    outputs.append(H)", "    outputs.append(H)\n    print(len(outputs))"),
    "no_gradient": but("(outputs), H", "(outputs).detach(), H.detach()"),
    "changes_inputs": but("outputs = []", "outputs = []\ninputs[0] = 0"),
    "in_place": but("    outputs.append", "    X += 1\n    outputs.append"),
    "random": but("outputs = []", "outputs = []\ntorch.rand(1)"),
    "unknown/the batch as time": but("for X in inputs:", "for X in inputs.transpose(0, 1):"),
    "mixes_texts": but("H @ self.W_hh", "H.mean(0, keepdim=True) @ self.W_hh"),
    "unknown/one more step": but("return", "H = torch.tanh(H @ self.W_hh)\nreturn"),
}

PLANTED = {"rnn": Planted(AROUND, RIGHT, WRONG)}
