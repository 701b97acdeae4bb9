"""`pathwise_gradient(f, mu, log_var, n_samples, generator)`: ∇_μ E_q[f(z)] through the samples."""

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.spec import Case, Exercise
from course_lib.exercises.variational_autoencoder import observe as estimates

FUNCTIONS = {
    "z₀ sin z₁": (
        lambda z: z[..., 0] * z[..., 1].sin(),
        lambda mu, var: torch.stack([mu[1].sin(), mu[0] * mu[1].cos()]) * (-var[1] / 2).exp(),
    ),
    "Σ sin z": (lambda z: z.sin().sum(-1), lambda mu, var: mu.cos() * (-var / 2).exp()),
    "z₀²": (lambda z: z[..., 0] ** 2, lambda mu, var: 2 * mu),
}
HINTS = estimates.GRADIENT_HINTS | {
    estimates.DIFFERENTIATED: "f is not differentiated here. The pathwise estimator takes the "
    "slope of f at z = μ + σ ε, by autograd; the score-function estimator only evaluates f.",
    estimates.NOT_ZERO: "Your gradient is 0 for every noise. Is z made from the very tensor by "
    "which you differentiate?",
    estimates.MEAN: "z is drawn rightly, but the mean over many calls is not ∇_μ E_q[f(z)], known "
    "for this f. What do you differentiate, by what, and is it a mean over the samples?",
}


def cases(seed: int) -> list[Case]:
    return estimates.gradient_cases(
        seed,
        ("2 latents", "z₀ sin z₁", [1.0, -1.0], torch.float32, 16),
        ("3 latents, float64", "Σ sin z", [-1.0, 1.0, -1.0], torch.float64, 2),
        ("one latent, one sample", "z₀²", [-1.0], torch.float32, 1),
    )


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    return estimates.gradient_estimate(candidate, case, FUNCTIONS)


EXERCISE = Exercise("pathwise_gradient", 3, cases, observe, HINTS, rtol=1e-3, atol=1e-4)
