"""Right answers to notebook 04, written independently of its solutions."""

import math
import statistics

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import mutual_info_score
from torch.distributions import Bernoulli, Normal, kl_divergence


def terms_by_distributions(x, logits, mu, log_var):
    rate = kl_divergence(Normal(mu, torch.exp(0.5 * log_var)), Normal(0.0, 1.0)).sum(dim=1).mean()
    return rate, -Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(dim=1).mean()


def terms_in_a_list(x, logits, mu, log_var):
    B = x.shape[0]
    kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp()) / B
    return [kl, F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / B]


def terms_in_a_tensor(x, logits, mu, log_var):
    nll = F.softplus(logits) - x * logits
    kl = (mu**2 + torch.exp(log_var) - 1 - log_var) / 2
    return torch.stack([kl.mean(0).sum(), nll.mean(0).sum()])


def terms_by_vmap(x, logits, mu, log_var):
    def of_one(x, a, m, s):
        nll = -x @ F.logsigmoid(a) - (1 - x) @ F.logsigmoid(-a)
        return 0.5 * (m @ m + s.exp().sum() - len(m) - s.sum()), nll

    rate, distortion = torch.func.vmap(of_one)(x, logits, mu, log_var)
    return rate.mean(), distortion.mean()


def beta_by_interpolation(step, total, kind, beta_max):
    if step >= total:
        return float(beta_max)
    if kind == "cyclic":
        cycle = total / 4
        return np.interp(step % cycle, [0, cycle / 2, cycle], [0, beta_max, beta_max])
    return np.interp(step, [0, total], [0 if kind == "linear" else beta_max, beta_max])


def beta_by_fmod(step, total, kind, beta_max):
    t = min(step / total, 1)
    rise = {"constant": 1, "linear": t, "cyclic": 1 if t == 1 else 8 * math.fmod(t, 0.25)}[kind]
    return min(rise, 1) * beta_max


def water_by_where(eigenvalues, beta_sigma2):
    kl = 0.5 * (eigenvalues.log() - math.log(beta_sigma2))
    return torch.where(eigenvalues > beta_sigma2, kl, torch.zeros_like(kl))


def gap_by_sklearn(z, factors, n_bins=20):
    """Bins as in the disentanglement literature: numpy's histogram edges and digitize."""
    z, factors = z.numpy(), factors.numpy()
    bins = [np.digitize(c, np.histogram(c, n_bins)[1][:-1]) for c in z.T]
    mi = np.array([[mutual_info_score(v, b) for v in factors.T] for b in bins])
    ordered = np.sort(mi, axis=0)[::-1]
    return np.mean((ordered[0] - ordered[1]) / [mutual_info_score(v, v) for v in factors.T])


def gap_by_conditional_entropies(z, factors, n_bins=20):
    """By bucketize, in bits, which cancel."""

    def entropy(labels):
        p = labels.unique(return_counts=True)[1].double() / len(labels)
        return -(p * p.log2()).sum()

    def gap(v):
        edges = [torch.linspace(c.min(), c.max(), n_bins + 1)[1:-1] for c in z.T]
        bins = [torch.bucketize(c, e, right=True) for c, e in zip(z.T.clone(), edges, strict=True)]
        inside = [
            sum((v == k).double().mean() * entropy(b[v == k]) for k in v.unique()) for b in bins
        ]
        mi = torch.stack([entropy(b) - h for b, h in zip(bins, inside, strict=True)])
        return mi.topk(2).values.diff().neg() / entropy(v)

    return torch.stack([gap(v) for v in factors.T]).mean()


ALTERNATIVES = {
    "rate_distortion": [terms_by_vmap, terms_by_distributions, terms_in_a_list, terms_in_a_tensor],
    "active_units": [
        lambda mu, threshold=0.01: (np.var(mu.numpy(), axis=0) > threshold).sum(),
        lambda mu, threshold=0.01: ((mu**2).mean(0) - mu.mean(0) ** 2 > threshold).count_nonzero(),
        lambda mu, threshold=0.01: torch.sum(torch.cov(mu.T).diagonal() > threshold).item(),
        lambda mu, threshold=0.01: sum(statistics.pvariance(c) > threshold for c in mu.T.tolist()),
    ],
    "beta_schedule": [beta_by_interpolation, beta_by_fmod],
    "free_bits": [
        lambda kl, floor: torch.maximum(kl.mean(0), torch.tensor(floor)).sum(),
        lambda kl, floor: kl.shape[1] * floor + F.relu(kl.sum(0) / len(kl) - floor).sum(),
        lambda kl, floor: sum(latent.mean().clamp(min=floor) for latent in kl.T),
        lambda kl, floor: sum(m if m > floor else torch.tensor(floor) for m in kl.mean(0)),
        lambda kl, floor: torch.func.vmap(lambda c: c.mean().clamp(min=floor), in_dims=1)(kl).sum(),
    ],
    "water_filling": [
        water_by_where,
        lambda values, level: torch.log(torch.clamp(values / level, min=1.0)) / 2,
        lambda values, level: torch.relu(torch.log(values.sqrt() / level**0.5)),  # ratio of σ
    ],
    "mutual_information_gap": [gap_by_sklearn, gap_by_conditional_entropies],
}
