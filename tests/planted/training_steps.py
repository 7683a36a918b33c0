"""What happens around a layer while it is trained, written by many hands."""

from collections.abc import Callable

from planted import Planted


def changing(plain: str) -> Callable[..., str]:
    """Return what changes pieces of a plain solution, given as old, new, old, new and so on."""

    def but(*pieces: str) -> str:
        text = plain
        for old, new in zip(pieces[::2], pieces[1::2], strict=True):
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in\n{text}"
            text = text.replace(old, new)
        return text

    return but


# --- Detach

PLAIN = """
if state is None:
    return None
if isinstance(state, torch.Tensor):
    return state.detach()
parts = []
for part in state:
    parts.append(detach(part))
return tuple(parts) if isinstance(state, tuple) else parts
"""
but = changing(PLAIN)

DETACH = Planted(
    "def detach(state):\n    ...\n",
    right={
        "plain": PLAIN,
        "copied": """
        if isinstance(state, (list, tuple)):
            return state.__class__(map(detach, state))
        return None if state is None else state.clone().detach()
        """,
        "data": """
        match state:
            case None:
                return state
            case torch.Tensor():
                return state.data
            case tuple():
                return tuple(detach(s) for s in state)
        return [detach(s) for s in state]
        """,
    },
    wrong={
        "not_cut": "return state",
        "not_cut/no_grad": """
        with torch.no_grad():
            if isinstance(state, tuple):
                return tuple(part for part in state)
            return state
        """,
        "pairs_not_cut": """
        if isinstance(state, torch.Tensor):
            state = state.detach()
        return state
        """,
        "pairs_not_cut/lost": """
        if state is None:
            return None
        if type(state) in (tuple, list):
            for part in state:
                part = detach(part)
            return state
        return state.detach()
        """,
        "first_only": but(
            "parts.append(detach(part))", "parts.append(part if parts else detach(part))"
        ),
        "list": but("tuple(parts) if isinstance(state, tuple) else parts", "parts"),
        "tuple": but("tuple(parts) if isinstance(state, tuple) else parts", "tuple(parts)"),
        "one_level": but("detach(part)", "part.detach()"),
        "stacked": but(
            "tuple(parts) if isinstance(state, tuple) else parts", "torch.stack(parts)"
        ),
        "zeros": but("state.detach()", "torch.zeros(state.shape)"),
        "requires_grad": but("return state.detach()", "state = state.detach()\n"
            "    state.requires_grad = True\n    return state"),
        "in_place": but("return state.detach()", "state.detach_()\n    return state"),
        "none": but("if state is None:\n    return None\n", "", "isinstance(state, torch.Tensor)",
            "not isinstance(state, (tuple, list))"),
        "lists_missed": """
        if isinstance(state, tuple):
            return tuple(detach(part) for part in state)
        return state.detach() if state is not None else None
        """,
        "generator": """
        if isinstance(state, torch.Tensor) or state is None:
            return state if state is None else state.detach()
        return (detach(part) for part in state)
        """,
        "dtype_of_result": but("state.detach()", "state.detach().double()"),
        "not_a_number": but("state.detach()", "state.detach() / 0"),
        "pair_only": """
        H, C = state
        return H.detach(), C.detach()
        """,
    },
)  # fmt: skip


# --- Clipping

PLAIN = """
parameters = [p for p in parameters if p.grad is not None]
total = 0.0
for p in parameters:
    total += (p.grad**2).sum().item()
norm = math.sqrt(total)
if max_norm is not None and norm > max_norm:
    for p in parameters:
        p.grad *= max_norm / norm
return norm
"""
but = changing(PLAIN)

CLIPPING = Planted(
    "def clip_gradients(parameters, max_norm):\n    ...\n",
    right={
        "plain": PLAIN,
        "factor": """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = math.sqrt(sum((g**2).sum().item() for g in gradients))
        if max_norm is not None:
            factor = min(1.0, max_norm / norm)
            for g in gradients:
                g.mul_(factor)
        return norm
        """,
        "torch's own": """
        max_norm = math.inf if max_norm is None else max_norm
        return float(nn.utils.clip_grad_norm_(parameters, max_norm))
        """,
        "new gradients": """
        parameters = [p for p in parameters if p.grad is not None]
        norm = torch.cat([p.grad.flatten() for p in parameters]).norm()
        if max_norm is not None and norm > max_norm:
            for p in parameters:
                p.grad = p.grad * (max_norm / norm)
        return norm
        """,
    },
    wrong={
        "each_alone": """
        total = 0
        for p in parameters:
            if p.grad is None:
                continue
            norm = p.grad.norm()
            total += norm**2
            if max_norm is not None and norm > max_norm:
                p.grad *= max_norm / norm
        return float(total**0.5)
        """,
        "always_scaled": but(" and norm > max_norm", ""),
        "not_rooted": but("math.sqrt(total)", "total"),
        "sum_of_norms": but("(p.grad**2).sum()", "p.grad.norm()", "math.sqrt(total)", "total"),
        "largest_entry": but("total += (p.grad**2).sum().item()",
            "total = max(total, p.grad.abs().max().item())", "math.sqrt(total)", "total"),
        "sum_of_sizes": but("(p.grad**2).sum()", "p.grad.abs().sum()", "math.sqrt(total)", "total"),
        "clamped": but("p.grad *= max_norm / norm",
            "p.grad = torch.clamp(p.grad, -max_norm, max_norm)"),
        "inverted": but("max_norm / norm", "norm / max_norm"),
        "sign": but("max_norm / norm", "-max_norm / norm"),
        "set_to_norm": but("*= max_norm / norm", "/= norm"),
        "weights": but("p.grad *= max_norm / norm", "p.data *= max_norm / norm"),
        "copies": """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
        if max_norm is not None and norm > max_norm:
            gradients = [g * max_norm / norm for g in gradients]
        return norm
        """,
        "copies/loop": but("p.grad *= max_norm / norm",
            "g = p.grad\n        g = g * max_norm / norm"),
        "consumed": """
        norm = math.sqrt(
            sum((p.grad**2).sum().item() for p in parameters if p.grad is not None)
        )
        if max_norm is not None and norm > max_norm:
            for p in parameters:
                if p.grad is not None:
                    p.grad *= max_norm / norm
        return norm
        """,
        "norm_after": but("return norm",
            "return math.sqrt(sum((p.grad**2).sum().item() for p in parameters))"),
        "nothing_returned": but("return norm", ""),
        "none_missing": but("[p for p in parameters if p.grad is not None]", "list(parameters)",
            "(p.grad**2).sum().item()", "p.grad.pow(2).sum().item()"),
        "none_missing/squared": but("[p for p in parameters if p.grad is not None]", "list(parameters)"),
        "none_compared": but("max_norm is not None and ", ""),
        "root_of_mean": but("math.sqrt(total)", "math.sqrt(total / len(parameters))"),
        "unknown/remembers": but("total = 0.0",
            "total = getattr(clip_gradients, 'total', 0.0)", "return norm",
            "clip_gradients.total = 0.1\nreturn norm"),
        "not_a_number": but("*= max_norm / norm", "*= max_norm / (norm - norm)",
            "    for p in parameters:\n        p", "    norm = torch.tensor(norm)\n"
            "    for p in parameters:\n        p"),
    },
)  # fmt: skip


# --- One pass over the text

PLAIN = """
losses, tokens, norms, state = [], 0, [], None
for X, Y in batches:
    if not carry_state:
        state = None
    elif isinstance(state, tuple):
        state = tuple(part.detach() for part in state)
    elif state is not None:
        state = state.detach()
    optimizer.zero_grad()
    logits, state = model(X, state)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), Y.reshape(-1))
    loss.backward()
    norm = clip_gradients(model.parameters(), clip_norm)
    optimizer.step()
    norms.append(norm)
    losses.append(loss.item() * Y.numel())
    tokens += Y.numel()
return sum(losses) / tokens, norms
"""
but = changing(PLAIN)
CLIP = "    norm = clip_gradients(model.parameters(), clip_norm)\n"

EPOCH = Planted(
    """
from d2lhelpers.training import clip_gradients
from d2lhelpers.model import detach

def train_epoch(model, batches, optimizer, clip_norm, carry_state=True):
    ...
""",
    right={
        "plain": PLAIN,
        "summed": """
        state, total, count, norms = None, 0.0, 0, []
        for inputs, targets in batches:
            logits, state = model(inputs, state if carry_state else None)
            state = detach(state)
            summed = F.cross_entropy(logits.permute(1, 2, 0), targets.T, reduction="sum")
            for p in model.parameters():
                p.grad = None
            (summed / targets.numel()).backward()
            norms.append(clip_gradients(model.parameters(), clip_norm))
            optimizer.step()
            total += float(summed)
            count += targets.numel()
        return total / count, norms
        """,
        "gathered": """
        state, nats, norms = None, [], []
        for X, Y in batches:
            logits, state = model(X, detach(state) if carry_state else None)
            each = -logits.log_softmax(-1).gather(-1, Y.unsqueeze(-1))
            parameters = list(model.parameters())
            gradients = torch.autograd.grad(each.mean(), parameters)
            for p, g in zip(parameters, gradients):
                p.grad = g
            norms.append(clip_gradients(parameters, clip_norm))
            optimizer.step()
            nats.append(each.detach().flatten())
        return torch.cat(nats).mean().item(), norms
        """,
    },
    wrong={
        "not_zeroed": but("    optimizer.zero_grad()\n", ""),
        "not_detached": but("tuple(part.detach() for part in state)", "state",
            "state = state.detach()", "pass"),
        "state_lost": but("logits, state = model(X, state)", "logits, _ = model(X)"),
        "state_lost/zeros": but("tuple(part.detach() for part in state)",
            "tuple(torch.zeros_like(part) for part in state)",
            "state.detach()", "torch.zeros_like(state)"),
        "always_carried": but("    if not carry_state:\n        state = None\n    elif",
            "    if"),
        "not_clipped": but(CLIP, "    norm = clip_gradients(model.parameters(), None)\n"),
        "not_clipped/late": but(CLIP, "    norm = clip_gradients(model.parameters(), None)\n",
            "    optimizer.step()\n",
            "    optimizer.step()\n    clip_gradients(model.parameters(), clip_norm)\n"),
        "no_step": but("    optimizer.step()\n", ""),
        "no_step/zeroed": but("    optimizer.step()\n",
            "    optimizer.zero_grad()\n    optimizer.step()\n"),
        "step_first": but("    optimizer.step()\n", "",
            "    optimizer.zero_grad()\n", "    optimizer.step()\n    optimizer.zero_grad()\n"),
        "inputs_as_targets": but("Y.reshape(-1)", "X.reshape(-1)"),
        "mean_of_means": but("loss.item() * Y.numel()", "loss.item()",
            "sum(losses) / tokens", "sum(losses) / len(losses)"),
        "total": but("loss.item() * Y.numel()", "loss.item()",
            "sum(losses) / tokens", "sum(losses)"),
        "total_of_tokens": but("sum(losses) / tokens", "sum(losses)"),
        "last_loss": but("sum(losses) / tokens", "loss.item()"),
        "perplexity": but("sum(losses) / tokens", "math.exp(sum(losses) / tokens)"),
        "norm_after": but("norms.append(norm)",
            "norms.append(math.sqrt(sum((p.grad**2).sum() for p in model.parameters())))"),
        "axes_mixed": but(
            "logits.reshape(-1, logits.shape[-1])", "logits.permute(0, 2, 1).reshape(-1, 5)"),
        "not_detached/retained": but("loss.backward()", "loss.backward(retain_graph=True)",
            "tuple(part.detach() for part in state)", "state", "state = state.detach()", "pass"),
        "text_by_text": but("logits.reshape(-1, logits.shape[-1])",
            "logits.permute(1, 0, 2).reshape(-1, 5)"),
        "uphill": but("loss.backward()", "(-loss).backward()"),
        "summed_loss": but("Y.reshape(-1))\n", "Y.reshape(-1), reduction='sum')\n",
            "loss.item() * Y.numel()", "loss.item()"),
        "loss_alone": but("sum(losses) / tokens, norms", "sum(losses) / tokens"),
        "not_a_number": but("loss.item() * Y.numel()", "math.nan"),
    },
)  # fmt: skip


# --- Back-propagation through time, by hand

PLAIN = """
T, B, D = X.shape
H = G.shape[2]
dW_xh = torch.zeros(D, H, dtype=X.dtype)
dW_hh = torch.zeros(H, H, dtype=X.dtype)
db = torch.zeros(H, dtype=X.dtype)
later = torch.zeros(B, H, dtype=X.dtype)
for t in range(T - 1, -1, -1):
    H_before, H_t = states[t], states[t + 1]
    delta = (G[t] + later) * (1 - H_t * H_t)
    dW_xh += X[t].T @ delta
    dW_hh += H_before.T @ delta
    db += delta.sum(0)
    later = delta @ layer.W_hh.T
return dW_xh, dW_hh, db
"""
but = changing(PLAIN)

BY_HAND = Planted(
    "def gradients_by_hand(layer, X, states, G):\n    ...\n",
    right={
        "plain": PLAIN,
        "einsum": """
        slopes = 1 - states[1:].square()
        deltas = torch.empty_like(G)
        carried = G.new_zeros(G.shape[1:])
        for t in reversed(range(len(G))):
            deltas[t] = slopes[t] * (G[t] + carried)
            carried = torch.einsum("bk,hk->bh", deltas[t], layer.W_hh)
        dW_xh = torch.einsum("tbd,tbh->dh", X, deltas)
        dW_hh = torch.einsum("tbk,tbh->kh", states[:-1], deltas)
        return dW_xh, dW_hh, deltas.sum(dim=(0, 1))
        """,
        "recursion": """
        def delta(t):
            later = delta(t + 1) @ layer.W_hh.T if t + 1 < len(G) else 0
            return (G[t] + later) * (1 - torch.pow(states[t + 1], 2))

        deltas = [delta(t) for t in range(len(G))]
        dW_xh = sum(X[t].T @ deltas[t] for t in range(len(G)))
        dW_hh = sum(states[t].T @ deltas[t] for t in range(len(G)))
        return [dW_xh, dW_hh, sum(d.sum(0) for d in deltas)]
        """,
        "jacobians": """
        H_t, gradients = states[1:], []
        back = torch.zeros_like(G[-1])
        for g, h in zip(reversed(G), reversed(H_t)):
            slope = torch.diag_embed(1 - h**2)  # (B, H, H)
            d = ((g + back)[:, None] @ slope)[:, 0]
            gradients.insert(0, d)
            back = d.matmul(layer.W_hh.t())
        d = torch.cat(gradients)
        return X.reshape(len(d), -1).t() @ d, torch.cat(list(states[:-1])).t() @ d, d.sum(0)
        """,
    },
    wrong={
        "no_time": but("(G[t] + later)", "G[t]"),
        "no_time/never carried": but("    later = delta @ layer.W_hh.T\n", ""),
        "not_transposed": but("layer.W_hh.T", "layer.W_hh"),
        "slope_of_before": but("1 - H_t * H_t", "1 - H_before * H_before"),
        "slope_of_before/index": but("H_t = states[t], states[t + 1]",
            "H_t = states[t], states[t]"),
        "no_slope": but(" * (1 - H_t * H_t)", ""),
        "not_squared": but("1 - H_t * H_t", "1 - H_t"),
        "slope_of_output": but("(G[t] + later) * (1 - H_t * H_t)",
            "G[t] * (1 - H_t * H_t) + later"),
        "slope_late": but("(G[t] + later) * (1 - H_t * H_t)", "G[t] + later * (1 - H_t * H_t)"),
        "forwards": but("range(T - 1, -1, -1)", "range(T)"),
        "not_turned": """
        delta, deltas = torch.zeros_like(G[0]), []
        for t in reversed(range(len(G))):
            delta = (G[t] + delta @ layer.W_hh.T) * (1 - states[t + 1] ** 2)
            deltas.append(delta)
        d = torch.stack(deltas)
        dW_hh = torch.einsum("tbk,tbh->kh", states[:-1], d)
        return torch.einsum("tbd,tbh->dh", X, d), dW_hh, d.sum((0, 1))
        """,
        "state_after": but("H_before.T @ delta", "H_t.T @ delta"),
        "no_first": but("    dW_hh += H_before.T @ delta\n",
            "    if t > 0:\n        dW_hh += H_before.T @ delta\n"),
        "one_step": but("range(T - 1, -1, -1)", "[T - 1]"),
        "mean": but("dW_xh, dW_hh, db\n", "dW_xh / B, dW_hh / B, db / B\n"),
        "transposed": but("return dW_xh, dW_hh, db", "return dW_xh.T, dW_hh.T, db"),
        "sign": but("return dW_xh, dW_hh, db", "return -dW_xh, -dW_hh, -db"),
        "bias_of_steps": but("db = torch.zeros(H, dtype=X.dtype)",
            "db = torch.zeros(T, H, dtype=X.dtype)", "db += delta.sum(0)", "db[t] = delta.sum(0)"),
        "dtype": but("db = torch.zeros(H, dtype=X.dtype)", "db = torch.zeros(H)",
            "dW_xh = torch.zeros(D, H, dtype=X.dtype)", "dW_xh = torch.zeros(D, H)",
            "dW_hh = torch.zeros(H, H, dtype=X.dtype)", "dW_hh = torch.zeros(H, H)",
            "later = torch.zeros(B, H, dtype=X.dtype)", "later = torch.zeros(B, H)"),
        "changes_inputs": but("delta = (G[t] + later) * (1 - H_t * H_t)",
            "delta = G[t]\n    delta += later\n    delta *= 1 - H_t * H_t"),
        "exchanged": but("return dW_xh, dW_hh, db", "return dW_hh, dW_xh, db"),
        "unknown/autograd": """
        outputs, _ = layer(X, states[0])
        return torch.autograd.grad((outputs * G).sum(), list(layer.parameters()))
        """,
        "bias_of_one_step": but("db += delta.sum(0)", "db = delta.sum(0)"),
        "not_a_number": but("db = torch.zeros(H,", "db = torch.full((H,), math.nan,"),
        "no_bias": but("return dW_xh, dW_hh, db", "return dW_xh, dW_hh"),
        "remembers": but("db = torch.zeros(H, dtype=X.dtype)",
            "kept = globals().setdefault('KEPT', {})\n"
            "db = kept.setdefault((H, X.dtype), torch.zeros(H, dtype=X.dtype))"),
    },
)  # fmt: skip

PLANTED = {
    "detach": DETACH,
    "clip_gradients": CLIPPING,
    "train_epoch": EPOCH,
    "gradients_by_hand": BY_HAND,
}
