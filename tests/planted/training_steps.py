"""What happens around a layer while it is trained, written by many hands."""

from planted import Planted

CLIPPING = Planted(
    """
def clip_gradients(parameters, max_norm):
    ...
""",
    right={
        "sum of squares": """
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
        "always_scaled": """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = float(torch.stack([g.norm() for g in gradients]).norm())
        if max_norm is not None:
            for g in gradients:
                g *= max_norm / norm
        return norm
        """,
    },
)

PLANTED = {"clip_gradients": CLIPPING}
