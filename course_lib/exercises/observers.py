"""What exercises share that ask for a model, or act on one: looked at are properties."""

from __future__ import annotations

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
