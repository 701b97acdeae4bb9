"""`water_filling(eigenvalues, beta_sigma2)`: the KL of each latent of the linear β-VAE."""

from __future__ import annotations

import torch

from course_lib.exercises.beta_vae.water_levels import WATER_LEVELS, is_active, kl_of
from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, parts: list[float], level: float) -> Case:
        """Eigenvalues as parts of the level, moved by up to a tenth."""
        moved = 1 + 0.1 * torch.rand(len(parts), generator=g, dtype=torch.float64)
        values = moved * torch.tensor(parts, dtype=torch.float64) * level
        return Case(about, {"eigenvalues": values, "beta_sigma2": level})

    at_level = draw("one eigenvalue equals βσ², one is nearly 0", [30, 4, 1, 0.3, 1e-9], 0.25)
    at_level.args["eigenvalues"][2] = 0.25
    plane = draw("data on a plane: two eigenvalues are 0", [50, 7, 0, 0], 0.5)
    return [
        draw("two of five latents live", [40, 3, 0.5, 0.1, 0.02], 0.1),
        draw("βσ² above 1, eigenvalues in no order", [9, 1.5, 0.6, 0.2, 60, 0.05], 4.0),
        at_level,
        plane,
        draw("every latent lives", [500, 20, 2], 0.01),
        draw("no latent lives", [0.8, 0.3, 0.1, 0.01], 3.0),
    ]  # fmt: skip


_SHAPE = "Return one KL for each eigenvalue, in the same order, (d,)."
MISTAKES = (
    *WATER_LEVELS,
    Mistake(
        "logarithm over the level",
        lambda v, b: (0.5 * torch.log(v) / b).clamp(min=0),
        "`log(λ) / βσ²` divides the logarithm. The ratio λ/βσ² belongs inside its brackets.",
    ),
    Mistake(
        "level missing where active",
        lambda v, b: torch.where(is_active(v, b), 0.5 * torch.log(v), 0.0),
        "You compare with βσ², but the logarithm is of λ alone. It is of the ratio λ/βσ².",
    ),
    Mistake(
        "at least 1 nat",
        lambda v, b: 0.5 * torch.log(v / b).clamp(min=1),
        "Your logarithm is at least 1. The ratio is at least 1, its logarithm at least 0.",
    ),
    Mistake(
        "at most 1 nat",
        lambda v, b: 0.5 * torch.log(v / b).clamp(0, 1),
        "You cut off above as well. A latent may carry as many nats as its eigenvalue asks for.",
    ),
    Mistake(
        "threshold at the root",
        lambda v, b: torch.where(v > b**0.5, 0.5 * torch.log(v / b), 0.0),
        "You switch latents off below √(βσ²). λ and βσ² are both variances: compare them as they "
        "stand.",
    ),
    Mistake(
        "half a difference",
        lambda v, b: 0.5 * (v - b).clamp(min=0),
        "You return ½ (λ − βσ²). The KL is ½ log of their ratio.",
    ),
    Mistake(
        "sum",
        lambda v, b: kl_of(v, b).sum(),
        f"You sum over the latents. {_SHAPE}",
    ),
    Mistake(
        "mean",
        lambda v, b: kl_of(v, b).mean(),
        f"You average over the latents. {_SHAPE}",
    ),
    Mistake(
        "active ones only",
        lambda v, b: kl_of(v, b)[is_active(v, b)],
        f"The inactive latents are missing in your result. {_SHAPE}",
    ),
    Mistake(
        "which are active",
        lambda v, b: is_active(v, b).to(v),
        "You return which latents live. Return their KLs.",
    ),
    Mistake(
        "how many are active",
        lambda v, b: is_active(v, b).sum(),
        f"You return how many latents live. {_SHAPE}",
    ),
    Mistake(
        "sorted",
        lambda v, b: kl_of(v, b).sort(descending=True).values,
        f"You sort. {_SHAPE}",
    ),
    Mistake(
        "sorted, rising",
        lambda v, b: kl_of(v, b).sort().values,
        f"You sort. {_SHAPE}",
    ),
    Mistake(
        "off from the first inactive one on",
        lambda v, b: kl_of(v, b) * is_active(v, b).cumprod(0),
        "You stop at the first inactive latent. The eigenvalues may come in any order: look at "
        "each by itself.",
    ),
)

EXERCISE = Exercise("water_filling", 1, cases, MISTAKES)
