"""`spread_between_images(x_hat, x)`: how much reconstructions differ, over how much images do."""

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    def draw(*shape: int) -> Tensor:
        """Images with a common background, whose pixels vary more to the right."""
        background = torch.rand(shape[1:], generator=g)
        across = torch.linspace(0.05, 0.6, shape[-1])
        return (background + across * torch.randn(shape, generator=g)).clamp(0, 1)

    def pulled(x: Tensor, share: float) -> Tensor:
        """Images on the way to their mean, and a little beside it."""
        share += 0.1 * float(torch.rand((), generator=g))
        beside = 0.02 * torch.randn(x.shape, generator=g)
        return 0.2 + 0.7 * (x.mean(0) + share * (x - x.mean(0))) + beside

    flat, grey, colour = draw(12, 30), draw(9, 1, 6, 7), draw(16, 3, 8, 5)
    yield Case("12 flat images", {"x_hat": pulled(flat, 0.6), "x": flat})
    yield Case("9 grey images", {"x_hat": pulled(grey, 0.8), "x": grey})
    yield Case("nearly one picture for all", {"x_hat": pulled(colour, 0.02), "x": colour})
    yield Case(
        "reconstructions of other images", {"x_hat": pulled(flat, 0.9).roll(3, 0), "x": flat}
    )
    still = grey * (torch.arange(7) > 2)
    yield Case("columns that are black in every image", {"x_hat": 0.8 * still, "x": still})
    digits = draw(64, 784)
    yield Case("images of the size of digits", {"x_hat": pulled(digits, 0.4), "x": digits})


EXERCISE = Exercise("spread_between_images", 2, cases, rtol=1e-4, atol=1e-6)
