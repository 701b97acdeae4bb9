"""`denoising_loss(model, clean, noisy)`: squared error per image against the clean image."""

import math

import torch
from torch import Tensor, nn

from course_lib.exercises.observers import TinyAutoencoder, tensor_from
from course_lib.exercises.records import is_array
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts


class TinyImages(TinyAutoencoder):
    """Images (B, C, H, W), three codes, known weights: what the loss is tried on."""

    def __init__(self, *shape: int) -> None:
        super().__init__(math.prod(shape), 3)
        self.encoder = nn.Sequential(nn.Flatten(), self.encoder).float()
        self.decoder = nn.Sequential(self.decoder, nn.Unflatten(1, shape)).float()

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 3)."""
        return 4 * torch.tanh(super().encode(x))


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, B: int, *shape: int) -> Case:
        clean = torch.rand(B, *shape, generator=g)
        noisy = (clean + 0.4 * torch.randn(B, *shape, generator=g)).clamp(0, 1)
        return Case(about, {"model": TinyImages(*shape), "clean": clean, "noisy": noisy})

    yield draw("five colour images of 8 × 12 pixels", 5, 3, 8, 12)
    yield draw("two digits of 28 × 28 pixels", 2, 1, 28, 28)
    yield draw("a batch of one", 1, 3, 5, 4)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The loss of each image, and the gradients of the model's parts, None where one is missing."""
    loss, found = tensor_from(candidate, *case.args.values()), {}
    if loss.requires_grad:
        loss.sum().backward()
    for part in ("decoder", "encoder"):
        parts = [p.grad for p in getattr(case.args["model"], part).parameters()]
        whole = all(grad is not None for grad in parts)
        found[part] = torch.cat([grad.flatten() for grad in parts]) if whole else None
    return {"result": loss} | found


def properties(raw: Parts, case: Case) -> Parts:
    """The loss of each image, and which part of the model can learn from it."""
    found = {"result": raw["result"]}
    for part in ("decoder", "encoder"):
        found[f"gradients reach the {part}"] = is_array(raw[part])
        found[f"gradients of the {part}"] = raw[part]
    return found


EXERCISE = Exercise("denoising_loss", 2, cases, observe, properties, rtol=1e-4, atol=1e-4)
