"""Right answers to notebook 03, written independently of its solutions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


def z_by_root(mu, log_var, eps):
    return eps * log_var.exp().sqrt() + mu


def z_by_addcmul(mu, log_var, eps):
    sigma = torch.exp(log_var / 2)
    return torch.addcmul(mu.expand_as(eps), sigma.expand_as(eps), eps)


def z_by_distribution(mu, log_var, eps):
    """The noise goes in through the affine transform of a distribution."""
    normal = torch.distributions.AffineTransform(mu, (0.5 * log_var).exp())
    return normal(eps)


def kl_by_distributions(mu, log_var):
    q = Independent(Normal(mu, torch.exp(0.5 * log_var)), 1)
    return kl_divergence(q, Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1))


def kl_by_minus_half(mu, log_var):
    return -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp(), dim=1)


def kl_by_columns(mu, log_var):
    total = 0
    for m, lv in zip(mu.T, log_var.T, strict=True):
        total = total + (m * m + torch.exp(lv) - 1 - lv) / 2
    return total


def kl_samples_by_distributions(mu, log_var, n_samples, generator):
    q, p = Normal(mu, torch.exp(0.5 * log_var)), Normal(0.0, 1.0)
    total = torch.zeros(len(mu), dtype=mu.dtype)
    for _ in range(n_samples):
        z = mu + q.scale * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        total += (q.log_prob(z) - p.log_prob(z)).sum(1)
    return total / n_samples


def kl_samples_transposed(mu, log_var, n_samples, generator):
    B, d = mu.shape
    eps = torch.randn(B, n_samples, d, generator=generator).double()
    z = mu[:, None] + torch.exp(0.5 * log_var)[:, None] * eps
    return 0.5 * (z**2 - eps**2 - log_var[:, None]).sum(-1).mean(1)


def kl_samples_by_normal_(mu, log_var, n_samples, generator):
    eps = torch.empty(n_samples, *mu.shape, dtype=mu.dtype).normal_(generator=generator)
    z = mu + eps * log_var.exp().sqrt()
    log_q = -0.5 * (eps**2 + log_var + math.log(2 * math.pi))
    log_p = -0.5 * (z**2 + math.log(2 * math.pi))
    return (log_q - log_p).sum(2).mean(0)


def score_by_einsum(f, mu, log_var, n_samples, generator):
    eps = torch.randn(n_samples, len(mu), generator=generator, dtype=mu.dtype)
    sigma = torch.exp(0.5 * log_var)
    return torch.einsum("s,sd->d", f(mu + sigma * eps), eps / sigma) / n_samples


def score_by_autograd(f, mu, log_var, n_samples, generator):
    m = mu.clone().requires_grad_()
    q = Normal(m, torch.exp(0.5 * log_var))
    with torch.no_grad():
        z = q.mean + q.stddev * torch.randn(n_samples, len(mu), generator=generator)
        value = f(z)
    (value * q.log_prob(z).sum(1)).mean().backward()
    return m.grad


def score_with_baseline(f, mu, log_var, n_samples, generator):
    """Unbiased: the value at the mean does not depend on the noise."""
    eps = torch.randn(len(mu), n_samples, generator=generator, dtype=mu.dtype).T
    sigma = torch.exp(0.5 * log_var)
    return ((f(mu + sigma * eps) - f(mu[None]))[:, None] * eps / sigma).mean(0)


def pathwise_by_backward(f, mu, log_var, n_samples, generator):
    m = mu.detach().clone().requires_grad_(True)
    z = m + torch.exp(0.5 * log_var) * torch.randn(n_samples, len(mu), generator=generator)
    f(z).mean().backward()
    return m.grad


def pathwise_of_the_samples(f, mu, log_var, n_samples, generator):
    """dz/dμ is 1, so the gradients at the samples are averaged."""
    eps = torch.randn(n_samples, len(mu), generator=generator, dtype=mu.dtype)
    z = (mu + torch.exp(0.5 * log_var) * eps).requires_grad_()
    f(z).sum().backward()
    return z.grad.mean(0)


def pathwise_by_func(f, mu, log_var, n_samples, generator):
    eps = torch.randn(n_samples, len(mu), generator=generator, dtype=mu.dtype)
    return torch.func.grad(lambda m: f(m + log_var.div(2).exp() * eps).mean())(mu)


def elbo_by_distributions(x, logits, mu, log_var):
    log_lik = Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(1)
    return log_lik - kl_divergence(Normal(mu, torch.exp(0.5 * log_var)), Normal(0, 1)).sum(1)


def elbo_by_logsigmoid(x, logits, mu, log_var):
    log_lik = (x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(-1)
    return log_lik + 0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1)


def elbo_by_softplus(x, logits, mu, log_var):
    return (x * logits - F.softplus(logits)).sum(1) - kl_by_minus_half(mu, log_var)


def iwae_by_maximum(log_w):
    largest, _ = log_w.max(dim=0)
    return largest + torch.log(torch.mean(torch.exp(log_w - largest), dim=0))


def iwae_by_shifted_weights(log_w):
    S = log_w.shape[0]
    return torch.logsumexp(log_w - math.log(S), dim=0)


def iwae_by_logaddexp(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - torch.log(torch.tensor(float(len(log_w)), dtype=log_w.dtype))


def iwae_by_scipy(log_w):
    from scipy.special import logsumexp

    return logsumexp(log_w.numpy(), axis=0) - np.log(len(log_w))


def bugs_by_loop(formulas):
    wrong = set()
    for name, (draw, left, right) in formulas.items():
        generator = torch.Generator()
        for seed in range(30):
            inputs = draw(generator.manual_seed(seed))
            a, b = left(*inputs), right(*inputs)
            if not bool(((a - b).abs() <= 1e-9 + 1e-6 * b.abs()).all()):
                wrong.add(name)
    return wrong


def bugs_by_numpy(formulas):
    g = torch.Generator().manual_seed(5)

    def differ(formula):
        inputs = formula.draw(g)
        left, right = formula.left(*inputs).numpy(), formula.right(*inputs).numpy()
        return not np.allclose(left, right, rtol=1e-6, atol=1e-9)

    return tuple(name for name, f in formulas.items() if any(differ(f) for _ in range(10)))


def bugs_by_isclose(formulas):
    """Looser tolerances than those asked for, the defaults of PyTorch, are close enough."""
    g = torch.Generator()
    found = []
    for name in reversed(formulas):
        pairs = [formulas[name].draw(g) for _ in range(5)]
        sides = [(formulas[name].left(*p), formulas[name].right(*p)) for p in pairs]
        if any(not torch.isclose(a, b).all() for a, b in sides):
            found += [name]
    return found


ALTERNATIVES = {
    "reparameterize": [z_by_root, z_by_addcmul, z_by_distribution],
    "kl_std_normal": [kl_by_distributions, kl_by_minus_half, kl_by_columns],
    "kl_monte_carlo": [
        kl_samples_by_distributions,
        kl_samples_transposed,
        kl_samples_by_normal_,
    ],
    "score_gradient": [
        score_by_einsum,
        score_by_autograd,
        score_with_baseline,
    ],
    "pathwise_gradient": [pathwise_by_backward, pathwise_of_the_samples, pathwise_by_func],
    "elbo": [elbo_by_distributions, elbo_by_logsigmoid, elbo_by_softplus],
    "iwae_bound": [
        iwae_by_maximum,
        iwae_by_shifted_weights,
        iwae_by_logaddexp,
        iwae_by_scipy,
    ],
    "find_the_bug": [bugs_by_loop, bugs_by_numpy, bugs_by_isclose],
}
