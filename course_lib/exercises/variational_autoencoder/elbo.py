"""`elbo(x, logits, mu, log_var)`: the evidence lower bound of each image, in nats."""

from typing import Any

import torch

from course_lib.exercises.observers import like, reach, reached, tensor_from, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

AT_PRIOR, LARGE = "ELBO where q is the prior", "ELBO at large logits, where q is the prior"
FINITE, KL, OWN = "the ELBO at large logits is finite", "KL term", "each image by itself"
GRADIENTS = ("logits", "mu", "log_var")


def cases(g: torch.Generator) -> Cases:
    def draw(B: int, D: int, d: int, dtype: Any = torch.float32) -> dict[str, Any]:
        x, logits = torch.rand(2, B, D, generator=g, dtype=dtype)
        mu, log_var = torch.randn(2, B, d, generator=g, dtype=dtype)
        return {"x": x, "logits": 6 * logits - 3, "mu": mu + 0.5, "log_var": log_var}

    sure = draw(3, 20, 2)  # of every pixel, and wrong at the first
    sure["x"] = (torch.arange(60).view(3, 20) % 3 == 0).float()
    sure["logits"] = torch.where(sure["x"] == 1, 30.0, -30.0)
    sure["logits"][:, 0] *= torch.tensor([-5.0, -6.0, -7.0])
    yield Case("4 grey images of 8 pixels, 3 latents", draw(4, 8, 3))
    yield Case("5 images of 50 pixels, float64", draw(5, 50, 3, torch.float64))
    yield Case("8 images of 784 pixels, 64 latents", draw(8, 784, 64))
    yield Case("black and white pixels, large logits", sure)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The ELBO as it is, where q is the prior, and of the first image alone, and its gradients."""
    x, logits, mu, log_var = case.args.values()
    found = {"bound": tensor_from(candidate, x, logits, mu, log_var)}
    found["at the prior"] = tensor_from(candidate, x, logits, 0 * mu, 0 * log_var)
    found["first"] = tensor_from(candidate, *(arg[:1] for arg in case.args.values()))
    return found | reached(candidate, case.args, GRADIENTS)


def properties(raw: Parts, case: Case) -> Parts:
    """The ELBO in two parts: as it is where q is the prior, and what another q changes."""
    bound, at_prior, first = (tensor_of(raw[key]) for key in ("bound", "at the prior", "first"))
    fits = bound.shape == case.args["x"].shape[:1] and bound.isfinite().all()
    found = {OWN: not fits or first.allclose(bound[:1], rtol=1e-4)}
    if case.args["logits"].abs().max() > 100:
        found |= {FINITE: bool(at_prior.isfinite().all()), LARGE: raw["at the prior"]}
    else:
        found |= {AT_PRIOR: raw["at the prior"], KL: like(raw["bound"], bound - at_prior)}
    return found | reach(raw)


EXERCISE = Exercise("elbo", 2, cases, observe, properties, rtol=1e-4, atol=1e-4)
