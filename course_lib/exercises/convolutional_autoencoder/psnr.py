"""`psnr(x, x_hat, data_range)`: peak signal-to-noise ratio of each image, in decibels."""

import torch

from course_lib.exercises.observers import like, tensor_of, tensor_result
from course_lib.exercises.spec import Case, Exercise, Parts

EQUAL = "decibels of equal images"


def cases(g: torch.Generator) -> list[Case]:
    def draw(about: str, *shape: int, low: float = 0, high: float = 1) -> Case:
        """Dim images: no pixel comes near the ends of the range. Errors grow from 7 % on."""
        x = 0.2 + 0.5 * torch.rand(shape, generator=g)
        size = torch.linspace(0.06, 0.25, shape[0]).view(-1, *[1] * (len(shape) - 1))
        x_hat = (x + size * (0.3 + torch.randn(shape, generator=g))).clamp(0, 1)
        x, x_hat = (low + (high - low) * image for image in (x, x_hat))
        return Case(about, {"x": x, "x_hat": x_hat, "data_range": float(high - low)})

    found = [draw("three colour images in [0, 1]", 3, 3, 6, 5),
             draw("two grey images from 0 to 255", 2, 1, 28, 28, high=255),
             draw("four flat images from −1 to 1", 4, 9, low=-1),
             draw("a batch of one, in [0, 1]", 1, 1, 7, 4),
             draw("the second of three pairs is equal", 3, 1, 6, 4)]  # fmt: skip
    found[-1].args["x_hat"][1] = found[-1].args["x"][1]
    return found


def properties(raw: Parts, case: Case) -> Parts:
    """The decibels, those of equal images apart: they can be wrong where all others are right."""
    result, equal = raw["result"], (case.args["x"] == case.args["x_hat"]).flatten(1).all(1)
    if result["shape"] != list(equal.shape):
        return raw
    numbers = tensor_of(result)
    return {"result": like(result, numbers[~equal]), EQUAL: like(result, numbers[equal])}


EXERCISE = Exercise("psnr", 1, cases, tensor_result, properties, rtol=1e-5, atol=5e-3)
