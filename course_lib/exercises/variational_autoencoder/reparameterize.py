"""`reparameterize(mu, log_var, eps)`: a sample of q as a function of noise that is handed in."""

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.observers import reach_hints, reached, seeded, tensor_from
from course_lib.exercises.spec import Case, Exercise

ALONE, USED = "the noise is eps alone", "another eps gives another z"


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, shape: tuple[int, ...], *front: int, dtype: Any = torch.float32,
             spread: float = 1.0) -> Case:  # fmt: skip
        mu, log_var = torch.randn(2, *shape, generator=g, dtype=dtype)
        log_var = spread * log_var
        eps = torch.randn(*front, *shape, generator=g, dtype=dtype)
        return Case(about, {"mu": mu, "log_var": log_var, "eps": eps})

    return [
        draw("4 images, 3 latents", (4, 3)),
        draw("5 samples for each of 2 images, float64", (2, 3), 5, dtype=torch.float64),
        draw("6 samples, one image", (4,), 6),
        draw("very small and very large σ", (5, 4), spread=6.0),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """z, whether eps and nothing else is its noise, and the gradients through it."""
    torch.rand(1)  # so that a seed that is set again shows itself
    state = torch.get_rng_state()
    z = tensor_from(candidate, *case.args.values())
    mu, log_var, eps = (arg.clone() for arg in case.args.values())
    again, other = (tensor_from(candidate, mu, log_var, eps + shift) for shift in (0, 1))
    same, blind = (z.shape == t.shape and z.allclose(t, equal_nan=True) for t in (again, other))
    found: dict[str, Any] = {ALONE: same and torch.equal(state, torch.get_rng_state())}
    found |= {USED: not blind, "result": z} if found[ALONE] else {}
    return found | reached(candidate, case.args, ("mu", "log_var"), values=True)


HINTS = reach_hints("mu", "log_var", values=True) | {
    ALONE: "You draw random numbers, or set their seed. Use the argument `eps`: whoever calls "
    "decides on the noise, and the same eps gives the same z.",
    USED: "Another `eps` gives the same z. Where does this argument enter?",
    "result": "z is not what it should be. Take one number, with ε = 0 first: what should come "
    "out? Then log σ² = log 9 and ε = 1: which way does z move, and how far?",
}
EXERCISE = Exercise("reparameterize", 1, cases, observe, HINTS, rtol=1e-4, atol=1e-5)
