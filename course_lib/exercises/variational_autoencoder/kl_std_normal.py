"""`kl_std_normal(mu, log_var)`: KL from a diagonal Gaussian to the standard normal."""

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.observers import reach_hints, reached, seeded, tensor_from
from course_lib.exercises.spec import Case, Exercise


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, B: int, d: int, *, scale: float = 1, dtype: Any = torch.float32) -> Case:
        mu, log_var = scale * torch.randn(2, B, d, generator=g, dtype=dtype)
        return Case(about, {"mu": mu, "log_var": log_var})

    small = draw("small variances", 3, 2)
    small.args["log_var"] -= 6
    return [
        draw("5 images, 3 latents", 5, 3),
        draw("one image, 64 latents", 1, 64),
        draw("7 images, one latent, float64", 7, 1, dtype=torch.float64),
        small,
        draw("q is the prior: no divergence", 3, 2, scale=0),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The divergence of each row, and its gradients."""
    result = tensor_from(candidate, *case.args.values())
    return {"result": result, **reached(candidate, case.args, ("mu", "log_var"), values=True)}


HINTS = reach_hints("mu", "log_var", values=True) | {
    "result": "The divergence is not right. Try one latent: 0 is to come out at μ = 0, log σ² = 0; "
    "½ at μ = 1 or −1, log σ² = 0; 0.568 at μ = 0, log σ² = −2. Which fails first?"
}
EXERCISE = Exercise("kl_std_normal", 2, cases, observe, HINTS, {"mu": "B d"}, rtol=1e-4, atol=1e-5)
