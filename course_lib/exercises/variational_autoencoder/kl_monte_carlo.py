"""`kl_monte_carlo(mu, log_var, n_samples, generator)`: the KL as a mean over samples."""

import torch
from torch import Generator, Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.exercises.observers import estimate, seeded, tensor_from, tensor_of
from course_lib.exercises.records import Unfit
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts
from course_lib.exercises.variational_autoencoder import observe as estimates

ROWS = 1_000  # equal rows, each with an estimate of its own
OWN_NOISE, AT_PRIOR = "equal rows get noise of their own", "estimate where q is the prior"
SHIFT = "what mu adds where sigma is nearly 0"
BELOW_0, SCATTER = "a few of 3,000 estimates lie below 0", "scatter over equal rows"


def cases(g: torch.Generator) -> Cases:
    own = {"seed of the generator": g.initial_seed()}
    size, spread = torch.rand(2, 3, 2, generator=g)
    signs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    mu, log_var = torch.tensor([1.2, -1.2]) * (1 + 0.25 * size), signs * (0.9 + 0.2 * spread)
    above, below = torch.rand(2, 1, 64, generator=g, dtype=torch.float64)
    # Here pairs of opposite noise scatter as independent samples do: they are right as well.
    long = {"mu": 0.6 + 0.25 * above, "log_var": -0.85 - 0.3 * below, "n_samples": 4}
    yield Case("3 images, 2 latents", {"mu": mu, "log_var": log_var, "n_samples": 1} | own)
    yield Case("64 latents, float64", long | own)


def _scatter(draws: Tensor, mu: Tensor, var: Tensor) -> str:
    """The spread of one-sample estimates, (ROWS, B), against that of log q − log p."""
    ratio = draws.var(0) / (0.5 * (var - 1) ** 2 + mu**2 * var).sum(-1)
    words = {"too small": ratio.min() < 0.6, "too large": ratio.max() > 1.6}
    return next((word for word, so in words.items() if so), "as it should be")


def observe(candidate: Candidate, case: Case) -> Parts:
    """Results for several generators, and many equal rows, each with an estimate of its own."""
    mu, log_var, n, seed = case.args.values()

    def call(generator: Generator, m: Tensor = mu, lv: Tensor = log_var) -> Tensor:
        return tensor_from(candidate, m.clone(), lv.clone(), n, generator).detach()

    found = {"result": call(seeded(seed))}
    if not estimates.fits(found["result"], mu[:, 0]):
        return found
    found["at the prior"] = call(seeded(seed), 0 * mu, 0 * log_var)
    found |= estimates.noise_of(call, seed)
    rows = [t.expand(ROWS, *t.shape).flatten(0, 1) for t in (mu, log_var)]  # (ROWS · B, d)
    draws = tensor_from(candidate, *rows, n, seeded(seed + 2)).detach()
    if len(draws) != ROWS * len(mu):
        raise Unfit(draws)
    still = [call(seeded(seed), k * mu.double(), 0 * log_var.double() - 20) for k in (0, 1)]
    found["little noise"] = torch.stack(still)
    candidate(mu, log_var, n, seeded(seed))  # on no copies: does it change them?
    return found | {"draws": draws.reshape(ROWS, len(mu))}


def properties(raw: Parts, case: Case) -> Parts:
    """Shape and noise, then mean and scatter of the estimates over many equal rows."""
    mu, log_var, n, _ = case.args.values()
    q = Normal(mu.double(), (0.5 * log_var.double()).exp())
    truth = kl_divergence(q, Normal(0, 1)).sum(-1)
    if "draws" not in raw:
        return raw
    found = {"result": truth.to(mu), AT_PRIOR: raw["at the prior"], **estimates.noise(raw)}
    found["_closed form"] = torch.allclose(tensor_of(raw["result"]), truth)
    if not (found[estimates.FROM_GENERATOR] and found[estimates.NEW_NOISE]):
        return found
    draws = tensor_of(raw["draws"])
    found[OWN_NOISE] = bool(draws.std(0).min() > 1e-6)
    if found[OWN_NOISE]:
        found[BELOW_0] = n > 1 or bool((draws < 0).any())
        found[estimates.MEAN] = estimate(draws, truth)
        found[SCATTER] = _scatter(draws * n**0.5, q.mean, q.variance)
        moved = tensor_of(raw["little noise"]).diff(dim=0)[0]
        found[SHIFT] = torch.allclose(moved, q.mean.square().sum(-1) / 2, rtol=1e-3)
        found["_scatter"] = estimate((draws - draws.mean(0)) ** 2, truth)
    return found


EXERCISE = Exercise("kl_monte_carlo", 3, cases, observe, properties, rtol=1e-4, atol=1e-5)
