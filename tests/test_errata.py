"""The true sides of the errata hunt, against other formulas."""

import math

import pytest
import torch

from course_lib import errata
from course_lib.distributions import kl_normal, log_normal


@pytest.fixture
def g():
    return torch.Generator().manual_seed(0)


def test_true_sides_are_true(g):
    """Catches a left side that is itself an erratum: then right claims would be called wrong."""
    mu, log_var, eps = errata.some_q_and_noise(g)
    zero, z = torch.zeros_like(mu), mu + (0.5 * log_var).exp() * eps
    torch.testing.assert_close(errata.kl(mu, log_var), kl_normal(mu, log_var, zero, zero))
    density = log_normal(z, mu, log_var).exp()
    torch.testing.assert_close(errata.density_of_q(mu, log_var, eps), density)
    assert math.isclose(errata.own_cross_entropy(torch.full((1, 3), 0.5)).item(), 3 * math.log(2),
                        rel_tol=1e-6)  # fmt: skip


def test_the_elbo_of_the_smallest_model_is_the_mean_of_log_weights(g):
    """Catches an ELBO without the entropy of q, or with the variance of another model."""
    mu, log_var, x = errata.some_q_and_x(g)

    def log_w(z):  # quadratic in z
        zero = torch.zeros_like(z)
        log_lik = log_normal(x, z, zero)
        return log_lik + log_normal(z, zero, zero) - log_normal(z, mu, log_var)

    found = errata.two_point_mean(log_w, mu, log_var)
    torch.testing.assert_close(found, errata.tiny_elbo(mu, log_var, x))


def test_two_points_suffice_up_to_the_third_degree(g):
    """Catches points at another distance, and a claim to more than the third degree."""
    mu, log_var, _ = errata.some_q_and_x(g)
    var = log_var.exp()
    moments = [mu, mu**2 + var, mu**3 + 3 * mu * var, mu**4 + 6 * mu**2 * var + 3 * var**2]
    for degree, moment in enumerate(moments, start=1):
        power = errata.two_point_mean(lambda z, k=degree: z[:, 0] ** k, mu, log_var)
        assert torch.allclose(power, moment[:, 0]) == (degree <= 3)


def test_inputs_are_pixels_and_follow_the_generator(g):
    """Catches pixels outside [0, 1], where cross-entropy has no meaning, and unrepeatable rows."""
    for draw in (errata.some_x, errata.some_batch):
        x = draw(g)[0]
        assert 0 <= x.min() < x.max() <= 1
    for draw in (errata.some_q, errata.some_x, errata.some_q_and_x, errata.some_q_and_noise,
                 errata.some_batch):  # fmt: skip
        once, again = draw(g.manual_seed(1)), draw(g.manual_seed(1))
        assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
        assert all(part.dtype == torch.float64 and len(part) == 4 for part in once)
