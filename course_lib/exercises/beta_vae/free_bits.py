"""`free_bits(kl_per_dim, floor)`: the KL with a floor for each latent, after the batch mean."""

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.observers import reach_hints, tensor_from
from course_lib.exercises.spec import Case, Exercise

GRADIENT, REACH = "gradient with respect to kl_per_dim", "gradients reach kl_per_dim"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, B: int, means: list[float], floor: float) -> Case:
        """KLs of this mean over the batch in each latent, and images on both sides of it."""
        size = torch.linspace(0.2, 1.8, B)[torch.randperm(B, generator=g)]
        kl = size[:, None] * (0.2 + torch.rand(B, len(means), generator=g))
        kl = kl / kl.mean(0) * torch.tensor(means)
        return Case(about, {"kl_per_dim": kl, "floor": floor})

    u = 0.2 * float(torch.rand((), generator=g))
    return [
        draw("6 images, 4 latents", 6, [0.3 + u, 2.5, 0.05, 0.8 + u], 0.5),
        draw("as many images as latents", 4, [1.0 + u, 0.1, 3.0, 0.2], 0.4),
        draw("one image", 1, [0.02, 1.5 + u, 0.9], 0.25),
        draw("floor 0", 5, [0.3, 1.2 + u, 0.01], 0.0),
        draw("every latent below its floor", 5, [0.3, 0.02, 0.4 + u], 0.95),
        draw("128 images, 16 latents", 128, [4.0, 1.5 + u] + 14 * [0.03 + u / 20], 0.1),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The number, and what the encoder is told by it: its gradient."""
    kl, floor = case.args.values()
    found = {"result": tensor_from(candidate, kl, floor)}
    leaf = kl.clone().requires_grad_()
    total = tensor_from(candidate, leaf, floor)
    found[REACH] = total.requires_grad
    if found[REACH]:
        (found[GRADIENT],) = torch.autograd.grad(total.sum(), leaf, materialize_grads=True)
    return found


HINTS = {
    REACH: reach_hints("kl_per_dim")[REACH],
    "result": "Your sum is not right. Take it apart: the mean over the images of each latent, "
    "the larger of that and the floor, the sum over latents.",
    GRADIENT: "The value is right, its gradient is not: which latents should it pull down, and "
    "which leave alone?",
}
EXERCISE = Exercise("free_bits", 2, cases, observe=observe, property_hints=HINTS,
                    letters={"kl_per_dim": "B d"}, rtol=1e-4, atol=1e-6)  # fmt: skip
