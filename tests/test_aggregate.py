"""The rate of a VAE, in two parts, against a model in which both are closed forms."""

import math

import pytest
import torch
from torch.distributions import Normal

from course_lib.distributions import kl_full_normal
from course_lib.exact import LinearGaussian
from course_lib.metrics import aggregate_posterior_terms


def draw(seed):
    return torch.Generator().manual_seed(seed)


def linear_case(shift, stretch):
    """Means and log-variances of q(z|x) = N(Ax + c, diag s²) on x ~ N(0, C), and both parts.

    The means are moved and stretched a little, so that their first two moments are the exact ones.
    """
    W = torch.tensor([[1.0, 0.3], [0.0, 1.2], [0.5, -0.4]]).double()
    model = LinearGaussian(W, torch.zeros(3).double(), sigma=0.6)
    x = model.sample(6_000, generator=draw(0))[1]
    A = stretch * torch.linalg.inv(W.T @ W + 0.36 * torch.eye(2).double()) @ W.T  # (d, D)
    c, var = torch.full((2,), shift).double(), torch.tensor([0.3, 0.15]).double()
    spread = A @ model.covariance() @ A.T  # of the means
    total = spread + torch.diag(var)  # of z
    information = 0.5 * (torch.logdet(total) - var.log().sum())
    mismatch = kl_full_normal(c, total, torch.zeros(2).double(), torch.eye(2).double())
    means = x @ A.T
    whitener = torch.linalg.inv(torch.linalg.cholesky(means.T.cov(correction=0)))
    means = (means - means.mean(0)) @ whitener.T @ torch.linalg.cholesky(spread).T + c
    return means, var.log().expand(len(x), 2), information.item(), mismatch.item()


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.5, 0.7), (-1.0, 1.4)])
def test_both_parts_are_those_of_the_linear_gaussian_model(shift, stretch):
    """Catches a sign, a missing log N, samples of one image for all, log σ in place of log σ²."""
    mu, log_var, information, mismatch = linear_case(shift, stretch)
    found = aggregate_posterior_terms(mu, log_var, draw(1), n_samples=2)
    assert abs(found.information - information) < 0.04
    assert abs(found.mismatch - mismatch) < 0.04
    assert math.isclose(found.rate, information + mismatch, rel_tol=1e-9)


def test_it_is_the_sum_over_all_pairs():
    """Catches densities by matrix products that are not those of `Normal`, a lost chunk, and a
    second draw that is not made."""
    mu, log_var = torch.randn(2, 700, 3, generator=draw(2))
    found = aggregate_posterior_terms(mu, log_var, draw(3), n_samples=2)
    sigma, g, information = (0.5 * log_var.double()).exp(), draw(3), 0.0
    for _ in range(2):
        z = mu + sigma * torch.randn(700, 3, generator=g, dtype=torch.float64)
        log_q = Normal(mu.double(), sigma).log_prob(z[:, None]).sum(-1)  # (N, N)
        information += (log_q.diagonal() - log_q.logsumexp(1) + math.log(700)).mean().item() / 2
    assert math.isclose(found.information, information, rel_tol=1e-9)


def test_ends_of_its_range():
    """Catches an estimate that leaves [0, log N]: equal posteriors, and ones far apart."""
    alike = aggregate_posterior_terms(torch.ones(50, 2), torch.zeros(50, 2), draw(4))
    assert abs(alike.information) < 1e-9 and math.isclose(alike.mismatch, 1.0)
    apart = 1e3 * torch.arange(50.0)[:, None], torch.full((50, 1), -12.0)
    found = aggregate_posterior_terms(*apart, draw(5))
    assert math.isclose(found.information, math.log(50), rel_tol=1e-9)


def test_fewer_images_tell_less():
    """Catches a leave-one-out mixture, whose estimate comes from above and may exceed log N."""
    mu, log_var, information, _ = linear_case(0.0, 1.0)
    parts = [aggregate_posterior_terms(m, v, draw(6)).information
             for m, v in zip(mu.split(20), log_var.split(20), strict=True)]  # fmt: skip
    assert sum(parts) / len(parts) < information - 0.05
