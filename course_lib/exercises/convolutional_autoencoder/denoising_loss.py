"""`denoising_loss(model, clean, noisy)`: squared error per image against the clean image."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.observers import TinyAutoencoder, seeded, tensor_from
from course_lib.exercises.spec import Case, Exercise

HINTS = {
    f"gradients reach the {part}": f"The values are right, but the {part} gets no gradient, so it "
    "never learns: which step leaves the graph, as `detach`, `no_grad` and `torch.tensor` do?"
    for part in ("decoder", "encoder")
} | {
    "result": "The error is not right. Ask of your code: which image goes through the model, with "
    "what is its output compared, and what happens to a difference before the sum?",
}


class TinyImages(TinyAutoencoder):
    """Images (B, C, H, W), three codes, known weights: what the loss is tried on."""

    def __init__(self, *shape: int) -> None:
        super().__init__(math.prod(shape), 3)
        self.encoder = nn.Sequential(nn.Flatten(), self.encoder).float()
        self.decoder = nn.Sequential(self.decoder, nn.Unflatten(1, shape)).float()

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 3)."""
        return 4 * torch.tanh(super().encode(x))


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, B: int, *shape: int) -> Case:
        clean = torch.rand(B, *shape, generator=g)
        noisy = (clean + 0.4 * torch.randn(B, *shape, generator=g)).clamp(0, 1)
        return Case(about, {"model": TinyImages(*shape), "clean": clean, "noisy": noisy})

    return [draw("five colour images of 8 × 12 pixels", 5, 3, 8, 12),
            draw("two digits of 28 × 28 pixels", 2, 1, 28, 28),
            draw("a batch of one", 1, 3, 5, 4)]  # fmt: skip


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The loss of each image, and which part of the model can learn from it."""
    loss, found = tensor_from(candidate, *case.args.values()), {}
    if loss.requires_grad:
        loss.sum().backward()
    for part in ("decoder", "encoder"):
        parameters = getattr(case.args["model"], part).parameters()
        found[f"gradients reach the {part}"] = all(p.grad is not None for p in parameters)
    return {"result": loss} | found


EXERCISE = Exercise(
    "denoising_loss", 2, cases, observe=observe, property_hints=HINTS, rtol=1e-4, atol=1e-4
)
