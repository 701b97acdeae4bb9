"""Metrics of images and of sets of images, by identities and by independent code."""

import math

import pytest
import scipy.linalg
import torch

from course_lib import metrics
from course_lib.errors import CourseError
from course_lib.exercises.edits import reference


@pytest.fixture
def g():
    return torch.Generator().manual_seed(0)


def waves(n=2, size=24):
    """Smooth images in [0, 1] and noisier copies, the same on every machine."""
    step = torch.arange(n * 3 * size * size).double().reshape(n, 3, size, size)
    x = 0.5 + 0.4 * torch.sin(step * 0.37) * torch.cos(step * 0.011)
    return x, (x + 0.2 * torch.cos(step * 1.7)).clamp(0, 1)


def features(g, n, *, mean=0.0, scale=1.0, d=6):
    return mean + scale * torch.randn(n, d, generator=g, dtype=torch.float64)


NUMBERS = {
    1.0: [0.7252539629252192, 0.7293026630299667],
    255.0: [0.9996659753941836, 0.9996656534319968],
}


# --- pairs ------------------------------------------------------------------------------------


def test_psnr_counts_decibels_of_each_pair():
    """Catches a pooled error, another base of the logarithm, a forgotten range."""
    x = torch.zeros(2, 3, 4, 4)
    x_hat = x + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    assert torch.allclose(metrics.psnr(x, x_hat), torch.tensor([20.0, 40.0]))
    ten_times = metrics.psnr(x, x_hat, data_range=10.0)
    assert torch.allclose(ten_times, torch.tensor([40.0, 60.0]))
    assert metrics.psnr(x, x).tolist() == [math.inf] * 2


def test_ssim_is_that_of_scikit_image():
    """Catches another window, padded borders, or variances divided by another number.

    The numbers are structural_similarity(…, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=0) of scikit-image 0.26.
    """
    x, y = waves()
    for data_range, known in NUMBERS.items():
        found = metrics.ssim(x, y, data_range=data_range)
        assert torch.allclose(found, torch.tensor(known, dtype=torch.float64), atol=1e-9)


def test_ssim_of_identities():
    """Catches sides that are not alike, pairs mixed up in the batch, and units that matter."""
    x, y = waves(n=3)
    assert torch.allclose(metrics.ssim(x, x), torch.ones(3).double())
    assert torch.allclose(metrics.ssim(x, y), metrics.ssim(y, x))
    alone = torch.cat([metrics.ssim(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    assert torch.allclose(metrics.ssim(x, y), alone)
    assert torch.allclose(metrics.ssim(255 * x, 255 * y, data_range=255.0), alone)
    assert metrics.ssim(1 - x, x).max() < 0


def test_wrong_range_flatters():
    """Catches constants that do not depend on the range: then the trap could not be shown."""
    g = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 8, 1, 28, 28, generator=g)
    assert metrics.ssim(x, y).mean() < 0.1 and metrics.ssim(x, y, data_range=255.0).mean() > 0.9


def test_ssim_refuses_images_smaller_than_its_window():
    """Catches a traceback out of a convolution."""
    with pytest.raises(CourseError, match="11 pixels"):
        metrics.ssim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))


# --- sets -------------------------------------------------------------------------------------


def test_frechet_distance_where_it_is_known(g):
    """Catches a forgotten square, a missing factor 2, roots taken entry by entry."""
    mu, eye = torch.zeros(3).double(), torch.eye(3).double()
    assert metrics.frechet_distance(mu, eye, mu + 2, eye) == pytest.approx(12)
    assert metrics.frechet_distance(mu, eye, mu, 9 * eye) == pytest.approx(3 * (3 - 1) ** 2)
    mixed = torch.linalg.qr(torch.randn(3, 3, generator=g).double())[0]
    cov = mixed @ torch.diag(torch.tensor([1.0, 4.0, 0.0]).double()) @ mixed.T
    assert metrics.frechet_distance(mu, cov, mu, cov) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [4, 40])
def test_frechet_distance_three_times(g, n):
    """Catches a library that disagrees with the exercise's reference or with scipy's sqrtm.

    With 4 images the covariances of 6 features have not full rank.
    """
    a, b = features(g, n), features(g, n, mean=0.3, scale=1.4)
    stats = (*metrics.feature_statistics(a), *metrics.feature_statistics(b))
    ours = metrics.frechet_distance(*stats)
    assert ours == pytest.approx(reference("frechet_distance")(*stats), abs=1e-4)
    mu1, cov1, mu2, cov2 = (part.numpy() for part in stats)
    root = scipy.linalg.sqrtm(cov1 @ cov2 + (1e-12 if n < 6 else 0) * torch.eye(6).numpy()).real
    theirs = ((mu1 - mu2) ** 2).sum() + (cov1 + cov2 - 2 * root).trace()
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_feature_statistics_divide_by_n_minus_one(g):
    """Catches a covariance over the wrong axis, and one divided by N."""
    mu, cov = metrics.feature_statistics(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
    assert mu.tolist() == [1, 1] and cov.tolist() == [[2, 0], [0, 0]]
    with pytest.raises(CourseError, match="N ≥ 2"):
        metrics.feature_statistics(torch.zeros(1, 3))


def test_kernel_distance_by_its_definition(g):
    """Catches features paired with themselves, and another kernel."""
    a, b = features(g, 4, d=3), features(g, 5, mean=1.0, d=3)

    def k(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    within = [[k(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j] for s in (a, b)]
    across = [k(x, y) for x in a for y in b]
    expected = sum(sum(v) / len(v) for v in within) - 2 * sum(across) / len(across)
    assert metrics.kernel_distance(a, b) == pytest.approx(expected)


def test_kernel_distance_has_no_bias_and_frechet_has(g):
    """Catches the biased estimator: small samples of one distribution are at 0 on average.

    400 repeats with 8 images each; the mean must lie within 4 standard errors of 0. Most values are
    below 0, as the docstring says. The Fréchet distance of the same samples is far above 0.
    """
    pairs = [(features(g, 8), features(g, 8)) for _ in range(400)]
    values = torch.tensor([metrics.kernel_distance(a, b) for a, b in pairs])
    assert values.mean().abs() < 4 * values.std() / 400**0.5
    assert (values < 0).float().mean() > 0.55
    statistics = [
        (*metrics.feature_statistics(a), *metrics.feature_statistics(b)) for a, b in pairs
    ]
    frechet = torch.tensor([metrics.frechet_distance(*stats) for stats in statistics])
    assert frechet.mean() > 1
    assert metrics.kernel_distance(features(g, 500), features(g, 500, mean=0.5)) > 0.3


class Channels:
    """A classifier whose features are the mean of each channel."""

    def features(self, x):
        assert x.shape[1:] == (3, 32, 32) and x.min() >= 0 and x.max() <= 1
        return x.mean((2, 3))


def test_features_of_bytes_and_of_other_sizes(g):
    """Catches bytes fed in as they are, images that are not resized, an order lost in batches."""
    x = torch.randint(0, 256, (7, 3, 64, 64), generator=g, dtype=torch.uint8)
    found = metrics.features_of(Channels(), x, batch_size=3)
    assert torch.allclose(found, x.double().mean((2, 3)) / 255, atol=5e-3)
    assert torch.equal(found, metrics.features_of(Channels(), x.float() / 255))


# --- fidelity and variety ---------------------------------------------------------------------


def test_precision_and_recall_of_a_set_against_itself_are_one(g):
    """Catches rounding that puts a feature outside its own ball, and copies with radius 0."""
    real = features(g, 200, mean=100.0)
    assert metrics.precision_recall(real, real.clone()) == (1.0, 1.0)
    copies = real[:4].repeat(50, 1)
    assert metrics.precision_recall(copies, copies.clone()) == (1.0, 1.0)


def test_precision_and_recall_of_sets_far_apart_are_zero(g):
    """Catches balls that reach everywhere."""
    assert metrics.precision_recall(features(g, 90), features(g, 90, mean=50.0)) == (0.0, 0.0)


def test_a_generator_that_drops_a_mode_has_precision_and_no_recall_of_it(g):
    """Catches the two shares swapped: half of what is real is never generated, nothing is wrong."""
    here, there = features(g, 300), features(g, 300, mean=50.0)
    precision, recall = metrics.precision_recall(torch.cat([here, there]), features(g, 300))
    assert precision > 0.8
    assert 0.4 < recall <= 0.5
    one = here[:1].repeat(600, 1)
    assert metrics.precision_recall(torch.cat([here, there]), one) == (1.0, 1 / 600)


def test_a_generator_that_adds_noise_loses_precision(g):
    """Catches a recall that is reported as precision: wide samples cover all, and few are real."""
    precision, recall = metrics.precision_recall(features(g, 500), features(g, 500, scale=3.0))
    assert precision < 0.2
    assert recall > 0.8


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_follow_the_definition(g, k):
    """Catches a feature counted as its own neighbour, radii of the wrong set, k off by one."""
    real, made = features(g, 40, d=3), features(g, 50, mean=0.7, d=3)

    def among(points, others):
        inside = 0
        for point in points:
            for i, other in enumerate(others):
                rest = [(other - o).norm().item() for j, o in enumerate(others) if j != i]
                if (point - other).norm().item() <= sorted(rest)[k - 1]:
                    inside += 1
                    break
        return inside / len(points)

    found = metrics.precision_recall(real, made, k=k)
    assert found == (among(made, real), among(real, made))
    assert 0 < min(found) < max(found) < 1


def test_too_few_images_for_k_neighbours_are_refused(g):
    """Catches an index out of range in place of a sentence."""
    with pytest.raises(CourseError, match="k=3: 3 images"):
        metrics.precision_recall(features(g, 3), features(g, 30))


# --- codes against the prior ------------------------------------------------------------------


def test_the_mismatch_of_gaussian_codes_is_their_kl(g):
    """Catches a missing ½, a log det without its correction, and a variance for its root."""
    scale, shift = torch.tensor([0.5, 1.0, 2.0]).double(), torch.tensor([0.0, 1.0, 0.0]).double()
    exact = 0.5 * (scale**2 + shift**2 - 1 - 2 * scale.log()).sum().item()
    z = shift + scale * torch.randn(20_000, 3, generator=g, dtype=torch.float64)
    assert metrics.gaussian_mismatch(z) == pytest.approx(exact, abs=0.05)
    with pytest.raises(CourseError, match="full rank"):
        metrics.gaussian_mismatch(features(g, 6))


@pytest.mark.parametrize(("n", "d"), [(12, 8), (3, 1)])
def test_the_mismatch_of_few_codes_from_the_prior_is_zero_on_average(g, n, d):
    """Catches any of its corrections left out or off by one code, and a code of one number."""
    found = torch.tensor([metrics.gaussian_mismatch(features(g, n, d=d)) for _ in range(1000)])
    assert found.mean().abs() < 4 * found.std() / 1000**0.5  # 0.03 nats, and 0.02
    assert found.std() < 1.2


# --- several trainings ------------------------------------------------------------------------


def test_a_ranking_claims_only_what_holds_between_all_trainings():
    """Catches an order of means that another seed would turn round, and one from single runs."""
    far, near, low = [5.0, 6.0, 9.0], [4.0, 4.5, 5.5], [1.0, 2.0, 3.0]
    assert metrics.ranking({"far": far, "low": low, "near": near}) == "low < near ≈ far"
    assert metrics.ranking({"far": [5.0], "low": [1.0]}) == "low ≈ far"
    assert metrics.ranking({"far": [5.0], "low": low}) == "low ≈ far"
    assert metrics.ranking({"one": [3.0, 4.0], "low": low}) == "low ≈ one"  # 3 is in both
    assert metrics.ranking({"many": low * 4, "few": far}) == "many < few"


def test_the_range_is_halved_the_range():
    """Catches a range that is printed as if it were to both sides."""
    assert metrics.mean_and_range([1.0, 2.0, 6.0]) == "3.0 ± 2.5"
    assert metrics.mean_and_range([1.25], digits=2) == "1.25"
    assert metrics.mean_and_range([1.25, 1.75], digits=2) == "1.50 ± 0.25"
