"""`nearest_training(samples, train, k)`: what a sample looks like among the training images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.generation.wrong_neighbours import MISTAKES
from course_lib.exercises.observers import outline
from course_lib.exercises.spec import Case, Exercise

KIND, WHOLE = "kind of the result", "indices are whole numbers"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def images(n: int, *shape: int) -> Tensor:
        """Images of different brightness and contrast, so that angle is not distance."""
        size = (n, *[1] * len(shape))
        base, contrast = torch.rand(2, *size, generator=g, dtype=torch.float64)
        noise = torch.rand(n, *shape, generator=g, dtype=torch.float64)
        return 0.6 * base + 0.4 * contrast * noise

    def draw(about: str, S: int, N: int, *shape: int, k: int) -> Case:
        return Case(about, {"samples": images(S, *shape), "train": images(N, *shape), "k": k})

    copied = draw("the last sample is a copy of a training image", 3, 9, 1, 4, 3, k=2)
    copied.args["samples"][-1] = copied.args["train"][int(torch.randint(9, (), generator=g))]
    return [
        draw("4 colour samples, 12 training images", 4, 12, 3, 5, 2, k=3),
        draw("as many samples as training images", 7, 7, 1, 3, 3, k=2),
        copied,
        draw("flat images, one neighbour", 5, 8, 10, k=1),
        draw("all training images, sorted", 2, 6, 2, 2, 3, k=6),
    ]


def _whole(value: Any) -> bool:
    return isinstance(value, Tensor) and not (value.is_floating_point() or value.is_complex())


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Both results by name, if there are two tensors."""
    found = candidate(*case.args.values())
    if not isinstance(found, tuple | list):
        return {KIND: outline(found), "_whole": _whole(found)}
    if len(found) != 2 or not all(isinstance(part, Tensor) for part in found):
        return {KIND: " and ".join(outline(part) for part in found)}
    indices, distances = found
    return {
        KIND: "two tensors",
        WHOLE: _whole(indices),
        "indices": indices,
        "distances": distances,
    }


EXERCISE = Exercise(
    "nearest_training",
    2,
    cases,
    MISTAKES,
    observe=observe,
    property_hints={
        KIND: "Return two tensors in one tuple: the indices, then the distances.",
        WHOLE: "The first result is the indices, whole numbers that can pick rows of `train`.",
    },
    atol=1e-6,
)
