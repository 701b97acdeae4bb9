"""Right answers to notebook 05, written independently of its solutions."""

import math
import warnings
from collections import defaultdict
from statistics import mean, stdev

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Independent, Normal


def nll_by_distribution(x, mean, log_sigma):
    return -Independent(Normal(mean, log_sigma.exp()), 3).log_prob(x)


def nll_by_pytorch(x, mean, log_sigma):
    var = torch.exp(2 * log_sigma) * torch.ones_like(x)
    terms = F.gaussian_nll_loss(mean, x, var, full=True, reduction="none", eps=0)
    return terms.sum(dim=(1, 2, 3))


def nll_with_the_constants_counted(x, mean, log_sigma):
    D = x.shape[1] * x.shape[2] * x.shape[3]
    squares = ((x - mean) / torch.exp(log_sigma)).pow(2).sum(-1).sum(-1).sum(-1)
    return 0.5 * squares + D * (log_sigma + math.log(math.sqrt(2 * math.pi)))


def nll_image_by_image(x, mean, log_sigma):
    """The density at its peak, and how far below the peak each image lies."""
    variance = torch.exp(log_sigma) ** 2
    peak = 0.5 * x[0].numel() * torch.log(2 * math.pi * variance)
    below = [((a - m) ** 2).sum() / (2 * variance) for a, m in zip(x, mean, strict=True)]
    return torch.stack(below) + peak


def sigma_by_root(x, mean):
    rmse = F.mse_loss(mean, x).sqrt()
    return torch.clamp(rmse, min=math.exp(-6)).log()


def sigma_by_norm(x, mean):
    log_sigma = torch.log(torch.linalg.vector_norm(x - mean) / x.numel() ** 0.5)
    return torch.maximum(log_sigma, torch.tensor(-6.0, dtype=x.dtype))


def sigma_by_case(x, mean):
    """Where the clamp holds, the constant −6 has the same gradient as the clamp: none."""
    per_image = (x - mean).square().flatten(1).mean(1)
    mse = per_image.mean()
    return mse.log() / 2 if mse > math.exp(-12) else torch.full((), -6.0).to(x)


def sigma_with_a_small_number(x, mean):
    """What is added is far below the clamp, and vanishes in the tolerance."""
    return (0.5 * torch.log((x - mean).pow(2).mean() + 1e-16)).clamp(min=-6.0)


def vector_by_normalize(z, y):
    groups = y.bool()
    return F.normalize(z[groups].mean(0) - z[~groups].mean(0), dim=0)


def vector_from_the_mean_of_all(z, y):
    """The mean of all lies between the two: the same direction."""
    step = z[y > 0].mean(dim=0) - z.mean(dim=0)
    return step / torch.sqrt((step**2).sum())


def vector_by_covariance(z, y):
    """The covariance of each latent with y is a multiple of the difference."""
    covariance = (y - y.double().mean()) @ (z - z.mean(0))
    return covariance / torch.linalg.vector_norm(covariance)


def vector_by_numpy(z, y):
    z, y = z.numpy(), y.numpy()
    step = z[y == 1].mean(axis=0) - z[y == 0].mean(axis=0)
    return step / np.linalg.norm(step)


def vector_by_sums(z, y):
    w = y.to(z)[:, None]
    step = (w * z).sum(0) / w.sum() - ((1 - w) * z).sum(0) / (1 - w).sum()
    return step / step.norm(p=2)


def slerp_by_half_angles(a, b, t):
    """The angle from the sides of a rhombus: no cosine, no rounding beyond 1."""
    u, v = a / a.norm(), b / b.norm()
    omega = 2 * torch.atan2((u - v).norm(), (u + v).norm())
    if omega.sin() < 1e-6:
        return torch.lerp(a, b, t)
    return (torch.sin(omega - t * omega) * a + torch.sin(omega * t) * b) / torch.sin(omega)


def slerp_by_cosines(a, b, t):
    """sin((1 − t)ω) / sin ω = cos(tω) − sin(tω) / tan ω."""
    omega = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).acos().item()
    if math.sin(omega) < 1e-6:
        return a + t * (b - a)
    w_b = math.sin(t * omega) / math.sin(omega)
    return (math.cos(t * omega) - w_b * math.cos(omega)) * a + w_b * b


def slerp_by_numpy(a, b, t):
    a, b = a.numpy(), b.numpy()
    omega = np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    sine = np.sin(omega)
    w = (1 - t, t) if sine < 1e-6 else (np.sin((1 - t) * omega) / sine, np.sin(t * omega) / sine)
    return w[0] * a + w[1] * b


def condition_by_add(z, labels, embedding, weight):
    return torch.add(z, embedding(labels), alpha=weight)


def condition_row_by_row(z, labels, embedding, weight):
    return torch.stack([code + embedding(y) * weight for code, y in zip(z, labels, strict=True)])


def condition_on_a_copy(z, labels, embedding, weight):
    conditioned = z.clone()
    shift = embedding(labels)
    shift *= weight
    conditioned += shift
    return conditioned


def symmetric_root(cov):
    values, vectors = torch.linalg.eigh(cov)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def frechet_by_symmetric_roots(mu1, cov1, mu2, cov2):
    """Σ₁Σ₂ and Σ₁^½ Σ₂ Σ₁^½ have the same eigenvalues."""
    root = symmetric_root(cov1)
    inner = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0)
    return (mu1 - mu2).dot(mu1 - mu2) + (cov1 + cov2).trace() - 2 * inner.sqrt().sum()


def frechet_by_nuclear_norm(mu1, cov1, mu2, cov2):
    cross = torch.linalg.matrix_norm(symmetric_root(cov1) @ symmetric_root(cov2), ord="nuc")
    return (torch.dist(mu1, mu2) ** 2 + cov1.trace() + cov2.trace() - 2 * cross).item()


def frechet_in_the_other_order(mu1, cov1, mu2, cov2):
    values = np.linalg.eigvals(cov2.numpy() @ cov1.numpy())
    traces = np.trace(cov1.numpy()) + np.trace(cov2.numpy())
    return (
        np.sum((mu2 - mu1).numpy() ** 2) + traces - 2 * np.sqrt(values.astype(complex)).real.sum()
    )


def frechet_by_scipy(mu1, cov1, mu2, cov2):
    from scipy.linalg import sqrtm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the product is singular, which may be
        root = sqrtm((cov1 @ cov2).numpy()).real
    gap = (mu1 - mu2).numpy()
    return float(gap @ gap + np.trace(cov1.numpy() + cov2.numpy() - 2 * root))


def nearest_by_loops(samples, train, k):
    indices, distances = [], []
    for sample in samples:
        pairs = sorted((float(((sample - t) ** 2).sum()) ** 0.5, i) for i, t in enumerate(train))
        indices.append([i for _, i in pairs[:k]])
        distances.append([distance for distance, _ in pairs[:k]])
    return torch.tensor(indices), torch.tensor(distances, dtype=samples.dtype)


def nearest_by_products(samples, train, k):
    """‖x − y‖² = ‖x‖² + ‖y‖² − 2 x·y, which rounding makes a little negative for a copy."""
    x, y = samples.reshape(len(samples), -1), train.reshape(len(train), -1)
    squares = (x**2).sum(1, keepdim=True) + (y**2).sum(1) - 2 * x @ y.T
    order = squares.argsort(dim=1)[:, :k]
    return order, squares.gather(1, order).clamp(min=0).sqrt()


def nearest_by_sort(samples, train, k):
    gaps = (samples.unsqueeze(1) - train.unsqueeze(0)).flatten(2)
    distances, indices = gaps.pow(2).sum(-1).sqrt().sort(dim=-1)
    return [indices[:, :k], distances[:, :k]]


def nearest_by_sklearn(samples, train, k):
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k).fit(train.flatten(1).numpy())
    distances, indices = found.kneighbors(samples.flatten(1).numpy())
    return torch.from_numpy(indices), torch.from_numpy(distances)


def report_by_numpy(errors, groups):
    errors, groups = errors.numpy(), groups.numpy()
    report = {}
    for group in np.unique(groups):
        own = errors[groups == group]
        half = 1.96 * own.std(ddof=1) / np.sqrt(own.size)
        report[group] = (own.mean(), own.mean() - half, own.mean() + half)
    return report


def report_by_statistics(errors, groups):
    own = defaultdict(list)
    for error, group in zip(errors.tolist(), groups.tolist(), strict=True):
        own[group].append(error)
    halves = {group: 1.96 * stdev(found) / len(found) ** 0.5 for group, found in own.items()}
    return {g: (mean(found), mean(found) - halves[g], mean(found) + halves[g])
            for g, found in own.items()}  # fmt: skip


def report_by_sums(errors, groups):
    """s²/n from the sums of the errors and of their squares, all groups at once."""
    found, place, n = groups.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(found), dtype=errors.dtype).index_add(0, place, errors)
    means = sums / n
    squares = torch.zeros_like(sums).index_add(0, place, (errors - means[place]) ** 2)
    half = 1.96 * torch.sqrt(squares / (n - 1) / n)
    rows = torch.stack([means, means - half, means + half], 1)
    return {int(group): tuple(row.tolist()) for group, row in zip(found, rows, strict=True)}


def report_with_tensors_inside(errors, groups):
    """A spread over n and a root of n − 1 make the same standard error."""
    report = {}
    for group in sorted(set(groups.tolist())):
        own = errors[groups == group]
        half = 1.96 * own.std(unbiased=False) / (len(own) - 1) ** 0.5
        report[group] = [own.mean(), own.mean() - half, own.mean() + half]
    return report


ALTERNATIVES = {
    "gaussian_nll": [
        nll_by_distribution,
        nll_by_pytorch,
        nll_with_the_constants_counted,
        nll_image_by_image,
    ],
    "optimal_log_sigma": [sigma_by_root, sigma_by_norm, sigma_by_case, sigma_with_a_small_number],
    "slerp": [slerp_by_half_angles, slerp_by_cosines, slerp_by_numpy],
    "attribute_vector": [
        vector_by_normalize,
        vector_from_the_mean_of_all,
        vector_by_covariance,
        vector_by_numpy,
        vector_by_sums,
    ],
    "frechet_distance": [
        frechet_by_symmetric_roots,
        frechet_by_nuclear_norm,
        frechet_in_the_other_order,
        frechet_by_scipy,
    ],
    "condition": [condition_by_add, condition_row_by_row, condition_on_a_copy],
    "nearest_training": [
        nearest_by_loops,
        nearest_by_products,
        nearest_by_sort,
        nearest_by_sklearn,
    ],
    "group_report": [
        report_by_numpy,
        report_by_statistics,
        report_by_sums,
        report_with_tensors_inside,
    ],
}
