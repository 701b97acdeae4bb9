"""Right answers to notebook 04, written independently of its solutions."""

import math
import statistics

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal, kl_divergence


def rate_distortion_by_distributions(x, logits, mu, log_var):
    q_z, prior = Normal(mu, torch.exp(0.5 * log_var)), Normal(0.0, 1.0)
    rate = kl_divergence(q_z, prior).sum(dim=1).mean()
    log_lik = Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(dim=1)
    return rate, -log_lik.mean()


def rate_distortion_by_sums(x, logits, mu, log_var):
    B = x.shape[0]
    kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp()) / B
    return [kl, F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / B]


def rate_distortion_in_one_tensor(x, logits, mu, log_var):
    """Two numbers in one tensor unpack like a tuple."""
    nll = F.softplus(logits) - x * logits
    kl = (mu**2 + torch.exp(log_var) - 1 - log_var) / 2
    return torch.stack([kl.mean(0).sum(), nll.mean(0).sum()])


def active_by_numpy(mu, threshold=0.01):
    """The biased variance, and numpy's whole number."""
    return (np.var(mu.numpy(), axis=0) > threshold).sum()


def active_by_moments(mu, threshold=0.01):
    spread = (mu**2).mean(0) - mu.mean(0) ** 2
    return torch.count_nonzero(spread > threshold)


def active_by_covariance(mu, threshold=0.01):
    return torch.sum(torch.diagonal(torch.cov(mu.T)) > threshold).item()


def active_by_loop(mu, threshold=0.01):
    n = 0
    for latent in mu.T.tolist():
        if statistics.pvariance(latent) > threshold:
            n += 1
    return n


def beta_by_interpolation(step, total, kind, beta_max):
    if step >= total:
        return float(beta_max)
    if kind == "cyclic":
        cycle = total / 4
        return np.interp(step % cycle, [0, cycle / 2, cycle], [0, beta_max, beta_max])
    return np.interp(step, [0, total], [0 if kind == "linear" else beta_max, beta_max])


def beta_by_cycle_number(step, total, kind, beta_max):
    length = total / 4
    start = math.floor(step / length) * length
    if kind == "constant" or step >= total:
        return beta_max
    duration, begun = (total, 0) if kind == "linear" else (length / 2, start)
    return torch.tensor((step - begun) / duration * beta_max).clamp(max=beta_max)


def beta_by_steps(step, total, kind, beta_max):
    """Steps counted in the cycle one after the other, in quarters of a step."""
    if step >= total:
        return beta_max
    position = 0
    for _ in range(step):
        position = position + 4 if position + 4 < total else position + 4 - total
    rise = {"constant": 1.0, "linear": step / total, "cyclic": 2 * position / total}[kind]
    return beta_max * rise if rise < 1 else beta_max


def beta_by_inverse(step, total, kind, beta_max):
    t = step * (1 / total)
    if t >= 1:
        return beta_max
    inside = 4 * (t - 0.25 * int(4 * t))
    beta = {"constant": 1, "linear": t, "cyclic": inside / 0.5}[kind]
    return min(beta, 1) * beta_max


def free_by_maximum(kl_per_dim, floor):
    mean = kl_per_dim.mean(dim=0)
    return torch.maximum(mean, torch.full_like(mean, floor)).sum()


def free_by_relu(kl_per_dim, floor):
    B, d = kl_per_dim.shape
    return d * floor + F.relu(kl_per_dim.sum(0) / B - floor).sum()


def free_by_loop(kl_per_dim, floor):
    """A float where every latent is below its floor: nothing is left to train there."""
    return sum(max(floor, latent.mean()) for latent in kl_per_dim.T)


def free_by_where(kl_per_dim, floor):
    mean = torch.mean(kl_per_dim, 0)
    return torch.where(mean > floor, mean, torch.tensor(floor, dtype=mean.dtype)).sum()


def filled_by_ratio(eigenvalues, beta_sigma2):
    return torch.log(torch.clamp(eigenvalues / beta_sigma2, min=1.0)) / 2


def filled_by_where(eigenvalues, beta_sigma2):
    kl = 0.5 * (eigenvalues.log() - math.log(beta_sigma2))
    return torch.where(eigenvalues > beta_sigma2, kl, torch.zeros_like(kl))


def filled_by_roots(eigenvalues, beta_sigma2):
    """The logarithm of a ratio of standard deviations needs no half."""
    return torch.relu(torch.log(eigenvalues.sqrt() / beta_sigma2**0.5))


def filled_by_numpy(eigenvalues, beta_sigma2):
    return 0.5 * np.log(np.maximum(eigenvalues.numpy(), beta_sigma2) / beta_sigma2)


def filled_by_list(eigenvalues, beta_sigma2):
    return [0.5 * math.log(v / beta_sigma2) if v > beta_sigma2 else 0 for v in eigenvalues.tolist()]


def gap_by_sklearn(z, factors, n_bins=20):
    """Bins as in the disentanglement literature: numpy's histogram edges and digitize."""
    from sklearn.metrics import mutual_info_score

    z, factors = z.numpy(), factors.numpy()
    bins = [np.digitize(c, np.histogram(c, n_bins)[1][:-1]) for c in z.T]
    mi = np.array([[mutual_info_score(v, b) for v in factors.T] for b in bins])
    entropy = np.array([mutual_info_score(v, v) for v in factors.T])
    ordered = np.sort(mi, axis=0)[::-1]
    return np.mean((ordered[0] - ordered[1]) / entropy)


def gap_by_histogram2d(z, factors, n_bins=20):
    """In bits, which cancel."""

    def entropy(p):
        p = p[p > 0] / p.sum()
        return -(p * np.log2(p)).sum()

    scores = []
    for v in factors.numpy().T:
        levels = np.arange(v.max() + 2) - 0.5
        found = []
        for c in z.numpy().T:
            joint, *_ = np.histogram2d(c, v, bins=(n_bins, levels))
            found.append(entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint.ravel()))
        second, first = sorted(found)[-2:]
        scores.append((first - second) / entropy(np.bincount(v)))
    return float(np.mean(scores))


def gap_by_bucketize(z, factors, n_bins=20):
    """Conditional entropies by loops over the levels."""

    def entropy(labels):
        p = labels.unique(return_counts=True)[1].double() / len(labels)
        return -(p * p.log()).sum()

    total = torch.zeros((), dtype=torch.float64)
    for v in factors.T:
        mi = []
        for column in z.T.contiguous():
            edges = torch.linspace(column.min(), column.max(), n_bins + 1, dtype=z.dtype)[1:-1]
            b = torch.bucketize(column, edges, right=True)
            inside = sum((v == k).double().mean() * entropy(b[v == k]) for k in v.unique())
            mi.append(entropy(b) - inside)
        first, second = torch.stack(mi).topk(2).values
        total += (first - second) / entropy(v)
    return total / factors.shape[1]


ALTERNATIVES = {
    "rate_distortion": [
        rate_distortion_by_distributions,
        rate_distortion_by_sums,
        rate_distortion_in_one_tensor,
    ],
    "active_units": [active_by_numpy, active_by_moments, active_by_covariance, active_by_loop],
    "beta_schedule": [beta_by_interpolation, beta_by_cycle_number, beta_by_steps, beta_by_inverse],
    "free_bits": [free_by_maximum, free_by_relu, free_by_loop, free_by_where],
    "water_filling": [
        filled_by_ratio,
        filled_by_where,
        filled_by_roots,
        filled_by_numpy,
        filled_by_list,
    ],
    "mutual_information_gap": [gap_by_sklearn, gap_by_histogram2d, gap_by_bucketize],
}
