"""Figures of the course beside those of released packages, which were written without it.

Tolerances are a few times what was measured; most agree to the last digits. SciPy and scikit-learn
come with the tests, the others with `requirements-peers.txt`.
"""

import importlib.util
import math

import numpy as np
import pytest
import scipy
import sklearn
import torch

from course_lib import datasets, diffusion, exact, losses, metrics, vq
from course_lib.codes import gaussian_codes
from course_lib.distributions import kl_full_normal, kl_normal, log_normal
from course_lib.metrics import repeats
from course_lib.models.unet import time_embedding

# The packages are imported in the tests: every process of the tests reads this file.
LACKING = [name for name in ("skimage", "torchmetrics", "ot") if not importlib.util.find_spec(name)]
pytestmark = pytest.mark.skipif(LACKING, reason="pip install -r requirements-peers.txt")


@pytest.fixture(autouse=True)
def seeded():
    """Each test draws the same numbers, alone or among others."""
    torch.manual_seed(0)


def draws(n, d, scale=1.0):
    """Correlated draws, (n, d) float64."""
    return torch.randn(n, d).double() @ torch.randn(d, d).double() * scale


def pairs():
    """Images and what is left of them under noise, (6, 3, 40, 36) float64."""
    data = datasets.load("cifar10").test.images[:6].double() / 255
    x = torch.nn.functional.interpolate(data, (40, 36), mode="bilinear")
    return x, (x + 0.1 * torch.randn_like(x)).clamp(0, 1)


# --- distributions --------------------------------------------------------------------------------


def test_densities_of_normals():
    """Catches σ for σ², and a constant that is left out. SciPy."""
    x, mu, log_var = (torch.randn(50, 3).double() for _ in range(3))
    expected = scipy.stats.norm(mu, torch.exp(0.5 * log_var)).logpdf(x).sum(1)
    assert log_normal(x, mu, log_var).numpy() == pytest.approx(expected, rel=1e-12)
    nll = losses.gaussian_nll(x, mu, torch.tensor(-0.3, dtype=torch.float64))
    expected = -scipy.stats.norm(mu, math.exp(-0.3)).logpdf(x).sum(1)
    assert nll.numpy() == pytest.approx(expected, rel=1e-12)


def test_kl_is_the_integral():
    """Catches a KL in the other direction. SciPy's quadrature."""
    mu, log_var = torch.randn(2, 5).double(), torch.randn(2, 5).double()
    for i in range(5):
        q, p = (scipy.stats.norm(mu[k, i], math.exp(0.5 * log_var[k, i])) for k in (0, 1))
        low, high = q.mean() - 12 * q.std(), q.mean() + 12 * q.std()
        expected, _ = scipy.integrate.quad(
            lambda z, q=q, p=p: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high
        )
        one = (mu[0, i : i + 1], log_var[0, i : i + 1], mu[1, i : i + 1], log_var[1, i : i + 1])
        assert kl_normal(*one).item() == pytest.approx(expected, rel=1e-8)


def test_kl_of_full_covariances():
    """Catches a log determinant with the wrong sign. torch.distributions."""
    covs = [torch.cov(draws(50, 4).T) for _ in range(2)]
    mus = [torch.randn(4).double() for _ in range(2)]
    q, p = (torch.distributions.MultivariateNormal(m, c) for m, c in zip(mus, covs, strict=True))
    found = kl_full_normal(mus[0], covs[0], mus[1], covs[1])
    assert found.item() == pytest.approx(torch.distributions.kl_divergence(q, p).item(), rel=1e-10)


def test_evidence_and_posterior_of_the_linear_model():
    """Catches an evidence that is a bound, and a posterior of another model. scikit-learn."""
    model = exact.LinearGaussian(torch.randn(6, 2).double(), torch.randn(6).double(), 0.7)
    z, x = model.sample(20_000)
    expected = scipy.stats.multivariate_normal(model.b, model.covariance()).logpdf(x[:50])
    assert model.log_evidence(x[:50]).numpy() == pytest.approx(expected, rel=1e-10)
    mean, cov = model.posterior(x)
    assert torch.cov((z - mean).T).numpy() == pytest.approx(cov.numpy(), abs=0.02)
    fitted = sklearn.decomposition.PCA(2).fit(x.numpy())
    assert fitted.noise_variance_ == pytest.approx(0.49, rel=0.02)
    assert fitted.score(x.numpy()) == pytest.approx(model.log_evidence(x).mean().item(), rel=2e-3)


def test_the_mixture_is_that_of_scikit_learn():
    """Catches weights that are logs, or noise whose σ is added to σ². scikit-learn."""
    w, m = torch.tensor([0.2, 0.5, 0.3]).double(), 2 * torch.randn(3, 2).double()
    ours, theirs = (
        exact.Mixture(w, m, 0.4),
        sklearn.mixture.GaussianMixture(3, covariance_type="spherical"),
    )
    theirs.weights_, theirs.means_ = w.numpy(), m.numpy()
    theirs.precisions_cholesky_ = np.full(3, 1 / math.sqrt(0.4**2 + 0.3**2))
    x = torch.randn(100, 2).double()
    assert ours.log_density(x, 0.3).numpy() == pytest.approx(theirs.score_samples(x), rel=1e-10)


def test_students_interval():
    """Catches the quantile of a normal, or of one degree too many. SciPy."""
    for n in (2, 3, 5, 11, 12, 30, 400):
        values = torch.randn(n).double().tolist()
        mean, half = repeats.student_interval(values)
        low, high = scipy.stats.t.interval(
            0.95, n - 1, loc=np.mean(values), scale=scipy.stats.sem(values)
        )
        assert (mean - half, mean + half) == pytest.approx((low, high), abs=2e-4)


def test_the_mismatch_of_a_gaussian_is_unbiased():
    """Catches log det of the sample taken for that of the distribution. SciPy's digamma."""
    n, d, A = 40, 5, torch.randn(5, 5).double()
    cov = A @ A.T + torch.eye(5).double()
    true = 0.5 * (cov.trace() - d - torch.linalg.slogdet(cov).logabsdet).item()
    root = torch.linalg.cholesky(cov)
    found = [metrics.gaussian_mismatch(torch.randn(n, d).double() @ root.T) for _ in range(4_000)]
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(true, abs=5 * error)
    bias = scipy.special.digamma((n - np.arange(1, d + 1)) / 2).sum() + d * math.log(2 / (n - 1))
    assert abs(bias) / 2 > 5 * error  # what the test would see


# --- images ---------------------------------------------------------------------------------------


def test_psnr():
    """Catches a mean over the batch, and logarithms of another base. scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio

    x, x_hat = pairs()
    expected = [
        peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1)
        for a, b in zip(x, x_hat, strict=True)
    ]
    assert metrics.psnr(x, x_hat).numpy() == pytest.approx(expected, rel=1e-10)


def test_ssim():
    """Catches padding that counts, sample covariances, a window of another σ. scikit-image."""
    from skimage.metrics import structural_similarity

    x, x_hat = pairs()
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [
        structural_similarity(a.numpy(), b.numpy(), data_range=1, channel_axis=0, **how)
        for a, b in zip(x, x_hat, strict=True)
    ]
    assert metrics.ssim(x, x_hat).numpy() == pytest.approx(expected, abs=1e-6)


# --- sets -----------------------------------------------------------------------------------------


def test_frechet_distance():
    """Catches a root of the product that is elementwise. torchmetrics, POT."""
    import ot
    from torchmetrics.image.fid import _compute_fid

    a, b = draws(400, 6), draws(300, 6) + 1
    (mu1, cov1), (mu2, cov2) = map(metrics.feature_statistics, (a, b))
    found = metrics.frechet_distance(mu1, cov1, mu2, cov2)
    assert found == pytest.approx(_compute_fid(mu1, cov1, mu2, cov2).item(), rel=1e-8)
    bures = ot.gaussian.bures_wasserstein_distance(mu1, mu2, cov1, cov2)
    assert found == pytest.approx(float(bures) ** 2, rel=1e-6)


def test_kernel_distance():
    """Catches pairs with themselves, and another kernel. torchmetrics."""
    from torchmetrics.image.kid import poly_mmd

    a, b = draws(200, 5), draws(200, 5) + 0.3
    theirs = poly_mmd(a, b, degree=3, gamma=None, coef=1.0)
    assert metrics.kernel_distance(a, b) == pytest.approx(theirs.item(), rel=1e-8)


def test_neighbours_of_precision_and_recall():
    """Catches the k-th neighbour counted with the point itself. scikit-learn."""
    real, fake = draws(300, 4, 0.5), draws(300, 4, 0.5) + 0.5
    found = metrics.precision_recall(real, fake, k=3)

    def share(inside, of):
        near = sklearn.neighbors.NearestNeighbors(n_neighbors=4).fit(of.numpy())
        radii = near.kneighbors(of.numpy())[0][:, 3]
        apart = sklearn.metrics.pairwise_distances(inside.numpy(), of.numpy())
        return (apart <= radii).any(1).mean()

    assert found == pytest.approx((share(fake, real), share(real, fake)), abs=1e-12)


def test_neighbour_accuracy():
    """Catches neighbours among the test codes. scikit-learn's own distances."""
    z, y = draws(300, 3), torch.randint(4, (300,))
    z = z + 2 * y[:, None]
    found = metrics.neighbour_accuracy(z[:200], y[:200], z[200:], y[200:], k=1)
    apart = sklearn.metrics.pairwise_distances(z[200:].numpy(), z[:200].numpy())
    assert found == pytest.approx((y[:200][apart.argmin(1)] == y[200:]).double().mean().item())


# --- codes ----------------------------------------------------------------------------------------


def test_information_of_factors():
    """Catches bits for nats, and intervals of equal numbers. scikit-learn."""
    factors = torch.stack([torch.randint(3, (800,)), torch.randint(5, (800,))], 1)
    z = torch.cat([factors.double() + 0.4 * torch.randn(800, 2), torch.randn(800, 1)], 1).double()
    found = metrics.factor_information(z, factors, n_bins=12)
    for j in range(3):
        edges = np.linspace(z[:, j].min(), z[:, j].max(), 13)
        bins = np.digitize(z[:, j], edges[1:-1])
        for k in range(2):
            v = factors[:, k].numpy()
            shared = sklearn.metrics.mutual_info_score(bins, v)
            share = shared / scipy.stats.entropy(np.bincount(v))
            assert found[j, k].item() == pytest.approx(share, rel=1e-9)


def test_perplexity_of_symbols():
    """Catches 2 to the power of nats. SciPy."""
    symbols = torch.randint(7, (500,)) * torch.randint(2, (500,))
    expected = math.exp(scipy.stats.entropy(np.bincount(symbols, minlength=9)))
    assert vq.perplexity(symbols, 9) == pytest.approx(expected, rel=1e-6)


def test_codes_of_a_fitted_gaussian():
    """Catches codes with the root of the root of the covariance. SciPy's test of equal means."""
    z = draws(2_000, 3) + 1
    drawn = gaussian_codes(z, 2_000)
    for j in range(3):
        assert scipy.stats.ks_2samp(z[:, j].numpy(), drawn[:, j].double().numpy()).pvalue > 1e-3
    assert np.cov(drawn.double().T) == pytest.approx(np.cov(z.T), rel=0.2, abs=0.2)


# --- diffusion ------------------------------------------------------------------------------------


def test_the_schedule_is_the_product_of_its_steps():
    """Catches ᾱ that is counted from another end. NumPy, from the paper's equation for β."""
    kept = diffusion.noise_schedule().double().numpy()
    t = np.arange(diffusion.STEPS + 1) / diffusion.STEPS
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.clip(1 - f[1:] / f[:-1], 0, 0.999)
    product = np.cumprod(1 - betas)
    assert kept[:990] == pytest.approx(product[:990], abs=2e-4)


def test_the_time_embedding_is_that_of_ho_et_al():
    """Catches sines and cosines in turns, and frequencies that do not end at 1/10,000."""
    t, width = torch.tensor([0, 7, 500, 999]), 16
    angles = np.outer(t, np.exp(-np.log(10_000) * np.arange(8) / 7))
    expected = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    assert time_embedding(t, width).numpy() == pytest.approx(expected, abs=1e-4)
