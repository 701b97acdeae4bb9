"""Right answers to notebook 03, written independently of its solutions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.func import grad, vmap


def z_by_columns(mu, log_var, eps):
    z = torch.empty_like(eps)
    for i in range(mu.shape[-1]):
        z[..., i] = mu[..., i] + math.e ** (log_var[..., i] / 2) * eps[..., i]
    return z


def z_by_vmap(mu, log_var, eps):
    one = vmap(lambda m, v, e: m + v.exp().sqrt() * e, in_dims=-1, out_dims=-1)
    return one(mu, log_var, eps)


def kl_by_distributions(mu, log_var):
    q = Normal(mu, torch.exp(0.5 * log_var))
    return kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(-1)


def kl_by_sums(mu, log_var):
    s2 = torch.exp(log_var)
    return (s2.sum(1) + torch.einsum("bi,bi->b", mu, mu) - mu.size(1) - torch.log(s2).sum(1)) / 2


def elbo_by_distributions(x, logits, mu, log_var):
    log_lik = Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(1)
    return log_lik - kl_by_distributions(mu, log_var)


def elbo_by_vmap(x, logits, mu, log_var):
    one = vmap(lambda x, y: (x * F.logsigmoid(y) + (1 - x) * F.logsigmoid(-y)).sum())
    return one(x, logits) - kl_by_sums(mu, log_var)


def noise(*shape, generator, like):
    return torch.randn(*shape, generator=generator, dtype=like.dtype)


def kl_samples_one_by_one(mu, log_var, n_samples, generator):
    q, total = Normal(mu, torch.exp(0.5 * log_var)), 0
    for _ in range(n_samples):
        z = torch.normal(q.mean, q.stddev, generator=generator)
        total = total + (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1)
    return total / n_samples


def kl_samples_by_columns(mu, log_var, n_samples, generator):
    eps = torch.randn(*mu.T.shape, n_samples, generator=generator).to(mu.dtype).permute(2, 1, 0)
    z = mu + eps * log_var.exp().sqrt()
    return vmap(lambda z, e: 0.5 * (z**2 - e**2 - log_var).sum(1))(z, eps).mean(0)


def score_by_columns(f, mu, log_var, n_samples, generator):
    eps, sigma = noise(len(mu), n_samples, generator=generator, like=mu).T, (log_var / 2).exp()
    return torch.einsum("s,sd->d", f(mu + sigma * eps), eps / sigma) / n_samples


def score_by_vmap(f, mu, log_var, n_samples, generator):
    z = mu + (log_var / 2).exp() * noise(n_samples, len(mu), generator=generator, like=mu)
    log_q = lambda m, x: (-0.5 * (x - m) ** 2 / log_var.exp()).sum()  # noqa: E731
    return vmap(lambda x: f(x) * grad(log_q)(mu, x))(z).mean(0)


def score_less_other_samples(f, mu, log_var, n_samples, generator):
    """Unbiased: opposite samples, one after the other, and a baseline from others."""
    eps, other = noise(2, n_samples, len(mu), generator=generator, like=mu)
    z = [s * (log_var / 2).exp() * e for e in eps for s in (1, -1)][:n_samples]
    less = f(mu + (log_var / 2).exp() * other).mean()
    return sum((f(mu + x[None])[0] - less) * x / log_var.exp() for x in z) / n_samples


def pathwise_by_columns(f, mu, log_var, n_samples, generator):
    m = torch.nn.Parameter(mu.clone())
    eps = noise(len(mu), n_samples, generator=generator, like=mu).T
    f(m + (log_var / 2).exp() * eps).mean().backward()
    return m.grad


def pathwise_one_by_one(f, mu, log_var, n_samples, generator):
    m, sigma, total = mu.clone().requires_grad_(), (log_var / 2).exp(), 0
    for _ in range(n_samples):
        z = m + sigma * noise(len(mu), generator=generator, like=mu)
        total += torch.autograd.grad(f(z), m)[0]
    return total / n_samples


def pathwise_by_vmap(f, mu, log_var, n_samples, generator):
    eps = noise(n_samples, len(mu), generator=generator, like=mu)
    return vmap(grad(lambda m, e: f(m + (log_var / 2).exp() * e)), (None, 0))(mu, eps).mean(0)


def bugs_by_numpy(formulas):
    """The same draws twice, once for each side."""
    side_of = lambda f, side: [side(*f.draw(g.manual_seed(i))).numpy() for i in range(9)]  # noqa: E731
    g = torch.Generator()
    return [name for name, f in formulas.items()
            if not np.allclose(side_of(f, f.left), side_of(f, f.right), 1e-6, 1e-9)]  # fmt: skip


def bugs_one_by_one(formulas):
    wrong, g = set(), torch.Generator()
    for name, formula in [*formulas.items()] * 7:
        inputs = formula.draw(g)
        a, b = formula.left(*inputs), formula.right(*inputs)
        wrong |= set() if ((a - b).abs() <= 1e-9 + 1e-6 * b.abs()).all() else {name}
    return list(wrong)


ALTERNATIVES = {
    "reparameterize": [z_by_columns, z_by_vmap],
    "kl_std_normal": [kl_by_distributions, kl_by_sums],
    "elbo": [elbo_by_distributions, elbo_by_vmap],
    "iwae_bound": [lambda w: w.amax(0) + (w - w.amax(0)).exp().mean(0).log(),
                   lambda w: torch.logcumsumexp(w, 0)[-1] - math.log(len(w))],
    "kl_monte_carlo": [kl_samples_one_by_one, kl_samples_by_columns],
    "score_gradient": [score_by_columns, score_by_vmap, score_less_other_samples],
    "pathwise_gradient": [pathwise_by_columns, pathwise_one_by_one, pathwise_by_vmap],
    "find_the_bug": [bugs_by_numpy, bugs_one_by_one],
}  # fmt: skip
