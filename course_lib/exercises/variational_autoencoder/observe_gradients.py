"""What is looked at in `score_gradient` and `pathwise_gradient`, and the functions they get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.observers import level, outline, seeded
from course_lib.exercises.variational_autoencoder.observe import (
    FROM_GENERATOR,
    NOISE_HINTS,
    noise_of,
)

# (S, d) to (S,); the text is what a card shows.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "4 + z₀² z₁": lambda z: 4 + z[..., 0] ** 2 * z[..., 1],
    "10 where z₀ > ½, else 0": lambda z: 10 * (z.detach()[..., 0] > 0.5).to(z.dtype),
    "⅓ z₀³ + z₀ z₁²": lambda z: z[..., 0] ** 3 / 3 + z[..., 0] * z[..., 1] ** 2,
    "Σ exp(z)": lambda z: z.exp().sum(-1),
}
POINTS = "different points z that f is asked about, for 5 samples"
SECOND_CALL = "a second call with the same mu gives the same"
FINITE = "one sample gives a finite gradient"
NOT_ZERO = "one sample gives a gradient other than 0"
STEADY = "a linear f gives the same gradient for every noise"
MANY = "gradient from 20,000 samples"
GRADIENT_HINTS = NOISE_HINTS | {
    "result": "Return one tensor of shape (d,), as μ has it: a mean over the samples only.",
    POINTS: "`f` should be asked about `n_samples` different points z, one for each sample, and "
    "about nothing else.",
    FINITE: "With one sample your result is not finite: the mean over one sample is that sample. "
    "Divide by the number of samples.",
    NOT_ZERO: "With one sample your result is 0: subtract no mean of the samples from them.",
}


class Asked:
    """A function that keeps the points it was asked about."""

    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        self.f, self.points = f, []

    def __call__(self, z: Tensor) -> Tensor:
        self.points.append(z.detach().reshape(-1, z.shape[-1]).clone())
        return self.f(z)

    def other_than(self, mu: Tensor) -> Tensor:
        """All points but μ itself, at which a baseline may be taken."""
        points = torch.cat([torch.zeros(0, len(mu), dtype=mu.dtype), *self.points])
        return points[(points != mu).any(1)]


def draw_inputs(d: int, *, generator: torch.Generator) -> dict[str, Tensor]:
    """μ and log σ² of alternating sign, all clearly different from 0."""
    signs = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)[:d]
    size, spread = torch.rand(2, d, generator=generator, dtype=torch.float64)
    return {"mu": 0.8 + 0.6 * size, "log_var": signs * (0.6 + 0.2 * spread)}


def _fresh(candidate: Callable, f: Callable, case: Any) -> Callable:
    """(n, generator) to the candidate's result on copies of μ and log σ²."""
    mu, log_var = case.args["mu"], case.args["log_var"]
    return lambda n, generator: candidate(
        f, mu.detach().clone(), log_var.detach().clone(), n, generator
    )


def _first_look(candidate: Callable, case: Any) -> dict[str, Any]:
    """Shape, points and noise; it stops early where more would only repeat the noise."""
    f = FUNCTIONS[case.args["f"]]
    mu, log_var, seed = (case.args[key] for key in ("mu", "log_var", "seed of the generator"))
    asked = Asked(f)
    result = candidate(asked, mu, log_var, 5, seeded(seed))
    record: dict[str, Any] = {"result": outline(result)}
    if record["result"] != outline(mu):
        return record | {"_level": level(candidate(f, mu, log_var, 20_000, seeded(seed)))}
    points = asked.other_than(mu)
    record[POINTS] = len(points.unique(dim=0))
    if record[POINTS] != 5:
        return record | {"_points": len(points)}
    first, again = result.detach().clone(), candidate(f, mu, log_var, 5, seeded(seed))
    fresh = _fresh(candidate, f, case)
    record |= noise_of(lambda g: fresh(5, g), seed)
    if record[FROM_GENERATOR]:
        record[SECOND_CALL] = torch.allclose(first, again.detach(), equal_nan=True)
    return record


def _estimates(candidate: Callable, case: Any) -> dict[str, Any]:
    """What comes out for one sample and for many."""
    f, seed = FUNCTIONS[case.args["f"]], case.args["seed of the generator"]
    fresh = _fresh(candidate, f, case)
    single = fresh(1, seeded(seed + 2))
    return {
        FINITE: bool(single.isfinite().all()),
        # A step is 0 at half of its points, and so is what a single point says about it.
        NOT_ZERO: bool((single != 0).any()) or "½" in case.args["f"],
        MANY: fresh(20_000, seeded(seed + 3)),
    }


def observe_score(candidate: Callable, case: Any) -> dict[str, Any]:
    """Shape, points, noise, and the gradients that come out."""
    record = _first_look(candidate, case)
    return record | _estimates(candidate, case) if SECOND_CALL in record else record


def observe_pathwise(candidate: Callable, case: Any) -> dict[str, Any]:
    """As for the score; and the gradient of a linear f does not depend on the noise."""
    record = _first_look(candidate, case)
    if SECOND_CALL not in record:
        return record
    slope = torch.arange(1.0, len(case.args["mu"]) + 1, dtype=torch.float64)
    linear = _fresh(candidate, lambda z: z @ slope, case)
    gradients = torch.stack([linear(2, seeded(seed)) for seed in range(3)])
    record[STEADY] = bool((gradients - gradients[0]).abs().max() < 1e-6)
    if not record[STEADY]:
        return record | {"_of a linear f": linear(20_000, seeded(3))}
    return record | _estimates(candidate, case)
