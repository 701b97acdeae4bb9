"""`reparameterize(mu, log_var, eps)`: a sample of q as a function of noise that is handed in."""

from typing import Any

import torch

from course_lib.exercises import observers
from course_lib.exercises.observers import reach, reached, tensor_from, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

ALONE, USED = "the noise is eps alone", "another eps gives another z"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, shape: tuple[int, ...], *front: int, dtype: Any = torch.float32,
             spread: float = 1.0) -> Case:  # fmt: skip
        mu, log_var = torch.randn(2, *shape, generator=g, dtype=dtype)
        log_var = spread * log_var
        eps = torch.randn(*front, *shape, generator=g, dtype=dtype)
        return Case(about, {"mu": mu, "log_var": log_var, "eps": eps})

    yield draw("4 images, 3 latents", (4, 3))
    yield draw("5 samples for each of 2 images, float64", (2, 3), 5, dtype=torch.float64)
    yield draw("6 samples, one image", (4,), 6)
    yield draw("very small and very large σ", (5, 4), spread=6.0)


def observe(candidate: Candidate, case: Case) -> Parts:
    """z, again, and for another eps, and the gradients through it."""
    torch.rand(1)  # so that a seed that is set again shows itself
    before = observers.random_mark()
    found = {"z": tensor_from(candidate, *case.args.values())}
    mu, log_var, eps = (arg.clone() for arg in case.args.values())
    found |= {name: tensor_from(candidate, mu, log_var, eps + shift)
              for name, shift in (("again", 0), ("other eps", 1))}  # fmt: skip
    found["random state"] = [before, observers.random_mark()]
    return found | reached(candidate, case.args, ("mu", "log_var"))


def properties(raw: Parts, case: Case) -> Parts:
    """z, whether eps and nothing else is its noise, and the gradients through it."""
    z, again, other = (tensor_of(raw[key]) for key in ("z", "again", "other eps"))
    before, after = raw["random state"]["numbers"]
    same, blind = (z.shape == t.shape and z.allclose(t, equal_nan=True) for t in (again, other))
    found: Parts = {ALONE: same and before == after}
    found |= {USED: not blind, "result": raw["z"]} if found[ALONE] else {}
    return found | reach(raw)


EXERCISE = Exercise("reparameterize", 1, cases, observe, properties, rtol=1e-4, atol=1e-5)
