"""Identities of the chains whose evidence is known: every gap is a KL, in float64."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from course_lib.distributions import kl_full_normal
from course_lib.errors import CourseError
from course_lib.exact_chain import (
    ChainVAE,
    GaussianDiffusion,
    LinearChain,
    TopDown,
    aligned_chain,
    sigma_points,
)

CLOSE = {"rtol": 0, "atol": 1e-9}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def covariance(n, g):
    mix = torch.randn(n, n, generator=g, dtype=torch.float64)
    return 0.3 * mix @ mix.T + 0.2 * torch.eye(n, dtype=torch.float64)


@pytest.fixture
def chain():
    """Five pixels, three lower and two upper latents, every matrix full."""
    g = generator(1)
    A, B = (torch.randn(n, m, generator=g, dtype=torch.float64) for n, m in ((3, 2), (5, 3)))
    a, b = (torch.randn(n, generator=g, dtype=torch.float64) for n in (3, 5))
    return LinearChain(A, a, covariance(3, g), B, b, covariance(5, g))


@pytest.fixture
def x(chain):
    return chain.sample(6, generator=generator(2))[2]


@pytest.fixture
def wrong(chain, x):
    """Some other q: nothing of it is the posterior's."""
    g = generator(3)
    mu2, mu1 = (torch.randn(6, d, generator=g, dtype=torch.float64) for d in (2, 3))
    gain = torch.randn(3, 2, generator=g, dtype=torch.float64)
    return TopDown(mu2, covariance(2, g), gain, mu1, covariance(3, g))


def joint(q):
    """Mean and covariance of (z2, z1) under q."""
    cross = q.cov2 @ q.gain.T
    below = q.cov1 + q.gain @ q.cov2 @ q.gain.T
    cov = torch.cat([torch.cat([q.cov2, cross], 1), torch.cat([cross.T, below], 1)])
    return torch.cat([q.mu2, q.mu1 + q.mu2 @ q.gain.T], 1), cov


def bound(terms):
    return terms.log_lik - terms.kl_upper - terms.kl_lower


def test_draws_have_the_moments_of_the_evidence(chain):
    """Catches a link of the chain that is sampled otherwise than it is counted."""
    z2, z1, x = chain.sample(200_000, generator=generator())
    assert z2.shape[1:] == (2,) and z1.shape[1:] == (3,)
    cov = chain.B @ (chain.A @ chain.A.T + chain.S1) @ chain.B.T + chain.S0
    truth = MultivariateNormal(chain.B @ chain.a + chain.b, cov)
    torch.testing.assert_close(x.mean(0), truth.mean, rtol=0, atol=0.05)
    torch.testing.assert_close(torch.cov(x.T), cov, rtol=0.03, atol=0.1)
    torch.testing.assert_close(chain.log_evidence(x[:3]), truth.log_prob(x[:3]))


def test_every_sample_of_the_exact_posterior_gives_the_evidence(chain, x):
    """Catches a posterior that is not p(z2|x) p(z1|z2, x), one sample at a time, to 1e-9."""
    q, prior = chain.posterior(x), torch.eye(2, dtype=torch.float64)
    upper = MultivariateNormal(q.mu2, q.cov2)
    z2 = upper.sample()
    lower = MultivariateNormal(q.mu1 + z2 @ q.gain.T, q.cov1)
    z1 = lower.sample()
    log_joint = MultivariateNormal(torch.zeros_like(z2), prior).log_prob(z2)
    log_joint = log_joint + MultivariateNormal(z2 @ chain.A.T + chain.a, chain.S1).log_prob(z1)
    log_joint = log_joint + MultivariateNormal(z1 @ chain.B.T + chain.b, chain.S0).log_prob(x)
    estimate = log_joint - upper.log_prob(z2) - lower.log_prob(z1)
    torch.testing.assert_close(estimate, chain.log_evidence(x), **CLOSE)


def test_the_bound_at_the_exact_posterior_is_the_evidence(chain, x):
    """Catches a term of the hierarchical ELBO that is off: they add up to log p(x) to 1e-9."""
    q = chain.posterior(x)
    torch.testing.assert_close(bound(chain.terms(x, q)), chain.log_evidence(x), **CLOSE)
    torch.testing.assert_close(chain.gap(x, q), torch.zeros(6, dtype=torch.float64), **CLOSE)


def test_the_gap_of_any_q_is_the_kl_to_the_exact_posterior(chain, x, wrong):
    """Catches a KL of the lower layer that forgets how z2 scatters, against the joint Gaussians."""
    gap = chain.log_evidence(x) - bound(chain.terms(x, wrong))
    torch.testing.assert_close(gap, chain.gap(x, wrong), **CLOSE)
    direct = kl_full_normal(*joint(wrong), *joint(chain.posterior(x)))
    torch.testing.assert_close(gap, direct, **CLOSE)
    assert (gap > 0.1).all()


def test_terms_agree_with_sampling(chain, x, wrong):
    """Catches closed forms that agree with each other and not with the expectation."""
    torch.manual_seed(0)
    upper = MultivariateNormal(wrong.mu2, wrong.cov2)
    z2 = upper.sample((40_000,))
    lower = MultivariateNormal(wrong.mu1 + z2 @ wrong.gain.T, wrong.cov1)
    z1 = lower.sample()
    log_lik = MultivariateNormal(z1 @ chain.B.T + chain.b, chain.S0).log_prob(x)
    below = MultivariateNormal(z2 @ chain.A.T + chain.a, chain.S1).log_prob(z1)
    kl_lower, terms = lower.log_prob(z1) - below, chain.terms(x, wrong)
    for draws, exact in ((log_lik, terms.log_lik), (kl_lower, terms.kl_lower)):
        error = draws.std(0) / len(draws) ** 0.5
        assert ((draws.mean(0) - exact).abs() < 5 * error).all()


@pytest.mark.parametrize("sizes", [(3, 2, 5), (4, 4, 4), (2, 1, 7)])
def test_an_aligned_chain_has_diagonal_posteriors(sizes):
    """Catches a chain on which a diagonal q cannot be exact."""
    chain = aligned_chain(*sizes, generator=generator(4))
    x = chain.sample(3, generator=generator(5))[2]
    vae, q = ChainVAE(chain), chain.posterior(x)
    q_z2 = vae.q_z2(vae.bottom_up(x))
    torch.testing.assert_close(torch.diag(q_z2.variance[0]), q.cov2, **CLOSE)
    z1 = vae.q_z1(x, q_z2.mean)
    torch.testing.assert_close(z1.mean, q.mu1 + q.mu2 @ q.gain.T)
    prior = MultivariateNormal(q_z2.mean @ chain.A.T + chain.a, chain.S1)
    below = vae.p_z1(q_z2.mean).log_prob(z1.mean).sum(1)
    torch.testing.assert_close(below, prior.log_prob(z1.mean))
    pixels = MultivariateNormal(z1.mean @ chain.B.T + chain.b, chain.S0)
    torch.testing.assert_close(vae.p_x(z1.mean).log_prob(x).sum(1), pixels.log_prob(x))


def test_what_does_not_fit_is_said(chain, x):
    """Catches a full covariance whose correlations are dropped without a word."""
    with pytest.raises(CourseError, match="not diagonal"):
        ChainVAE(chain).q_z2(x)
    with pytest.raises(CourseError, match="want d2"):
        aligned_chain(2, 3, 5, generator=generator())


def test_sigma_points_have_mean_0_and_covariance_1():
    """Catches points over which the mean of a quadratic is not its expectation."""
    points = sigma_points(7)
    assert points.shape == (14, 7) and points.dtype == torch.float64
    torch.testing.assert_close(points.mean(0), torch.zeros(7, dtype=torch.float64), **CLOSE)
    eye = torch.eye(7, dtype=torch.float64)
    torch.testing.assert_close(points.T @ points / 14, eye, **CLOSE)


# --- diffusion ------------------------------------------------------------------------------------


@pytest.fixture
def diffusion():
    eigenvalues = torch.tensor([4.0, 1.0, 0.3, 0.02], dtype=torch.float64)
    return GaussianDiffusion(eigenvalues, torch.linspace(0.9, 0.01, 6, dtype=torch.float64))


@pytest.fixture
def pixels(diffusion):
    noise = torch.randn(5, 4, generator=generator(6), dtype=torch.float64)
    return noise * diffusion.eigenvalues.sqrt()


def test_diffusion_of_gaussian_data_gives_the_evidence_of_each_image(diffusion, pixels):
    """Catches a step whose reverse is not exact: with few steps as with many, to 1e-9."""
    _, exact = diffusion.reverse()
    terms = diffusion.terms(pixels, exact, top=diffusion.variance()[-1])
    assert terms.kl.shape == (5, 6) and (terms.kl > 0).all()
    found = terms.log_lik - terms.kl.sum(1)
    torch.testing.assert_close(found, diffusion.log_evidence(pixels), **CLOSE)


def test_the_gap_to_a_standard_normal_prior_is_the_kl_of_the_last_latent(diffusion):
    """Catches a mean over the data that is not the value at √λ, and a top that is not N(0, I)."""
    _, exact = diffusion.reverse()
    x = diffusion.eigenvalues.sqrt()[None]
    terms = diffusion.terms(x, exact)
    gap = diffusion.log_evidence(x) - terms.log_lik + terms.kl.sum(1)
    v = diffusion.variance()[-1]
    torch.testing.assert_close(gap, 0.5 * (v - 1 - v.log()).sum()[None], **CLOSE)


def test_diffusion_is_a_chain_of_two_layers(diffusion):
    """Catches terms of diffusion that are not those of the same q in `LinearChain`."""
    two = GaussianDiffusion(diffusion.eigenvalues, torch.tensor([0.7, 0.2], dtype=torch.float64))
    x, eye = diffusion.eigenvalues.sqrt()[None], torch.eye(4, dtype=torch.float64)
    (c, _), beta = two.reverse(), two.beta
    zero = torch.zeros(4, dtype=torch.float64)
    A, B = torch.diag(c[1]), torch.diag(c[0])
    chain = LinearChain(A, zero, beta[1] * eye, B, zero, beta[0] * eye)
    to_x, to_next, own = (part[1] for part in two.posterior())
    q = TopDown(two.kept[1].sqrt() * x, (1 - two.kept[1]) * eye, to_next * eye, to_x * x, own * eye)
    ours, theirs = two.terms(x, beta[:, None]), chain.terms(x, q)
    torch.testing.assert_close(ours.log_lik, theirs.log_lik)
    torch.testing.assert_close(ours.kl[0], torch.cat([theirs.kl_lower, theirs.kl_upper]))


def test_with_many_steps_a_fixed_variance_is_enough():
    """Catches a gap of β_t in place of the exact variance that does not close with the steps."""
    eigenvalues = torch.tensor([4.0, 0.3], dtype=torch.float64)
    gaps = []
    for steps in (8, 64, 512):
        kept = torch.linspace(1, 1e-4, steps + 1, dtype=torch.float64)[1:]
        diffusion = GaussianDiffusion(eigenvalues, kept)
        x = eigenvalues.sqrt()[None]
        terms = diffusion.terms(x, diffusion.beta[:, None])
        gaps.append(float(diffusion.log_evidence(x) - terms.log_lik + terms.kl.sum()))
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2] > 0
