"""`codebook_usage(indices, size)`: the perplexity of the symbols, exp of their entropy."""

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    def symbols(*shape: int, weights: list[float]) -> Tensor:
        """Drawn with these weights; two of the symbols at least, or all the same."""
        n = torch.Size(shape).numel()
        return torch.multinomial(torch.tensor(weights), n, True, generator=g).reshape(shape)

    most = [0.2 + float(torch.rand((), generator=g)) for _ in range(6)]
    some = symbols(3, 8, weights=[4.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.5])
    some[0, :3] = torch.tensor([0, 2, 3])  # never fewer than three in use, never all
    skewed = symbols(30, weights=[9.0, 2.0, 1.0, 0.0])
    skewed[:3] = torch.arange(3)
    one = torch.full((2, 5), 3)
    yield Case("24 symbols, 6 of 6 possible", {"indices": symbols(24, weights=most), "size": 6})
    yield Case("3 images, some symbols never used", {"indices": some, "size": 7})
    yield Case("30 symbols, one of them mostly", {"indices": skewed, "size": 4})
    yield Case("one symbol everywhere", {"indices": one, "size": 6})
    uneven = torch.rand(64, generator=g).square().tolist()
    many = symbols(50, 64, weights=uneven)
    yield Case("50 images of 64 places, a codebook of 64", {"indices": many, "size": 64})


EXERCISE = Exercise("codebook_usage", 1, cases, rtol=1e-4, atol=1e-5)
