"""`score_gradient(f, mu, log_var, n_samples, generator)`: ∇_μ E_q[f(z)] without a gradient of f."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.distributions import Normal

from course_lib.exercises.observers import seeded
from course_lib.exercises.spec import Case, Exercise
from course_lib.exercises.variational_autoencoder import observe as estimates

STEP, SMOOTH = "1 where z₀ > ½, else −1", "cos Σ z"
FUNCTIONS = {
    SMOOTH: (lambda z: z.sum(-1).cos(),
             lambda mu, var: -mu.sum().sin() * (-var.sum() / 2).exp() + 0 * mu),
    STEP: (lambda z: torch.where(z[..., 0] > 0.5, 1, -1).to(z.dtype),
           lambda mu, var: (torch.arange(len(mu)) == 0)
           * 2 * Normal(mu, var.sqrt()).log_prob(0 * mu + 0.5).exp()),
}  # fmt: skip
HINTS = estimates.GRADIENT_HINTS | {
    estimates.DIFFERENTIATED: "You differentiate f. The score-function estimator only evaluates "
    "it, so that f may be a step: what is differentiated is log q, at samples z that stand still.",
    estimates.NOT_ZERO: "Your gradient is 0 for every noise. Does z move along with μ, so that log "
    "q never changes? Or do you subtract from f(z) its own mean, which leaves nothing of one "
    "sample?",
    estimates.MEAN: "z is drawn rightly, but the mean over many calls is not ∇_μ E_q[f(z)], known "
    "for this f. Each f(z) is multiplied by its own score first: compare yours with the formula, "
    "factor by factor.",
}


def cases(seed: int) -> list[Case]:
    return estimates.gradient_cases(
        seed,
        ("a smooth function of 2 latents", SMOOTH, [-1.2, -1.2], torch.float32, 16),
        ("a step, which has no slope; float64", STEP, [1.0, -1.0, 1.0], torch.float64, 2),
        ("a step in one latent, one sample", STEP, [-1.0], torch.float32, 1),
    )


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """An estimate, and as a clue the score of one sample, for f = 1."""
    found = estimates.gradient_estimate(candidate, case, FUNCTIONS)
    if estimates.MEAN in found:
        notes = SimpleNamespace(points=[], differentiated=False)
        _, mu, log_var, _, seed = case.args.values()
        one = lambda z: 1 + 0 * estimates.Noted.apply(z, notes)[..., 0]  # noqa: E731
        score = candidate(one, mu, log_var, 1, seeded(seed))
        found["_score over z − μ"] = score / (torch.cat(notes.points)[0] - mu)
    return found


EXERCISE = Exercise("score_gradient", 3, cases, observe, HINTS, rtol=1e-3, atol=1e-4)
