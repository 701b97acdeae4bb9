"""Right answers to notebook 06, written independently of its solutions."""

import numpy as np
import torch


def weights_by_numpy(z, n_bins, alpha):
    """Edges and digitize, as the literature's own code, one latent after another in float64."""
    log_p = np.zeros(len(z))
    for column in z.double().numpy().T:
        low, high = column.min(), column.max()
        if low == high:
            continue  # the same factor for all
        edges = np.linspace(low, high, n_bins + 1)
        counts, _ = np.histogram(column, edges)
        place = np.digitize(column, edges[1:-1])
        log_p -= np.log(counts[place] / len(column) + alpha)
    p = np.exp(log_p - log_p.max())
    return torch.from_numpy(p / p.sum()).float()


def weights_by_one_hot(z, n_bins, alpha):
    """All latents at once: (N, d, n_bins) memberships, and their mean over N as histograms."""
    unit = (z - z.amin(0)) / (z.amax(0) - z.amin(0)).clamp(min=1e-12)
    place = (unit * n_bins).floor().long().clamp(0, n_bins - 1)
    member = torch.nn.functional.one_hot(place, n_bins).float()
    density = (member * member.mean(0)).sum(2)  # (N, d)
    log_p = -torch.log(density + alpha).sum(1)
    return torch.exp(log_p - torch.logsumexp(log_p, 0))


ALTERNATIVES = {"debiasing_weights": [weights_by_numpy, weights_by_one_hot]}
