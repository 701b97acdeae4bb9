"""`kl_per_latent_from_samples(z, mu, log_var)`: KL(q ‖ N(0, 1)) of each latent, from samples."""

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    def draw(S: int, B: int, *, d: int, spread: float = 1.0) -> dict[str, Tensor]:
        """Samples of q, or with another spread than that of q; some latents narrow, some wide."""
        mu = torch.randn(B, d, generator=g)
        log_var = torch.randn(B, d, generator=g) - 1
        eps = spread * torch.randn(S, B, d, generator=g)
        return {"z": mu + torch.exp(0.5 * log_var) * eps, "mu": mu, "log_var": log_var}

    yield Case("5 samples of 4 images, 3 latents", draw(5, 4, d=3))
    yield Case("one sample each", draw(1, 7, d=4))
    yield Case("one image", draw(9, 1, d=2))
    yield Case("as many samples as images and latents", draw(3, 3, d=3))
    narrow = draw(6, 5, d=4)
    sigma = 1e-4 * (1 + torch.rand(5, 4, generator=g))
    narrow |= {"z": narrow["mu"] + sigma * torch.randn(6, 5, 4, generator=g)}
    yield Case("a posterior of width 0.0001", narrow | {"log_var": 2 * sigma.log()})
    yield Case("noise of half the spread that log_var says", draw(8, 6, d=5, spread=0.5))
    yield Case("16 samples of 128 images, 8 latents", draw(16, 128, d=8))


EXERCISE = Exercise("kl_per_latent_from_samples", 2, cases,
                    letters={"z": "S B d", "mu": "B d"}, rtol=1e-3, atol=1e-4)  # fmt: skip
