"""`score_gradient(f, mu, log_var, n_samples, generator)`: ∇_μ E_q[f(z)] without a gradient of f."""

from types import SimpleNamespace

import torch
from torch.distributions import Normal

from course_lib.exercises.observers import seeded, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts
from course_lib.exercises.variational_autoencoder import observe as estimates

STEP, SMOOTH = "1 where z₀ > ½, else −1", "cos Σ z"
FUNCTIONS = {
    SMOOTH: (lambda z: z.sum(-1).cos(),
             lambda mu, var: -mu.sum().sin() * (-var.sum() / 2).exp() + 0 * mu),
    STEP: (lambda z: torch.where(z[..., 0] > 0.5, 1, -1).to(z.dtype),
           lambda mu, var: (torch.arange(len(mu)) == 0)
           * 2 * Normal(mu, var.sqrt()).log_prob(0 * mu + 0.5).exp()),
}  # fmt: skip


def cases(g: torch.Generator) -> Cases:
    return estimates.gradient_cases(
        g,
        ("a smooth function of 2 latents", SMOOTH, [-1.2, -1.2], torch.float32, 16),
        ("a step, which has no slope; float64", STEP, [1.0, -1.0, 1.0], torch.float64, 2),
        ("a step in one latent, one sample", STEP, [-1.0], torch.float32, 1),
    )


def observe(candidate: Candidate, case: Case) -> Parts:
    """Gradients, the points at which f is evaluated, and the score of one sample, for f = 1."""
    found = estimates.observe_gradient(candidate, case, FUNCTIONS)
    if "draws" in found and len(found["points"]):
        notes = SimpleNamespace(points=[], differentiated=0)
        _, mu, log_var, _, seed = case.args.values()
        one = lambda z: 1 + 0 * estimates.Noted.apply(z, notes)[..., 0]  # noqa: E731
        score = candidate(one, mu, log_var, 1, seeded(seed))
        found |= {"score": score, "its point": torch.cat(notes.points)[0]}
    return found


def properties(raw: Parts, case: Case) -> Parts:
    """What is asked of an estimate, and as a clue the score of one sample."""
    found = estimates.gradient_properties(raw, case, FUNCTIONS)
    if "score" in raw:
        moved = tensor_of(raw["its point"]) - case.args["mu"]
        found["_score over z − μ"] = tensor_of(raw["score"]) / moved
    return found


EXERCISE = Exercise("score_gradient", 3, cases, observe, properties, rtol=1e-3, atol=1e-4)
