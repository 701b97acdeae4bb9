"""`active_units(mu, threshold)`: how many latents have a posterior mean that varies over images."""

import torch

from course_lib.exercises.spec import Case, Cases, Exercise

# Latents as (variance in units of the threshold, mean in units of its standard deviation). No
# variance lies between ½ and 2, so that dividing by N or by N − 1 makes no difference, and never
# are half of the latents active, so that the inactive ones are another number.
CENTRED = ((40, 0), (0.5, 0), (0.05, 0), (300, 0), (0.4, 0), (9, 0), (3, 0))
MOVED = ((0.3, -2.5), (0.4, 1.5), (20, 0), (0.02, 0), (90, 1), (3.63, 0), (0.5, 0))
FAR = ((0.3, 30), (20, 0), (0.4, -60), (90, 2), (0.05, -5))
DEAD = ((0.5, 1.9), (0.4, -1.4), (0.3, 0), (0.5, -1), (0.2, 1.5))


def cases(g: torch.Generator) -> Cases:
    def draw(N: int, latents: tuple[tuple[float, float], ...], *, threshold: float) -> torch.Tensor:
        """Columns of exactly these variances and means, in any order; some more that are active."""
        if latents is not DEAD:
            latents += 2 * int(torch.randint(3, (), generator=g)) * ((12, 0.5),)
        variance, mean = torch.tensor(latents).T
        z = torch.randn(N, len(latents), generator=g)
        z = ((z - z.mean(0)) / z.std(0, unbiased=False) + mean) * (threshold * variance).sqrt()
        return z[:, torch.randperm(len(latents), generator=g)]

    twins = draw(6, FAR, threshold=0.05)
    twins = torch.cat([twins, twins[:, twins.var(0) > 0.05]], 1)
    still = torch.tensor([[0.5, 0.0]]).expand(16, 2)
    still = torch.cat([draw(16, ((4, 0), (0.5, 1), (1, 0)), threshold=1.0), still], 1)
    many = draw(500, 8 * CENTRED + DEAD + 3 * ((2.5, 0),), threshold=0.01)
    yield Case("60 images, the usual threshold", {"mu": draw(60, CENTRED, threshold=0.01)})
    yield Case("a larger threshold", {"mu": draw(24, MOVED, threshold=3.0), "threshold": 3.0})
    yield Case("6 images, every active latent twice", {"mu": twins, "threshold": 0.05})
    yield Case("threshold 0, and two latents that never move", {"mu": still, "threshold": 0.0})
    yield Case("no latent is active", {"mu": draw(40, DEAD, threshold=0.05), "threshold": 0.05})
    yield Case("500 images, 64 latents or more", {"mu": many})


EXERCISE = Exercise("active_units", 1, cases, letters={"mu": "N d"})
