"""Identities of Gaussians and of the linear-Gaussian model, whose evidence is known."""

import itertools

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from course_lib.distributions import gaussian, kl_full_normal, kl_normal, log_normal
from course_lib.errors import CourseError
from course_lib.exact import LinearGaussian, LinearVAE, Mixture, with_spectrum
from course_lib.exercises import EXERCISES
from course_lib.losses import elbo, elbo_terms


@pytest.fixture
def model():
    """Five pixels, two latents, float64."""
    g = torch.Generator().manual_seed(4)
    W = torch.randn(5, 2, generator=g, dtype=torch.float64)
    return LinearGaussian(W, torch.randn(5, generator=g, dtype=torch.float64), 0.7)


@pytest.fixture
def x(model):
    return model.sample(6, generator=torch.Generator().manual_seed(5))[1]


def random_gaussian(seed, d=3):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, 7, d, generator=g, dtype=torch.float64)


def test_kl_of_diagonal_gaussians_is_torchs():
    """Catches a sign, a missing ½, log σ in place of log σ², a swapped direction."""
    (mu_q, log_var_q), (mu_p, log_var_p) = random_gaussian(1), random_gaussian(2)
    ours = kl_normal(mu_q, log_var_q, mu_p, log_var_p)
    q, p = gaussian(mu_q, log_var_q), gaussian(mu_p, log_var_p)
    torch.testing.assert_close(ours, kl_divergence(q, p).sum(-1))


def test_kl_agrees_with_sampling_within_its_standard_error():
    """Catches a closed form that is not the expectation of log q − log p."""
    (mu, log_var), zero = random_gaussian(1), torch.zeros(7, 3, dtype=torch.float64)
    torch.manual_seed(0)
    q = gaussian(mu, log_var)
    z = q.sample((20_000,))
    ratio = q.log_prob(z).sum(-1) - log_normal(z, zero, zero)  # (S, B)
    error = ratio.std(0) / len(z) ** 0.5
    assert ((ratio.mean(0) - kl_normal(mu, log_var, zero, zero)).abs() < 4.5 * error).all()


def test_kl_of_full_gaussians_contains_the_diagonal_one():
    """Catches a trace, determinant or dimension that only fits one covariance."""
    (mu_q, log_var_q), (mu_p, log_var_p) = random_gaussian(1), random_gaussian(2)
    full = kl_full_normal(
        mu_q, torch.diag_embed(log_var_q.exp()), mu_p, torch.diag_embed(log_var_p.exp())
    )
    torch.testing.assert_close(full, kl_normal(mu_q, log_var_q, mu_p, log_var_p))
    mix = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    cov = mix @ mix.mT + torch.eye(3, dtype=torch.float64)
    theirs = kl_divergence(MultivariateNormal(mu_q[0], cov[0]), MultivariateNormal(mu_p[0], cov[1]))
    torch.testing.assert_close(kl_full_normal(mu_q[0], cov[0], mu_p[0], cov[1]), theirs)


def test_log_normal_is_torchs():
    """Catches a constant left out, bytes whose difference wraps, and float64 that is rounded."""
    mu, log_var = random_gaussian(3)
    x = mu + 0.3
    theirs = Normal(mu, torch.exp(0.5 * log_var)).log_prob(x).sum(-1)
    torch.testing.assert_close(log_normal(x, mu, log_var), theirs)
    low, high = torch.tensor([[1], [2]], dtype=torch.uint8)  # 1 − 2 is 255 in uint8
    assert log_normal(low, high, torch.zeros(1)) == log_normal(high, low, torch.zeros(1))
    fine, sharp = torch.tensor([1 + 1e-5], dtype=torch.float64), torch.tensor([-20.0])
    assert log_normal(fine, fine, sharp) == log_normal(0 * fine, 0 * fine, sharp)
    kinds = [log_normal(each, each, torch.zeros(1)).dtype for each in (low, fine.half(), fine)]
    assert kinds == [torch.float32, torch.float32, torch.float64]


def test_evidence_is_the_integral_over_z(model, x):
    """Catches a covariance that is not that of the samples: Monte Carlo over the prior."""
    z = torch.randn(400_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for one in x[:3]:
        weights = model.log_lik(one, z).exp()
        estimate, error = weights.mean(), weights.std() / len(z) ** 0.5
        assert abs(estimate - model.log_evidence(one).exp()) < 4.5 * error


def test_the_gap_of_the_elbo_is_the_kl_to_the_posterior(model, x):
    """Catches any term of ELBO, evidence or posterior that is off, for any q."""
    mean, cov = model.posterior(x)
    for mu, sigma in [(mean, cov), (mean + 0.4, cov), (mean * 0, torch.eye(2).double())]:
        gap = model.log_evidence(x) - model.elbo(x, mu, sigma)
        torch.testing.assert_close(gap, kl_full_normal(mu, sigma, mean, cov), atol=1e-9, rtol=1e-9)
        assert (gap > -1e-9).all()
    assert (model.log_evidence(x) - model.elbo(x, mean, cov)).abs().max() < 1e-9


def test_log_lik_is_torchs(model, x):
    """Catches a mean without the bias, a variance for a standard deviation, a constant left out."""
    z = torch.randn(4, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theirs = Normal(z @ model.W.T + model.b, model.sigma).log_prob(x).sum(-1)
    torch.testing.assert_close(model.log_lik(x, z), theirs)


def test_samples_have_the_models_mean_and_covariance(model):
    """Catches noise of the wrong size, or a bias left out."""
    _, x = model.sample(200_000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(x.mean(0), model.b, atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(x.T), model.covariance(), atol=0.05, rtol=0.02)


def test_the_importance_weighted_bound_rises_from_the_elbo_to_the_evidence(model, x):
    """Catches weights or a bound that leave what notebook 03 derives: ELBO = L₁ ≤ L_S ≤ log p(x).

    q is wider than the posterior, so that the weights have a finite variance.
    """
    mean, cov = model.posterior(x)
    mu, log_var = mean + 0.3, (2 * cov.diagonal()).log().expand_as(mean)
    g = torch.Generator().manual_seed(0)
    eps = torch.randn(20_000, *mu.shape, generator=g, dtype=torch.float64)  # (S, B, d)
    z, zero = mu + torch.exp(0.5 * log_var) * eps, torch.zeros_like(mu)
    log_w = model.log_lik(x, z) + log_normal(z, zero, zero) - log_normal(z, mu, log_var)  # (S, B)
    iwae_bound = EXERCISES["iwae_bound"].reference
    bounds = {S: torch.stack([iwae_bound(w) for w in log_w.split(S)]) for S in (1, 5, 25, 500)}
    means = [bound.mean(0) for bound in bounds.values()]
    errors = [bound.std(0) / len(bound) ** 0.5 for bound in bounds.values()]
    assert all((b - a > 0).all() for a, b in itertools.pairwise(means))
    elbo, evidence = model.elbo(x, mu, torch.diag_embed(log_var.exp())), model.log_evidence(x)
    assert ((means[0] - elbo).abs() < 4.5 * errors[0]).all()
    assert ((means[-1] - evidence).abs() < 4.5 * errors[-1] + 0.01).all()
    assert all((mean < evidence + 4.5 * e).all() for mean, e in zip(means, errors, strict=True))


def test_with_spectrum_has_the_eigenvalues_asked_for():
    """Catches W = U √λ, which adds the noise σ² on top, and directions that are not orthogonal."""
    wanted = torch.tensor([8.0, 2.0, 0.5], dtype=torch.float64)
    model = with_spectrum(wanted, data_dim=5, sigma=0.3, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.eigvalsh(model.covariance()).flip(0)
    assert torch.allclose(found, torch.cat([wanted, torch.full((2,), 0.09).double()]))
    with pytest.raises(CourseError):
        with_spectrum(wanted, data_dim=5, sigma=0.8)


def test_linear_vae_reaches_the_evidence_at_the_exact_posterior():
    """Catches an encoder whose spread depends on x, log s for log s², or a decoder of another σ."""
    exact = with_spectrum(
        torch.tensor([4.0, 1.0]), data_dim=3, sigma=0.5, generator=torch.Generator().manual_seed(1)
    )
    x = exact.sample(50, generator=torch.Generator().manual_seed(2))[1]
    mean, cov = exact.posterior(x)  # diagonal, since the columns of W are orthogonal
    vae = LinearVAE(2, data_dim=3, sigma=0.5).requires_grad_(False)
    vae.encoder.weight.copy_(exact.posterior(torch.eye(3))[0].T)
    vae.encoder.bias.zero_()
    vae.log_var.copy_(cov.diagonal().log())
    vae.decoder.weight.copy_(exact.W)
    vae.decoder.bias.zero_()
    assert torch.allclose(vae.encode(x).mean, mean, atol=1e-5)
    torch.manual_seed(3)
    estimates = torch.stack([elbo(elbo_terms(vae, x)).mean() for _ in range(400)])
    error = 4 * estimates.std() / 20
    assert abs(estimates.mean() - exact.log_evidence(x).mean()) < error < 0.1


@pytest.fixture
def mixture():
    """Three Gaussians in the plane, of different weights, float64."""
    w = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    m = torch.tensor([[-2.0, 0.0], [2.0, 0.5], [0.0, 2.5]], dtype=torch.float64)
    return Mixture(w, m, 0.4)


@pytest.mark.parametrize("sigma", [0.0, 0.8])
def test_the_score_of_a_mixture_is_the_gradient_of_its_log_density(mixture, sigma):
    """Catches a variance without the noise, shares without the weights, a sign."""
    g = torch.Generator().manual_seed(3)
    x = 2 * torch.randn(50, 2, generator=g, dtype=torch.float64)
    x.requires_grad_()
    (by_torch,) = torch.autograd.grad(mixture.log_density(x, sigma).sum(), x)
    torch.testing.assert_close(mixture.score(x, sigma), by_torch)


def test_the_best_denoiser_of_a_mixture_is_tweedies(mixture):
    """Catches a posterior mean with s² and σ² exchanged: E[x | x̃] = x̃ + σ² ∇ log p_σ(x̃)."""
    noisy = 2 * torch.randn(50, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    tweedie = noisy + 0.64 * mixture.score(noisy, 0.8)
    torch.testing.assert_close(mixture.denoised(noisy, 0.8), tweedie)


def test_no_other_guess_has_a_smaller_error_than_the_posterior_mean(mixture):
    """Catches draws from another density: the residual is orthogonal to every function of x̃."""
    g = torch.Generator().manual_seed(5)
    x = mixture.sample(40_000, generator=g)
    noisy = x + 0.8 * torch.randn(x.shape, generator=g, dtype=x.dtype)
    residual = x - mixture.denoised(noisy, 0.8)
    for function in (torch.ones_like(noisy), noisy, noisy.sin(), mixture.denoised(noisy, 0.8)):
        product = (residual * function).sum(1)
        assert product.mean().abs() < 4.5 * product.std() / len(x) ** 0.5


def test_samples_of_exact_models_follow_the_generator(model, mixture):
    """Catches a part of the draw, such as the noise, that comes from elsewhere."""
    for each in (model, mixture):
        once, again = (each.sample(9, generator=torch.Generator().manual_seed(7)) for _ in "ab")
        assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_the_density_of_a_mixture_is_that_of_torch(mixture):
    """Catches a constant that is missing: the score would not show it."""
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    parts = [
        w.log() + MultivariateNormal(m, 0.4**2 * torch.eye(2).double()).log_prob(x)
        for w, m in zip(mixture.w, mixture.m, strict=True)
    ]
    torch.testing.assert_close(mixture.log_density(x), torch.stack(parts).logsumexp(0))
