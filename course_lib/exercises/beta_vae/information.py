"""Building blocks of answers to `mutual_information_gap`: bins, tables, gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def equal_bins(z: Tensor, n_bins: int) -> Tensor:
    """The bin of each code, (N, d): equal intervals from the least to the largest value."""
    low, high = z.min(0).values, z.max(0).values
    return (((z - low) / (high - low).clamp(min=1e-12)) * n_bins).long().clamp(max=n_bins - 1)


class Tables(NamedTuple):
    """joint: (d, K, n, L), probabilities; mi: (d, K); h_z: (d,), h_v: (K,), nats."""

    joint: Tensor
    mi: Tensor
    h_z: Tensor
    h_v: Tensor
    factors: Tensor


def entropy(p: Tensor) -> Tensor:
    """−Σ p log p over the last dimension."""
    return -torch.xlogy(p, p).sum(-1)


def tables(bins: Tensor, factors: Tensor) -> Tables:
    """All that is known about bins (N, d) and factors (N, K)."""
    a, b = (F.one_hot(t - t.min()).double() for t in (bins, factors))  # (N, d, n), (N, K, L)
    joint = torch.einsum("ian,ikl->aknl", a, b) / len(bins)
    h_z, h_v = entropy(a.mean(0)), entropy(b.mean(0))
    mi = h_z[:, None] + h_v - entropy(joint.flatten(2))
    return Tables(joint, mi, h_z, h_v, factors)


def top(mi: Tensor) -> Tensor:
    """The mutual informations of each factor, largest first, (d, K)."""
    return mi.sort(0, descending=True).values


def gap(t: Tables) -> Tensor:
    """Largest less second largest, (K,)."""
    best = top(t.mi)
    return best[0] - best[1]


def mig_with(
    bins: Callable[[Tensor, int], Tensor] = equal_bins,
    score: Callable[[Tables], Tensor] = lambda t: (gap(t) / t.h_v).mean(),
) -> Callable:
    """A candidate with other bins, or with another score of the tables."""
    return lambda z, factors, n_bins=20: score(tables(bins(z, n_bins), factors))
