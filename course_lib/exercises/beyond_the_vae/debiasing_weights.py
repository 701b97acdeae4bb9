"""`debiasing_weights(z, n_bins, alpha)`: how often to draw each image, by the density of codes."""

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    def codes(N: int, d: int, *, n: int) -> Tensor:
        """Skewed codes in the middle of n intervals: rounding decides nothing. (N, d)."""
        z = torch.randn(N, d, generator=g)
        z = torch.exp(torch.linspace(0.3, 0.7, d) * z)  # a long tail to the right
        low = z.amin(0)
        place = (z - low) / (z.amax(0) - low)
        inner = (place * n).floor().clamp(max=n - 1) + 0.2 + 0.6 * torch.rand(z.shape, generator=g)
        place = torch.where((place == 0) | (place == 1), place, inner / n)
        return torch.linspace(-2, 1, d) + torch.linspace(0.5, 4, d) * place

    def case(about: str, z: Tensor, n: int, alpha: float) -> Case:
        return Case(about, {"z": z, "n_bins": n, "alpha": alpha})

    dead = codes(70, 4, n=6)
    dead[:, 2] = 0.5
    yield case("one latent, 5 intervals", codes(40, 1, n=5), 5, 0.05)
    yield case("4 latents, 10 intervals, α = 0.01", codes(300, 4, n=10), 10, 0.01)
    yield case("a large α: nearly uniform", codes(60, 3, n=8), 8, 3.0)
    yield case("a latent that never changes", dead, 6, 0.1)
    yield case("80 latents, 20 intervals: many small factors", codes(500, 80, n=20), 20, 0.002)


EXERCISE = Exercise(
    "debiasing_weights", 2, cases, letters={"z": "N d"}, rtol=1e-4, atol=1e-9
)  # fmt: skip
