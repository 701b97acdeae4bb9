"""`elbo(x, logits, mu, log_var)`: the evidence lower bound of each image, in nats."""

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.observers import reach_hints, reached, seeded, tensor_from
from course_lib.exercises.spec import Case, Exercise

AT_PRIOR, LARGE = "ELBO where q is the prior", "ELBO at large logits, where q is the prior"
FINITE, KL, OWN = "the ELBO at large logits is finite", "KL term", "each image by itself"
HINTS = reach_hints("logits", "mu", "log_var", values=True) | {
    OWN: "What an image gets depends on the others in its batch: what runs over dimension 0 too? "
    'PyTorch\'s losses do by default, and keep all values with `reduction="none"`.',
    AT_PRIOR: "Where q is the prior, the KL is 0, and the ELBO is the log-likelihood: minus the "
    "cross-entropy of each image. Yours is another number: which of the two terms is off?",
    KL: "Where q is the prior your ELBO is right; the KL is not. It is subtracted once, "
    "with one value per image: compare yours with your `kl_std_normal`.",
}
HINTS[FINITE] = HINTS[LARGE] = (
    "Small logits come out right, large ones do not: their sigmoid rounds to 0 or 1, their `exp` "
    "overflows, and a clamp or a small number added only hides it. Which loss takes logits?"
)


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(B: int, D: int, d: int, dtype: Any = torch.float32) -> dict[str, Any]:
        x, logits = torch.rand(2, B, D, generator=g, dtype=dtype)
        mu, log_var = torch.randn(2, B, d, generator=g, dtype=dtype)
        return {"x": x, "logits": 6 * logits - 3, "mu": mu + 0.5, "log_var": log_var}

    sure = draw(3, 20, 2)  # of every pixel, and wrong at the first
    sure["x"] = (torch.arange(60).view(3, 20) % 3 == 0).float()
    sure["logits"] = torch.where(sure["x"] == 1, 30.0, -30.0)
    sure["logits"][:, 0] *= torch.tensor([-5.0, -6.0, -7.0])
    return [
        Case("4 grey images of 8 pixels, 3 latents", draw(4, 8, 3)),
        Case("5 images of 50 pixels, float64", draw(5, 50, 3, torch.float64)),
        Case("8 images of 784 pixels, 64 latents", draw(8, 784, 64)),
        Case("black and white pixels, large logits", sure),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The ELBO in two parts: as it is where q is the prior, and what another q changes."""
    x, logits, mu, log_var = case.args.values()
    bound = tensor_from(candidate, x, logits, mu, log_var)
    at_prior = tensor_from(candidate, x, logits, 0 * mu, 0 * log_var)
    first = tensor_from(candidate, *(arg[:1] for arg in case.args.values()))
    fits = bound.shape == x.shape[:1] and bound.isfinite().all()
    found = {OWN: not fits or first.allclose(bound[:1], rtol=1e-4)}
    if logits.abs().max() > 100:
        found |= {FINITE: bool(at_prior.isfinite().all()), LARGE: at_prior}
    else:
        found |= {AT_PRIOR: at_prior, KL: bound - at_prior}
    return found | reached(candidate, case.args, ("logits", "mu", "log_var"), values=True)


EXERCISE = Exercise("elbo", 2, cases, observe, HINTS, rtol=1e-4, atol=1e-4)
