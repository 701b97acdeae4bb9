"""What exercises share that ask for a model, or act on one: looked at are properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

# What these properties say where they fail; an exercise adds those of its own.
MODULE_HINTS = {
    "it is an nn.Module": "Derive the class from `nn.Module`.",
    "it has parameters": "No parameter is registered: use `nn.Linear` (or `nn.Parameter`) as an "
    "attribute. The optimizer does not see a plain tensor, nor layers in a list.",
    "gradients reach every parameter": "Some parameters get no gradient, so they never learn: "
    "leave out `.detach()` and `no_grad`, and use every layer that you make.",
    "each image by itself": "The code of an image depends on the others in its batch: treat each "
    "row by itself, without statistics over dimension 0.",
}


def seeded(seed: int) -> torch.Generator:
    """A generator that starts at this seed."""
    return torch.Generator().manual_seed(seed)


def shake(model: nn.Module, *, seed: int = 1) -> None:
    """Move every parameter a little, so that a bias that starts at zero shows itself."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator).to(parameter)


def gradients_reach(model: nn.Module, x_hat: Tensor) -> bool:
    """Whether every parameter takes part in the reconstruction."""
    if not x_hat.requires_grad:
        return False
    (x_hat**2).sum().backward()
    return all(parameter.grad is not None for parameter in model.parameters())


class TinyAutoencoder(nn.Module):
    """Six pixels, two codes, known weights: what `train_step` is tried on."""

    def __init__(self, D: int, d: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.encoder, self.decoder = nn.Linear(D, d).double(), nn.Linear(d, D).double()

    def encode(self, x: Tensor) -> Tensor:
        """(B, D) to (B, d)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, d) to (B, D) in (0, 1)."""
        return torch.sigmoid(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """decode(encode(x))."""
        return self.decode(self.encode(x))


def outline(value: Any) -> str:
    """Kind and shape of a result in words."""
    if value is None:
        return "nothing"
    kind = "tensor" if isinstance(value, Tensor) else type(value).__name__
    return f"{kind} of shape {tuple(value.shape)}" if hasattr(value, "shape") else kind


def level(value: Any) -> float | None:
    """The mean of all numbers of a result of the wrong shape: a clue to how it came about."""
    return float(value.detach().double().mean()) if isinstance(value, Tensor) else None


def reached(candidate: Callable, args: dict[str, Any], names: tuple[str, ...]) -> dict[str, bool]:
    """Whether the sum of the candidate's result has a gradient with respect to each of these."""
    own = {k: v.clone().requires_grad_(k in names) for k, v in args.items()}
    try:
        total = candidate(*own.values()).sum()
        inputs = [own[name] for name in names]
        gradients = torch.autograd.grad(total, inputs, allow_unused=True)
    except (RuntimeError, AttributeError):  # no graph, or a result that is no tensor
        gradients = [None] * len(names)
    found = zip(names, gradients, strict=True)
    return {f"gradients reach {name}": gradient is not None for name, gradient in found}


def reach_hints(*names: str) -> dict[str, str]:
    """What to say where no gradient reaches one of these."""
    return {
        f"gradients reach {name}": f"The values are right, but no gradient reaches `{name}`, so "
        "nothing can be trained by it. Leave out `.detach()`, `.item()`, `no_grad` and numpy."
        for name in names
    }
