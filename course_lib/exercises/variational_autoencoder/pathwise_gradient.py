"""`pathwise_gradient(f, mu, log_var, n_samples, generator)`: ∇_μ E_q[f(z)] through the samples."""

from functools import partial

import torch

from course_lib.exercises.spec import Cases, Exercise
from course_lib.exercises.variational_autoencoder import observe as estimates

FUNCTIONS = {
    "z₀ sin z₁": (
        lambda z: z[..., 0] * z[..., 1].sin(),
        lambda mu, var: torch.stack([mu[1].sin(), mu[0] * mu[1].cos()]) * (-var[1] / 2).exp(),
    ),
    "Σ sin z": (lambda z: z.sin().sum(-1), lambda mu, var: mu.cos() * (-var / 2).exp()),
    "z₀²": (lambda z: z[..., 0] ** 2, lambda mu, var: 2 * mu),
}


def cases(g: torch.Generator) -> Cases:
    return estimates.gradient_cases(
        g,
        ("2 latents", "z₀ sin z₁", [1.0, -1.0], torch.float32, 16),
        ("3 latents, float64", "Σ sin z", [-1.0, 1.0, -1.0], torch.float64, 2),
        ("one latent, one sample", "z₀²", [-1.0], torch.float32, 1),
    )


observe = partial(estimates.observe_gradient, functions=FUNCTIONS)
properties = partial(estimates.gradient_properties, functions=FUNCTIONS)
EXERCISE = Exercise("pathwise_gradient", 3, cases, observe, properties, rtol=1e-3, atol=1e-4)
