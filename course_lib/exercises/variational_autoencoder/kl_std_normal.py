"""`kl_std_normal(mu, log_var)`: KL from a diagonal Gaussian to the standard normal."""

from typing import Any

import torch

from course_lib.exercises.observers import reach, reached, tensor_result
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, B: int, d: int, *, scale: float = 1, dtype: Any = torch.float32) -> Case:
        mu, log_var = scale * torch.randn(2, B, d, generator=g, dtype=dtype)
        return Case(about, {"mu": mu, "log_var": log_var})

    small = draw("small variances", 3, 2)
    small.args["log_var"] -= 6
    yield draw("5 images, 3 latents", 5, 3)
    yield draw("one image, 64 latents", 1, 64)
    yield draw("7 images, one latent, float64", 7, 1, dtype=torch.float64)
    yield small
    yield draw("q is the prior: no divergence", 3, 2, scale=0)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The divergence of each row, and its gradients."""
    return tensor_result(candidate, case) | reached(candidate, case.args, ("mu", "log_var"))


def properties(raw: Parts, case: Case) -> Parts:
    """The divergence, and whether its gradients arrive."""
    return {"result": raw["result"], **reach(raw)}


EXERCISE = Exercise("kl_std_normal", 2, cases, observe, properties, letters={"mu": "B d"},
                    rtol=1e-4, atol=1e-5)  # fmt: skip
