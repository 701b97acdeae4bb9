"""`corrupt(x, kind, level, generator)`: noise, a hole, or salt and pepper."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.convolutional_autoencoder.corrupt_mistakes import MISTAKES
from course_lib.exercises.convolutional_autoencoder.observe_corruption import (
    CORRUPTION_HINTS,
    observe_corruption,
)
from course_lib.exercises.spec import Case, Exercise


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def images(*shape: int) -> Tensor:
        """Neither black nor white, so that damage is seen."""
        return 0.1 + 0.8 * torch.rand(shape, generator=g)

    def case(about: str, x: Tensor, kind: str, level: float) -> Case:
        return Case(about, {"x": x, "kind": kind, "level": level})

    grey = torch.full((3, 3, 40, 60), 0.5, dtype=torch.float64)
    return [
        case("weak noise on even grey", grey, "gaussian", 0.05),
        case("strong noise", images(3, 1, 40, 30), "gaussian", 0.8),
        case("a square in wide images", images(8, 3, 20, 28), "mask", 0.33),
        case("a square in high images", images(8, 1, 28, 21), "mask", 0.3),
        case("all places of a square", images(400, 1, 6, 9), "mask", 0.5),
        case("the largest square", images(150, 1, 5, 8), "mask", 1.0),
        case("three pixels in ten", images(3, 3, 50, 40), "salt_pepper", 0.3),
        case("seven pixels in ten", images(4, 1, 50, 40).double(), "salt_pepper", 0.7),
        case("every pixel", images(3, 3, 30, 40), "salt_pepper", 1.0),
    ]


EXERCISE = Exercise(
    "corrupt",
    3,
    cases,
    MISTAKES,
    observe=observe_corruption,
    property_hints=CORRUPTION_HINTS,
)
