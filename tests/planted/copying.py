"""Copying weights into a layer of torch's, written by many hands."""

from planted import Planted, editor

LAYER = """
def copy_layer(layer, theirs, number):
    ...
"""
PLAIN = """
W_x, W_h, b = layer.parameters()
h = layer.hidden_size
blocks = W_x.shape[1] // h
rows = b.reshape(-1, h)
own = dict(theirs.named_parameters())
with torch.no_grad():
    own[f"weight_ih_l{number}"].copy_(W_x.T)
    own[f"weight_hh_l{number}"].copy_(W_h.T)
    own[f"bias_ih_l{number}"].copy_(rows[:blocks].flatten())
    own[f"bias_hh_l{number}"].zero_()
    if len(rows) > blocks:
        own[f"bias_hh_l{number}"][-h:] = rows[blocks]
"""
ZERO = '    own[f"bias_hh_l{number}"].zero_()\n'
RESET = """    if len(rows) > blocks:
        own[f"bias_hh_l{number}"][-h:] = rows[blocks]
"""
but = editor(PLAIN)
RIGHT = {
    "plain": PLAIN,
    "state dict": """
    W_x, W_h, b = [p.detach() for p in layer.parameters()]
    h = layer.hidden_size
    first = b.flatten()[: W_x.shape[1]]
    second = torch.zeros_like(first)
    if isinstance(layer, GRU):
        second[2 * h :] = b[3]
    state = theirs.state_dict()
    new = {"weight_ih": W_x.t(), "weight_hh": W_h.t(), "bias_ih": first, "bias_hh": second}
    state.update({f"{name}_l{number}": value for name, value in new.items()})
    theirs.load_state_dict(state)
    """,
    "the second bias first": """
    W_x, W_h, b = layer.parameters()
    h, data = layer.hidden_size, lambda name: getattr(theirs, f"{name}_l{number}").data
    data("weight_ih")[:] = W_x.data.mT
    data("weight_hh")[:] = W_h.data.mT
    ih, hh = data("bias_ih"), data("bias_hh")
    hh[:] = b.data.flatten()[: len(hh)]
    ih.fill_(0)
    if b.numel() > len(hh):
        ih[-h:], hh[-h:] = b.data[2], b.data[3]
    """,
    "gate by gate": """
    h = layer.hidden_size
    W_x, W_h, b = (p.detach() for p in layer.parameters())
    theirs_of = {n: p.detach() for n, p in theirs.named_parameters() if n.endswith(f"l{number}")}
    ih, hh, b_ih, b_hh = theirs_of.values()
    for k in range(len(ih) // h):
        part = slice(k * h, (k + 1) * h)
        ih[part], hh[part] = W_x[:, part].T, torch.einsum("kh->hk", W_h[:, part])
        b_ih[part], b_hh[part] = b.view(-1, h)[k], 0
    if b.numel() == 4 * h and len(ih) == 3 * h:
        b_hh[2 * h :] = b[3]
    """,
}
WRONG = {
    "not_transposed": PLAIN.replace("_(W_x.T)", "_(W_x)").replace("_(W_h.T)", "_(W_h)"),
    "second_bias_left": but(ZERO, ""),
    "bias_twice": but("zero_()", "copy_(rows[:blocks].flatten())"),
    "no_reset_bias": but(RESET, ""),
    "reset_bias_merged": but(RESET, RESET.replace("bias_hh", "bias_ih").replace("] =", "] +=")),
    "reset_bias_everywhere": but("[-h:] = rows[blocks]", "[:] = rows[blocks].repeat(3)"),
    "blocks_exchanged": PLAIN.replace(
        "_(W_x.T)", "_(torch.cat([W_x.T[h : 2 * h], W_x.T[:h], W_x.T[2 * h :]]))"
    )
    .replace("_(W_h.T)", "_(torch.cat([W_h.T[h : 2 * h], W_h.T[:h], W_h.T[2 * h :]]))")
    .replace("with torch", "h = h if blocks > 1 else 0\nwith torch")
    .replace("[-h:]", "[-layer.hidden_size:]"),
    "always_the_first": PLAIN.replace("l{number}", "l0"),
    "the_other_way": """
    W_x, W_h, b = layer.parameters()
    h = layer.hidden_size
    n = W_x.shape[1] // h
    ih, hh = getattr(theirs, f"bias_ih_l{number}"), getattr(theirs, f"bias_hh_l{number}")
    with torch.no_grad():
        W_x.copy_(getattr(theirs, f"weight_ih_l{number}").T)
        W_h.copy_(getattr(theirs, f"weight_hh_l{number}").T)
        rows = b.view(-1, h)
        rows[:n] = (ih + hh).view(-1, h)
        if len(rows) > n:
            rows[2], rows[3] = ih[2 * h :], hh[2 * h :]
    """,
    "shared": PLAIN.replace(".copy_(W_x.T)", ".data = W_x.data.T").replace(
        ".copy_(W_h.T)", ".data = W_h.data.T"
    ),
    "no_biases": but(RESET, "")
    .replace(ZERO, "")
    .replace('    own[f"bias_ih_l{number}"].copy_(rows[:blocks].flatten())\n', ""),
    "unknown/only the LSTM": but("with torch", "if blocks != 4:\n    return\nwith torch"),
    "no_grad_missing": but("with torch.no_grad():", "if True:"),
    "unknown/frozen": PLAIN + "theirs.requires_grad_(False)\n",
    "unknown/a layer too far": PLAIN.replace("l{number}", "l{1 - number}"),
    "unknown/only weights of the inputs": but('    own[f"weight_hh_l{number}"].copy_(W_h.T)\n', ""),
}

END = """
def copy_gru(layer, theirs, end):
    ...
"""
PLAIN_END = """
H = layer.hidden_size
with torch.no_grad():
    getattr(theirs, f"weight_ih_{end}").copy_(layer.W_x.T)
    getattr(theirs, f"weight_hh_{end}").copy_(layer.W_h.T)
    getattr(theirs, f"bias_ih_{end}").copy_(layer.b[:3].flatten())
    getattr(theirs, f"bias_hh_{end}").zero_()
    getattr(theirs, f"bias_hh_{end}")[2 * H :] = layer.b[3]
"""
FIRST = '    getattr(theirs, f"bias_ih_{end}").copy_(layer.b[:3].flatten())\n'
SECOND = '    getattr(theirs, f"bias_hh_{end}").zero_()\n'
LAST = '    getattr(theirs, f"bias_hh_{end}")[2 * H :] = layer.b[3]\n'
end = editor(PLAIN_END)
RIGHT_END = {
    "plain": PLAIN_END,
    "state dict": """
    b = layer.b.detach()
    new = theirs.state_dict()
    new["weight_ih_" + end] = layer.W_x.detach().t().contiguous()
    new["weight_hh_" + end] = layer.W_h.detach().t().contiguous()
    new["bias_ih_" + end] = b[:3].reshape(-1)
    new["bias_hh_" + end] = torch.cat([0 * b[0], 0 * b[0], b[3]])
    theirs.load_state_dict(new)
    """,
    "gates in the second bias": """
    H = layer.hidden_size
    for name, value in {
        "weight_ih": layer.W_x.T,
        "weight_hh": layer.W_h.T,
        "bias_ih": torch.cat([torch.zeros(2 * H), layer.b[2]]),
        "bias_hh": layer.b[[0, 1, 3]].flatten(),
    }.items():
        theirs.get_parameter(f"{name}_{end}").data.copy_(value)
    """,
}
WRONG_END = {
    "not_transposed": PLAIN_END.replace(".T)", ")"),
    "second_bias_left": end(SECOND, ""),
    "bias_twice": end("zero_()", "copy_(layer.b[:3].flatten())"),
    "no_reset_bias": end(LAST, ""),
    "reset_bias_merged": end(
        LAST, LAST.replace("bias_hh", "bias_ih").replace("] =", "] +=", 1)
    ).replace("+= layer.b[3]", "+= layer.b[3]"),
    "reset_bias_everywhere": end("[2 * H :] = layer.b[3]", "[:] = layer.b[3].repeat(3)"),
    "blocks_exchanged": PLAIN_END.replace("layer.W_x.T", "layer.W_x.T[order]")
    .replace("layer.W_h.T", "layer.W_h.T[order]")
    .replace(
        "with torch",
        "order = torch.cat([torch.arange(H, 2 * H), torch.arange(H), torch.arange(2 * H, 3 * H)])\nwith torch",
    ),
    "always_the_first": PLAIN_END.replace("_{end}", "_l0"),
    "the_other_way": """
    H = layer.hidden_size
    with torch.no_grad():
        layer.W_x.copy_(getattr(theirs, f"weight_ih_{end}").T)
        layer.W_h.copy_(getattr(theirs, f"weight_hh_{end}").T)
        ih = getattr(theirs, f"bias_ih_{end}").view(3, H)
        hh = getattr(theirs, f"bias_hh_{end}").view(3, H)
        layer.b[:2] = (ih + hh)[:2]
        layer.b[2:] = torch.stack([ih[2], hh[2]])
    """,
    "shared": PLAIN_END.replace(").copy_(layer.W_x.T)", ").data = layer.W_x.data.T").replace(
        ").copy_(layer.W_h.T)", ").data = layer.W_h.data.T"
    ),
    "no_biases": end(LAST, "").replace(SECOND, "").replace(FIRST, ""),
    "unknown/never backwards": PLAIN_END.replace("{end}", "{end.removesuffix('_reverse')}"),
    "unknown/rows in another order": end("layer.b[:3].flatten()", "layer.b[[1, 0, 2]].flatten()"),
}

PLANTED = {
    "copy_layer": Planted(LAYER, RIGHT, WRONG),
    "copy_gru": Planted(END, RIGHT_END, WRONG_END),
}
