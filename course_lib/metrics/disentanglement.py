"""Does each latent know of one factor, and each factor of one latent? Two scores, and a rotation.

Both scores look at posterior means, (N, d), of images whose factors are known. Neither changes when
latents trade places or signs; both fall when the code is rotated, which no term of the ELBO feels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.errors import CourseError

MIN_ACTIVE_VARIANCE = 0.01  # of a posterior mean over the data; below it a latent counts as dead


def factor_information(z: Tensor, factors: Tensor, *, n_bins: int = 20) -> Tensor:
    """I(z_j; v_k) / H(v_k): the share of factor k that latent j knows, in [0, 1].

    I(a; b) = H(a) + H(b) − H(a, b), of counts. z: (N, d), each latent cut into n_bins equal
    intervals from its least to its largest value; factors: (N, K) whole numbers from 0.
    Returns (d, K) float64. CourseError for tables that do not fit, or for a factor of one value.
    """
    _refuse_bad_tables(z, factors)
    low, high = z.min(0).values, z.max(0).values
    bins = ((z - low) / (high - low).clamp(min=1e-12) * n_bins).long().clamp(max=n_bins - 1)
    table = torch.zeros(z.shape[1], factors.shape[1], dtype=torch.float64)
    for k, v in enumerate(factors.long().T):
        of_factor = _entropy(v)
        if of_factor == 0:
            raise CourseError(f"factor {k} has one value only: leave that column out")
        for j, cut in enumerate(bins.T):
            shared = _entropy(cut) + of_factor - _entropy(v * n_bins + cut)
            table[j, k] = shared.clamp(min=0) / of_factor
    return table


def information_gaps(z: Tensor, factors: Tensor, *, n_bins: int = 20) -> Tensor:
    """Per factor, the share that its best latent knows minus that of its second best: (K,).

    Arguments and errors as for `factor_information`; wants at least two latents.
    """
    if z.ndim == 2 and z.shape[1] < 2:
        raise CourseError("a gap wants at least two latents, got a code of one")
    best = factor_information(z, factors, n_bins=n_bins).topk(2, dim=0).values  # (2, K)
    return best[0] - best[1]


def mutual_information_gap(z: Tensor, factors: Tensor, n_bins: int = 20) -> float:
    """MIG = 1/K Σ_k (I(z_best; v_k) − I(z_second; v_k)) / H(v_k), in [0, 1].

    z: (N, d) posterior means, estimated in n_bins intervals as Locatello et al. (2019) do; a dead
    latent's mean counts, too. With samples z ~ q(z|x) its noise counts, as in the definition.
    factors: (N, K) whole numbers from 0. Source of the score:
    Chen et al. (2018), "Isolating sources of disentanglement in variational autoencoders".
    """
    return float(information_gaps(z, factors, n_bins=n_bins).mean())


def factor_vae_score(
    z: Tensor, factors: Tensor, *, votes: int = 800, batch: int = 64, seed: int = 0
) -> float:
    """How often the latent of least relative variance tells which factor was held, in [0, 1].

    A vote: hold one factor at one value, draw `batch` images with it, take the latent
    argmin_j Var[z_j | fixed] / Var[z_j]. Each latent then stands for the factor that it had most
    votes of; the score is the share of as many fresh votes that agree. Factors take turns instead
    of being drawn, which makes the score steadier. A code that knows nothing gets 1/K, one with m
    living latents at most min(m, K)/K. Latents of variance below 0.01 are dead and left out.
    Unlike MIG it does not mind two latents that share a factor.
    z: (N, d) posterior means; factors: (N, K) whole numbers from 0. About a second.
    Source: Kim & Mnih (2018), "Disentangling by factorising", the majority-vote classifier.
    """
    _refuse_bad_tables(z, factors)
    n_factors, spread = factors.shape[1], z.double().var(0)
    alive = spread > MIN_ACTIVE_VARIANCE
    if not alive.any():
        return 1 / n_factors
    code, g = (z.double() / spread.sqrt())[:, alive], torch.Generator().manual_seed(seed)
    counts = torch.zeros(2, code.shape[1], n_factors)
    for i in range(2 * votes):
        k = i // 2 % n_factors
        value = factors[torch.randint(len(factors), (1,), generator=g), k]
        rows = (factors[:, k] == value).nonzero().squeeze(1)
        some = rows[torch.randint(len(rows), (batch,), generator=g)]
        counts[i % 2, code[some].var(0).argmin(), k] += 1
    stands_for = counts[0].argmax(1, keepdim=True)  # (d, 1)
    return float(counts[1].gather(1, stands_for).sum() / votes)


def pairwise_rotation(z: Tensor, factors: Tensor, *, degrees: float = 45.0) -> Tensor:
    """Rotation R (d, d) that turns the latents two by two, the most informative pair first.

    Latents are ranked by Σ_k I(z_j; v_k) / H(v_k); of an odd number the last stays. The rotated
    code is z Rᵀ and its decoder z' ↦ decode(z' R). As N(0, I) looks the same from every side,
    cross-entropy, KL and ELBO stay what they were; q(z'|x) is a Gaussian with full covariance.
    """
    order = factor_information(z, factors).sum(1).argsort(descending=True)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    R = torch.eye(z.shape[1], dtype=z.dtype)
    for a, b in order[: len(order) // 2 * 2].view(-1, 2).tolist():
        R[a, a], R[a, b], R[b, a], R[b, b] = c, -s, s, c
    return R


def _entropy(values: Tensor) -> Tensor:
    """−Σ p log p of whole numbers (N,) from 0, nats."""
    p = torch.bincount(values).double() / len(values)
    return -torch.xlogy(p, p).sum()


def _refuse_bad_tables(z: Tensor, factors: Tensor) -> None:
    if z.ndim != 2 or factors.ndim != 2 or len(z) != len(factors) or len(z) == 0:
        raise CourseError(
            f"want z (N, d) and factors (N, K), got {tuple(z.shape)} and {tuple(factors.shape)}"
        )
    if not z.isfinite().all():
        raise CourseError("z holds NaN or infinite values: did the training diverge?")
    if (factors < 0).any() or (factors != factors.floor()).any():
        raise CourseError("factors must be whole numbers from 0")
