"""`kl_monte_carlo(mu, log_var, n_samples, generator)`: the KL as a mean over samples."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.exercises.observers import seeded, tensor_from
from course_lib.exercises.records import Unfit, estimate
from course_lib.exercises.spec import Case, Exercise
from course_lib.exercises.variational_autoencoder import observe as estimates

ROWS = 1_000  # equal rows, each with an estimate of its own
OWN_NOISE, AT_PRIOR = "equal rows get noise of their own", "estimate where q is the prior"
BELOW_0, SCATTER = "a few of 3,000 estimates lie below 0", "scatter over equal rows"
HINTS = estimates.NOISE_HINTS | {
    AT_PRIOR: "With μ = 0 and log σ² = 0, q is the prior, so log q(z|x) − log p(z) is 0 at every "
    "z, and yours is not. Write both log-densities out and compare them term by term.",
    OWN_NOISE: "Equal rows give equal estimates. Every image and every sample has noise of its "
    "own: draw (S, B, d) numbers.",
    BELOW_0: "No estimate lies below 0. A single log q − log p may well be negative, only the mean "
    "over many is not: is there an `abs`, a square or a clamp, or another estimator?",
    estimates.MEAN: "Over many equal rows the mean of your estimate is not the KL. Is z a sample "
    "of q, is log q(z|x) taken at the same μ and log σ², and is the plain mean of the differences "
    "taken last, over the samples alone?",
    SCATTER: "Right on average, but your estimate does not scatter as the mean of `n_samples` "
    "independent log-ratios. How many numbers do you draw, and what do you average?",
}


def cases(seed: int) -> list[Case]:
    g, own = seeded(seed), {"seed of the generator": seed}
    size, spread = torch.rand(2, 3, 2, generator=g)
    signs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    mu, log_var = torch.tensor([1.2, -1.2]) * (1 + 0.25 * size), signs * (0.9 + 0.2 * spread)
    above, below = torch.rand(2, 1, 64, generator=g, dtype=torch.float64)
    # Here pairs of opposite noise scatter as independent samples do: they are right as well.
    long = {"mu": 0.6 + 0.25 * above, "log_var": -0.85 - 0.3 * below, "n_samples": 4}
    return [
        Case("3 images, 2 latents", {"mu": mu, "log_var": log_var, "n_samples": 1} | own),
        Case("64 latents, float64", long | own),
    ]


def _scatter(draws: Tensor, mu: Tensor, var: Tensor) -> str:
    """The spread of one-sample estimates, (ROWS, B), against that of log q − log p."""
    ratio = draws.double().var(0) / (0.5 * (var - 1) ** 2 + mu**2 * var).sum(-1)
    words = {"too small": ratio.min() < 0.6, "too large": ratio.max() > 1.6}
    return next((word for word, so in words.items() if so), "as it should be")


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Shape and noise, then mean and scatter of the estimates over many equal rows."""
    mu, log_var, n, seed = case.args.values()

    def call(generator: Generator, m: Tensor = mu, lv: Tensor = log_var) -> Tensor:
        return tensor_from(candidate, m.clone(), lv.clone(), n, generator).detach()

    q = Normal(mu.double(), (0.5 * log_var.double()).exp())
    truth = kl_divergence(q, Normal(0, 1)).sum(-1)
    result, right = call(seeded(seed)), truth.to(mu)
    if not estimates.fits(result, right):
        return {"result": result}
    at_prior = call(seeded(seed), 0 * mu, 0 * log_var)
    found = {"result": right, AT_PRIOR: at_prior, **estimates.noise_of(call, seed)}
    found["_closed form"] = torch.allclose(result, right)
    if not (found[estimates.FROM_GENERATOR] and found[estimates.NEW_NOISE]):
        return found
    rows = [t.expand(ROWS, *t.shape).flatten(0, 1) for t in (mu, log_var)]  # (ROWS · B, d)
    draws = tensor_from(candidate, *rows, n, seeded(seed + 2)).detach()
    if len(draws) != ROWS * len(mu):
        raise Unfit(draws)
    draws = draws.reshape(ROWS, len(mu))
    found[OWN_NOISE] = bool(draws.std(0).min() > 1e-6)
    if found[OWN_NOISE]:
        found[BELOW_0] = n > 1 or bool((draws < 0).any())
        found[estimates.MEAN] = estimate(draws, truth)
        found[SCATTER] = _scatter(draws * n**0.5, q.mean, q.variance)
        found["_scatter"] = estimate((draws - draws.mean(0)) ** 2, truth)
    candidate(mu, log_var, n, seeded(seed))  # on no copies: does it change them?
    return found


EXERCISE = Exercise("kl_monte_carlo", 3, cases, observe, HINTS, rtol=1e-4, atol=1e-5)
