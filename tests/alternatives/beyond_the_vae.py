"""Right answers to notebook 06, written independently of its solutions."""

import torch
from torch.distributions import Independent, Normal, kl_divergence


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


ALTERNATIVES = {"hierarchical_elbo": [layers_by_independent, layers_by_formula]}
