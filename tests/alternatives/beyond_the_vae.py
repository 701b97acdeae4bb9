"""Right answers to the exercises of notebook 06, written independently of the solutions."""

import collections
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, Independent, Normal, kl_divergence


def nearest_by_cdist(z, codebook):
    indices = torch.cdist(z.flatten(0, -2), codebook).argmin(1).reshape(z.shape[:-1])
    return [indices, F.embedding(indices, codebook)]


def nearest_by_products(z, codebook):
    score = z @ codebook.T - 0.5 * (codebook * codebook).sum(1)
    best = score.max(-1).indices
    return best, torch.index_select(codebook, 0, best.flatten()).view_as(z)


def nearest_one_by_one(z, codebook):
    flat = z.reshape(-1, z.shape[-1])
    best = torch.stack([(codebook - one).norm(dim=1).argmin() for one in flat])
    return best.view(z.shape[:-1]), codebook[best].view(z.shape)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, z_q):
        return z_q.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def straight_under_no_grad(z, z_q):
    with torch.no_grad():
        step = z_q - z
    return z + step


def usage_by_categorical(indices, size):
    counts = (indices.reshape(-1, 1) == torch.arange(size)).sum(0)
    return Categorical(probs=counts.float()).entropy().exp()


def usage_by_counter(indices, size):
    symbols = indices.flatten().tolist()
    shares = [n / len(symbols) for n in collections.Counter(symbols).values()]
    return 2 ** -sum(p * math.log2(p) for p in shares)


def usage_by_product(indices, size):
    p = np.bincount(indices.numpy().ravel(), minlength=size) / indices.numel()
    return float(np.prod(p**-p, where=p > 0))


def layers_by_independent(vae, x, eps2, eps1):
    """Latents and pixels are parts of one event, so nothing is left to sum."""
    q2 = Independent(vae.q_z2(vae.bottom_up(x)), 1)
    z2 = q2.base_dist.loc + eps2 * q2.base_dist.scale
    q1, p1 = (Independent(f, 1) for f in (vae.q_z1(vae.bottom_up(x), z2), vae.p_z1(z2)))
    z1 = q1.base_dist.loc + eps1 * q1.base_dist.scale
    kl2 = kl_divergence(q2, Independent(Normal(torch.zeros_like(z2), 1.0), 1))
    kl1 = kl_divergence(q1, p1)
    return [Independent(vae.p_x(z1), 1).log_prob(x) - (kl2 + kl1), kl2, kl1]


def layers_by_formula(vae, x, eps2, eps1):
    """Both KLs written out."""
    h = vae.bottom_up(x)
    mu2, var2 = vae.q_z2(h).mean, vae.q_z2(h).variance
    z2 = mu2 + torch.sqrt(var2) * eps2
    p, q = vae.p_z1(z2), vae.q_z1(h, z2)
    upper = 0.5 * (mu2**2 + var2 - 1 - torch.log(var2)).sum(-1)
    ratio = q.variance / p.variance
    lower = 0.5 * (ratio + (q.mean - p.mean) ** 2 / p.variance - 1 - torch.log(ratio)).sum(-1)
    pixels = vae.p_x(torch.addcmul(q.mean, q.stddev, eps1)).log_prob(x)
    return torch.stack([pixels.sum(-1) - upper - lower, upper, lower])


def patchify_by_unfold(x, size):
    return F.unfold(x, size, stride=size).transpose(1, 2)


def patchify_by_cutting(x, size):
    rows = [band.split(size, dim=3) for band in x.split(size, dim=2)]
    return torch.stack([patch.flatten(1) for row in rows for patch in row], dim=1)


def patchify_by_windows(x, size):
    windows = x.unfold(2, size, size).unfold(3, size, size)  # (B, C, rows, columns, size, size)
    return windows.movedim(1, 3).flatten(3).flatten(1, 2)


def masking_by_permutations(tokens, ratio, generator):
    B, N, _ = tokens.shape
    n_hidden = round(ratio * N)
    mask = torch.zeros(B, N, dtype=torch.bool)
    restore = torch.zeros(B, N, dtype=torch.int64)
    visible = []
    for b in range(B):
        chosen = torch.randperm(N, generator=generator)[:n_hidden]
        mask[b, chosen] = True
        visible.append(tokens[b][~mask[b]])  # in the order of the image
        restore[b, ~mask[b]] = torch.arange(N - n_hidden)
        restore[b, mask[b]] = torch.arange(N - n_hidden, N)
    return torch.stack(visible), mask, restore


def masking_by_topk(tokens, ratio, generator):
    B, N, D = tokens.shape
    keys = torch.empty(B, N).exponential_(generator=generator)
    hidden = keys.topk(round(ratio * N), dim=1).indices
    mask = torch.zeros(B, N, dtype=torch.bool).scatter(1, hidden, True)
    visible = tokens[~mask].reshape(B, -1, D)
    before = torch.where(mask, visible.shape[1] + mask.cumsum(1), (~mask).cumsum(1))
    return visible, mask, before - 1


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


ALTERNATIVES = {
    "quantize": [nearest_by_cdist, nearest_by_products, nearest_one_by_one],
    "straight_through": [
        Straight.apply,
        straight_under_no_grad,
        lambda z, z_q: z_q.detach() + z - z.detach(),
    ],
    "codebook_usage": [usage_by_categorical, usage_by_counter, usage_by_product],
    "bits_per_dim": [
        lambda nats, dims: nats * math.log2(math.e) / dims,
        lambda nats, dims: torch.log2(torch.exp(nats.double() / dims)).float(),
    ],
    "hierarchical_elbo": [layers_by_independent, layers_by_formula],
    "patchify": [patchify_by_unfold, patchify_by_cutting, patchify_by_windows],
    "random_masking": [masking_by_permutations, masking_by_topk],
    "debiasing_weights": [weights_by_numpy, weights_by_one_hot],
}
