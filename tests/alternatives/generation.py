"""Right answers to notebook 05, written independently of its solutions."""

import math
import warnings
from collections import defaultdict
from statistics import mean, stdev

import numpy as np
import scipy.linalg
import torch
import torch.nn.functional as F
from torch.distributions import Independent, Normal


def nll_by_pytorch(x, mean, log_sigma):
    var = torch.exp(2 * log_sigma).expand_as(x)
    return F.gaussian_nll_loss(mean, x, var, full=True, reduction="none").sum(dim=(1, 2, 3))


def nll_by_vmap(x, mean, log_sigma):
    peak = x[0].numel() * (log_sigma + np.log(math.tau) / 2)
    return peak + torch.vmap(lambda a, m: ((a - m) / log_sigma.exp()).square().sum() / 2)(x, mean)


def sigma_by_case(x, mean):
    """A bare −6 has no gradient, as little as the clamp where it holds."""
    mse = torch.stack([F.mse_loss(m, a) for a, m in zip(x, mean, strict=True)]).mean()
    return mse.log() / 2 if mse > math.exp(-12) else torch.tensor(-6.0)


def slerp_by_half_angles(a, b, t):
    """The angle from the sides of a rhombus: no cosine, no rounding beyond 1."""
    u, v = a / a.norm(), b / b.norm()
    omega = 2 * torch.atan2((u - v).norm(), (u + v).norm())
    if omega.sin() < 1e-6:
        return torch.lerp(a, b, t)
    return (torch.sin(omega - t * omega) * a + torch.sin(omega * t) * b) / torch.sin(omega)


def slerp_in_floats(a, b, t):
    """sin((1 − t)ω) / sin ω = cos(tω) − sin(tω) / tan ω."""
    omega = math.acos(max(-1.0, min(1.0, F.cosine_similarity(a, b, dim=0).item())))
    if math.sin(omega) < 1e-6:
        return a + t * (b - a)
    w_b = math.sin(t * omega) / math.sin(omega)
    return (math.cos(t * omega) - w_b * math.cos(omega)) * a + w_b * b


def frechet_by_nuclear_norm(mu1, cov1, mu2, cov2):
    roots = []
    for cov in (cov1, cov2):
        values, vectors = torch.linalg.eigh(cov)
        roots.append((vectors * values.clamp(min=0).sqrt()) @ vectors.T)
    cross = torch.linalg.matrix_norm(roots[0] @ roots[1], ord="nuc")
    return torch.dist(mu1, mu2) ** 2 + cov1.trace() + cov2.trace() - 2 * cross


def frechet_by_scipy(mu1, cov1, mu2, cov2):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the product is singular, which may be
        root = scipy.linalg.sqrtm((cov1 @ cov2).numpy()).real
    return np.sum((mu1 - mu2).numpy() ** 2) + np.trace(cov1.numpy() + cov2.numpy() - 2 * root)


def nearest_by_products(samples, train, k):
    """Found by products, and not clamped: no root is taken of what may be below 0."""
    x, y = samples.reshape(len(samples), -1), train.reshape(len(train), -1)
    order = ((x**2).sum(1, keepdim=True) + (y**2).sum(1) - 2 * x @ y.T).argsort(dim=1)[:, :k]
    return order, F.pairwise_distance(x[:, None], y[order])


def nearest_by_vmap(samples, train, k):
    distances = torch.vmap(lambda x: (train - x).flatten(1).norm(dim=1))(samples)
    return [distances.argsort(1)[:, :k], distances.sort(1).values[:, :k]]


def nearest_in_float64(samples, train, k):
    distances, indices = torch.cdist(samples.flatten(1).double(), train.flatten(1).double()).sort()
    return indices[:, :k], distances[:, :k].float()


def report_by_statistics(errors, groups):
    own = defaultdict(list)
    for error, group in zip(errors.tolist(), groups.tolist(), strict=True):
        own[group].append(error)
    return {g: [mean(e), *(mean(e) + z * stdev(e) / len(e) ** 0.5 for z in (-1.96, 1.96))]
            for g, e in own.items()}  # fmt: skip


def report_in_float32_tensors(errors, groups):
    own = {np.int64(g): errors[groups == g] for g in groups.unique()}
    half = {g: 1.959964 * e.std() / len(e) ** 0.5 for g, e in own.items()}
    return {g: (e.mean(), e.mean() - half[g], e.mean() + half[g]) for g, e in own.items()}


ALTERNATIVES = {
    "gaussian_nll": [
        lambda x, mean, log_sigma: -Independent(Normal(mean, log_sigma.exp()), 3).log_prob(x),
        nll_by_pytorch,
        nll_by_vmap,
    ],
    "optimal_log_sigma": [
        sigma_by_case,
        lambda x, mean: (torch.dist(x, mean) / x.numel() ** 0.5).clamp(min=math.exp(-6)).log(),
    ],
    "slerp": [slerp_by_half_angles, slerp_in_floats],
    "attribute_vector": [
        lambda z, y: F.normalize((y - y.float().mean()) @ (z - z.mean(0)), dim=0),
        lambda z, y: F.normalize(z[y.bool()].mean(0) - z[~y.bool()].mean(0), dim=0),
    ],
    "frechet_distance": [frechet_by_nuclear_norm, frechet_by_scipy],
    "condition": [
        lambda z, y, embedding, weight: torch.add(z, embedding(y), alpha=weight),
        lambda z, y, embedding, weight: embedding(y).mul_(weight).add_(z),
        lambda z, y, embedding, w: torch.stack([z[i] + w * embedding(y[i]) for i in range(len(y))]),
    ],
    "nearest_training": [nearest_by_products, nearest_by_vmap, nearest_in_float64],
    "group_report": [report_by_statistics, report_in_float32_tensors],
}
