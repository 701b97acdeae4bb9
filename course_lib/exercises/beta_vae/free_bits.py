"""`free_bits(kl_per_dim, floor)`: the KL with a floor for each latent, after the batch mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.floors import FLOORS
from course_lib.exercises.observers import level, outline
from course_lib.exercises.spec import Case, Exercise, Mistake

RESULT, GRADIENT = "result", "gradient with respect to kl_per_dim"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, B: int, means: list[float], floor: float) -> Case:
        """KLs of this mean over the batch in each latent, and images on both sides of it."""
        size = torch.linspace(0.2, 1.8, B, dtype=torch.float64)[torch.randperm(B, generator=g)]
        spread = 0.2 + torch.rand(B, len(means), generator=g, dtype=torch.float64)
        spread = size[:, None] * spread
        kl = spread / spread.mean(0) * torch.tensor(means, dtype=torch.float64)
        return Case(about, {"kl_per_dim": kl, "floor": floor})

    u = 0.2 * float(torch.rand((), generator=g))
    return [
        draw("6 images, 4 latents", 6, [0.3 + u, 2.5, 0.05, 0.8 + u], 0.5),
        draw("as many images as latents", 4, [1.0 + u, 0.1, 3.0, 0.2], 0.4),
        draw("one image", 1, [0.02, 1.5 + u, 0.9], 0.25),
        draw("floor 0", 5, [0.3, 1.2 + u, 0.01], 0.0),
        draw("every latent below its floor", 5, [0.3, 0.02, 0.4 + u], 0.95),
        draw("every latent above its floor", 7, [2.3, 1.2 + u], 0.1),
        draw("a floor above 1", 3, [1.6, 5.0 + u, 0.7 + u, 0.4, 2.1], 1.8),
    ]


def observe(candidate: Callable, case: Case) -> Any:
    """The number, and what the encoder is told by it: its gradient."""
    kl, floor = case.args.values()
    result = candidate(kl, floor)
    if result is None or (isinstance(result, Tensor) and result.ndim > 0):
        return {RESULT: outline(result), "_level": level(result)}
    leaf = kl.clone().requires_grad_()
    gradient = torch.zeros_like(kl)
    try:
        total = candidate(leaf, floor)
        if isinstance(total, Tensor) and total.requires_grad:
            (found,) = torch.autograd.grad(total, leaf, allow_unused=True)
            gradient = gradient if found is None else found
    except RuntimeError:  # numpy refuses a tensor that asks for its gradient
        pass
    return {RESULT: "one number", "value": result, GRADIENT: gradient}


OTHERS = (
    Mistake(
        "mean of everything",
        lambda kl, floor: kl.mean().clamp(min=floor),
        "You average over images and latents before the floor. Average over the images alone: "
        "every latent has a floor of its own, and the latents are summed.",
    ),
    Mistake(
        "floor added back once",
        lambda kl, floor: torch.relu(kl.mean(0) - floor).sum() + floor,
        "You subtract the floor from each latent and add it back once. It is due for every latent.",
    ),
    Mistake(
        "entries above the floor",
        lambda kl, floor: (kl * (kl > floor)).sum() / len(kl),
        "You add up what lies above the floor, image by image. Average over the images first; a "
        "latent below the floor counts as the floor.",
    ),
    Mistake(
        "what is missing to the floor",
        lambda kl, floor: (floor - kl.mean(0)).clamp(min=0).sum(),
        "You charge what a latent is below its floor. That is a penalty to add to the KL; here "
        "the larger of KL and floor takes the KL's place.",
    ),
    Mistake(
        "floor changes the input",
        lambda kl, floor: kl.clamp_(min=floor).mean(0).sum(),
        "`clamp_` with an underscore changes its input, and it works on every image by itself. "
        "Average first, then `clamp` a copy.",
    ),
)
EXERCISE = Exercise(
    "free_bits",
    2,
    cases,
    (*FLOORS, *OTHERS),
    observe=observe,
    property_hints={
        RESULT: "Return one number: the floor acts on each latent, then the latents are summed.",
        "value": "The number is not right. Take it apart: the mean over the images of each latent, "
        "the larger of that and the floor, the sum over latents.",
        GRADIENT: "The value is right, its gradient is not: 1/B where a latent is above the floor, "
        "0 where it is below.",
    },
)
