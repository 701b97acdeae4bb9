"""`optimal_log_sigma(x, mean)`: the one log σ that fits a batch best, not below −6."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.generation.wrong_sigmas import MISTAKES
from course_lib.exercises.observers import level, outline, reach_hints, reached
from course_lib.exercises.spec import Case, Exercise


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, *shape: int, error: float, scale: float = 1) -> Case:
        """Errors that grow from image to image, and whose mean is not 0."""
        x = scale * torch.rand(shape, generator=g, dtype=torch.float64)
        size = torch.linspace(0.3, 2, shape[0], dtype=torch.float64).view(-1, 1, 1, 1)
        noise = torch.randn(shape, generator=g, dtype=torch.float64) + 0.4
        return Case(about, {"x": x, "mean": x + error * size * noise})

    return [
        draw("4 colour images", 4, 3, 5, 2, error=0.15),
        draw("one small grey image", 1, 1, 3, 3, error=0.5),
        draw("pixels from 0 to 255", 3, 3, 3, 3, error=30, scale=255),
        draw("predictions closer than the clamp allows", 3, 1, 4, 4, error=3e-4),
        draw("predictions far closer than that", 2, 1, 4, 4, error=1e-5),
        draw("a perfect prediction", 2, 2, 3, 2, error=0),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """log σ, and whether the decoder learns through it where the clamp does not hold it."""
    x, mean = case.args.values()
    log_sigma = candidate(x, mean)
    record: dict[str, Any] = {"result": outline(log_sigma)}
    if record["result"] != outline(x.mean()):
        return record | {"_level": level(log_sigma)}
    record["log σ"] = log_sigma
    clamped = ((x - mean) ** 2).mean() < math.exp(-12)
    return record if clamped else {**record, **reached(candidate, case.args, ("mean",))}


EXERCISE = Exercise(
    "optimal_log_sigma",
    2,
    cases,
    MISTAKES,
    observe=observe,
    property_hints=reach_hints("mean")
    | {"result": "Return one number for the whole batch: a tensor of shape ()."},
)
