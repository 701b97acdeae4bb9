"""`mutual_information_gap(z, factors, n_bins)`: how far one latent stands out for each factor."""

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Cases, Exercise

# Weights (d, K) of the factors in the latents.
MIXED = [[1.0, 0.1, 0.0], [0.6, 0.8, 0.1], [0.0, 0.7, 0.2], [0.1, 0.0, 0.5], [0.0, 0.0, 0.0]]
TURNED = [[0.7, 0.7], [0.7, -0.7], [0.0, 0.1]]


def cases(g: torch.Generator) -> Cases:
    def draw(N: int, *shares: list[float]) -> Tensor:
        """Whole numbers from 0 with these shares, (N, K)."""
        return torch.stack([torch.tensor(s).multinomial(N, True, generator=g) for s in shares], 1)

    def coded(about: str, v: Tensor, weights: list, *, noise: float, n: int = 20) -> Case:
        """Mixed factors plus noise, in the middle of n intervals: rounding decides nothing."""
        z = v.float() @ torch.tensor(weights).T
        z = z + noise * torch.randn(z.shape, generator=g)
        z = torch.sigmoid(2 * (z - z.mean(0)) / z.std(0) + 0.5)
        least, most = z.min(0).values, z.max(0).values
        cell = ((z - least) / (most - least) * n).floor().clamp(max=n - 1)
        moved = (cell + 0.2 + 0.6 * torch.rand(z.shape, generator=g)) / n
        moved = torch.where(z == least, 0.0, torch.where(z == most, 1.0, moved))
        z = torch.linspace(0.5, 4, z.shape[1]) * moved + torch.linspace(-2, 1, z.shape[1])
        return Case(about, {"z": z, "factors": v} | ({} if n == 20 else {"n_bins": n}))

    two, three = draw(120, [1.0] * 4, [4.0, 1, 1]), draw(398, [6.0, 2, 1], [1.0, 1], [1.0] * 4)
    skip = draw(90, [3.0, 0, 2, 1], [5.0, 1])
    five = draw(800, *([1.0] * levels for levels in (3, 4, 20, 16, 16)))
    weights = (torch.rand(6, 5, generator=g) ** 4 / five.amax(0)).tolist()
    copies = torch.stack([3.0 * two[:, 1] - 1, 0 * two[:, 0] + 0.5, 2.0 - two[:, 0]], 1)
    dead = coded("a dead latent, and a factor skips a number", skip, TURNED, noise=0.3, n=10)
    dead.args["z"][:, 2] = 0.5
    yield Case(
        "each factor has a latent that copies it, the third never changes",
        {"z": copies, "factors": two},
    )
    yield Case("every factor is copied by two latents", {"z": copies.repeat(1, 2), "factors": two})
    yield coded("5 latents, 3 factors, the usual 20 intervals", three, MIXED, noise=0.3)
    yield coded("3 intervals", three, MIXED, noise=0.4, n=3)
    yield coded("two latents share two factors, turned by 45°", two, TURNED, noise=0.2, n=12)
    yield dead
    yield coded("5 factors, as of the sprites", five, weights, noise=0.1)


EXERCISE = Exercise("mutual_information_gap", 3, cases,
                    letters={"z": "N d", "factors": "N K"}, rtol=1e-4, atol=1e-4)  # fmt: skip
