"""`bits_per_dim(nats, dims)`: nats per image as bits per number of the image."""

import torch

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, B: int, dims: int, *, mean: float, spread: float = 0.2) -> Case:
        nats = mean * (1 + spread * torch.randn(B, generator=g))
        return Case(about, {"nats": nats, "dims": dims})

    yield draw("5 images of 7 numbers", 5, 7, mean=30.0)
    yield draw("a density above 1: negative nats", 4, 48, mean=-200.0)
    yield draw("one image", 1, 10, mean=12.0)
    yield draw("6 images of 64 symbols", 6, 64, mean=170.0)
    yield draw("3 images of 64 × 64 pixels and 3 colours", 3, 12_288, mean=-21_000.0)


EXERCISE = Exercise("bits_per_dim", 1, cases, letters={"nats": "B"})
