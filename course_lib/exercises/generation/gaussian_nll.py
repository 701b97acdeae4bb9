"""`gaussian_nll(x, mean, log_sigma)`: −log N(x; mean, σ²) of each image, in nats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.generation.wrong_likelihoods import MISTAKES
from course_lib.exercises.observers import level, outline, reach_hints, reached
from course_lib.exercises.spec import Case, Exercise

AT_MEAN = "value where x is the mean"
ERROR = "what the error adds"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, *shape: int, log_sigma: float) -> Case:
        """Images and means in [0, 1]; log σ up to 0.5 above the given one."""
        x, mean = torch.rand(2, *shape, generator=g, dtype=torch.float64)
        shift = 0.5 * torch.rand((), generator=g, dtype=torch.float64)
        return Case(about, {"x": x, "mean": mean, "log_sigma": log_sigma + shift})

    return [
        draw("4 colour images of 5 × 2 pixels, σ < 1", 4, 3, 5, 2, log_sigma=-2.1),
        draw("2 grey images, σ > 1", 2, 1, 3, 4, log_sigma=0.3),
        draw("as many images as channels, rows and columns", 3, 3, 3, 3, log_sigma=-0.6),
        draw("one image, small σ", 1, 2, 3, 2, log_sigma=-4.6),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The result in two parts: what a perfect prediction costs, and what the error adds."""
    x, mean, log_sigma = case.args.values()
    nll = candidate(x, mean, log_sigma)
    record: dict[str, Any] = {"result": outline(nll)}
    if record["result"] != outline(x[:, 0, 0, 0]):
        return record | {"_level": level(nll)}
    at_mean = candidate(mean.clone(), mean, log_sigma)
    return {
        **record,
        AT_MEAN: at_mean,
        ERROR: nll - at_mean,
        **reached(candidate, case.args, ("mean", "log_sigma")),
    }


EXERCISE = Exercise(
    "gaussian_nll",
    2,
    cases,
    MISTAKES,
    observe=observe,
    property_hints=reach_hints("mean", "log_sigma")
    | {
        "result": "Return one value an image: a tensor of shape (B,).",
        AT_MEAN: "Where x is the mean, every pixel still costs the logarithm of σ √(2π). There "
        "your value is another one.",
        ERROR: "Where x is the mean your value is right. What the error adds is not: the square "
        "of x − mean, divided by 2σ², summed over the pixels.",
    },
)
