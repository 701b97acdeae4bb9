"""Scores of disentanglement on codes whose truth is known, and the rotation that they all feel."""

import math

import pytest
import torch

from course_lib import metrics
from course_lib.distributions import kl_full_normal
from course_lib.errors import CourseError
from course_lib.exact import LinearGaussian
from course_lib.exercises.edits import reference

SIZES = (4, 6, 5)


@pytest.fixture
def factors():
    """Every combination of three factors, thirty times: independent and equally frequent."""
    return torch.cartesian_prod(*(torch.arange(size) for size in SIZES)).repeat(30, 1)


@pytest.fixture
def code(factors):
    """One latent for each factor with a little noise, and two dead ones: faint noise, nothing."""
    g = torch.Generator().manual_seed(0)
    alive = factors.float() - factors.float().mean(0)
    noise = torch.randn(len(factors), 5, generator=g) * torch.tensor([1, 1, 1, 1, 0])
    return torch.cat([alive, torch.zeros(len(factors), 2)], dim=1) + 0.02 * noise


def rotated(z, factors, degrees=45.0):
    return z @ metrics.pairwise_rotation(z, factors, degrees=degrees).T


SCORES = [metrics.mutual_information_gap, metrics.factor_vae_score]


@pytest.mark.parametrize("score", SCORES)
def test_a_latent_for_each_factor_scores_one(score, code, factors):
    """Catches a gap without its entropy, bins that mix values, dead latents that win votes."""
    assert score(factors.float(), factors) == pytest.approx(1, abs=1e-12)
    assert score(code, factors) > 0.98


@pytest.mark.parametrize(("score", "chance"), [*zip(SCORES, (0, 1 / 3), strict=True)])
def test_noise_scores_chance(score, chance, factors):
    """Catches votes that are judged by themselves, and a gap that is a maximum."""
    noise = torch.randn(len(factors), 40, generator=torch.Generator().manual_seed(1))
    tolerance = 3 * math.sqrt(chance * (1 - chance) / 800) + 0.01
    assert score(noise, factors) == pytest.approx(chance, abs=tolerance)


@pytest.mark.parametrize("score", SCORES)
def test_order_sign_and_scale_of_latents_do_not_matter(score, code, factors):
    """Catches a score that takes latent j for factor j, or feels the scale of a latent."""
    other = (code * torch.tensor([1, -1, 100, 1, 1]) + 7)[:, [3, 1, 4, 2, 0]]
    assert score(other, factors) == pytest.approx(score(code, factors), abs=0.002)


def test_two_latents_for_one_factor(factors):
    """Catches a gap to anything but the second best of the same factor."""
    twice = torch.cat([factors, factors], dim=1).float()
    assert metrics.mutual_information_gap(twice, factors) == pytest.approx(0, abs=1e-12)
    one_twice = torch.cat([factors, factors[:, :1]], dim=1).float()
    gaps = metrics.information_gaps(one_twice, factors)
    assert gaps.tolist() == pytest.approx([0, 1, 1], abs=1e-12)
    assert metrics.factor_vae_score(one_twice, factors) == 1


def test_information_of_a_code_known_by_hand(factors):
    """Catches logarithms of the wrong marginal: the half of four values is log 2 of log 4 nats."""
    half = torch.stack([factors[:, 0] // 2, factors[:, 1]], dim=1).float()
    table = metrics.factor_information(half, factors)
    expected = torch.tensor([[0.5, 0, 0], [0, 1, 0]], dtype=torch.float64)
    torch.testing.assert_close(table, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("n_bins", [20, 7])
def test_the_gap_is_the_one_of_the_exercise(n_bins, code, factors):
    """Catches a library that drifts away from what notebook 04 has students write."""
    g = torch.Generator().manual_seed(2)
    z = code @ torch.linalg.qr(torch.randn(5, 5, generator=g))[0] + 0.3 * code.roll(1, 0)
    expected = reference("mutual_information_gap")(z, factors, n_bins=n_bins)
    assert metrics.mutual_information_gap(z, factors, n_bins) == pytest.approx(expected, abs=1e-6)
    assert 0.01 < expected < 0.9


@pytest.mark.parametrize(("score", "most"), [*zip(SCORES, (0.35, 0.8), strict=True)])
def test_a_turn_of_45_degrees_destroys_the_score(score, most, code, factors):
    """Catches a rotation that leaves axes where they are, and scores that do not feel one."""
    assert score(rotated(code, factors), factors) < most
    # The third of three latents turns together with a dead one: two copies, so no gap.
    assert metrics.information_gaps(rotated(code, factors), factors).min() < 0.05
    assert score(rotated(code, factors, 90.0), factors) == pytest.approx(
        score(code, factors), abs=0.01
    )


def test_the_rotation_pairs_the_informative_latents(code, factors):
    """Catches a rotation that is none (lengths change), or that turns dead latents first."""
    R = metrics.pairwise_rotation(code, factors)
    torch.testing.assert_close(R @ R.T, torch.eye(5))
    assert torch.linalg.det(R) == pytest.approx(1, abs=1e-6)
    assert R.diagonal()[:3].tolist() == pytest.approx([0.5**0.5] * 3)
    assert (R[:3, :3].abs() > 0.7).sum() == 5  # two of them together, the third with a dead one
    unturned = metrics.pairwise_rotation(factors.float(), factors, degrees=0.0)
    torch.testing.assert_close(unturned, torch.eye(3))


def test_a_rotation_changes_no_term_of_the_elbo(code, factors):
    """Catches a decoder that is not turned back: log p(x) and the KL must stay what they were."""
    g = torch.Generator().manual_seed(3)
    W, b = torch.randn(8, 5, generator=g).double(), torch.randn(8, generator=g).double()
    R = metrics.pairwise_rotation(code.double(), factors)
    before, after = LinearGaussian(W, b, 0.5), LinearGaussian(W @ R.T, b, 0.5)
    z, x = before.sample(50, generator=g)
    torch.testing.assert_close(before.log_lik(x, z), after.log_lik(x, z @ R.T))
    torch.testing.assert_close(before.log_evidence(x), after.log_evidence(x))

    def kl(model):
        mean, cov = model.posterior(x)
        return kl_full_normal(
            mean, cov.expand(50, 5, 5), torch.zeros(5).double(), torch.eye(5).double()
        )

    torch.testing.assert_close(kl(before), kl(after))


def test_bad_tables_are_refused_in_one_line(code, factors):
    """Catches a traceback, or a score, for tables that cannot be scored."""
    for z, v in [
        (code[:-1], factors),
        (code[:, 0], factors),
        (code[:, :1], factors),
        (code * math.nan, factors),
        (code, factors * 0),
        (code, factors - 1),
        (code, factors + 0.5),
        (code[:0], factors[:0]),
    ]:
        with pytest.raises(CourseError) as error:
            metrics.mutual_information_gap(z, v)
        assert "\n" not in str(error.value)
    with pytest.raises(CourseError):
        metrics.factor_vae_score(code[:-1], factors)


def test_a_code_without_a_living_latent(factors):
    """Catches an argmin over nothing."""
    dead = torch.zeros(len(factors), 3)
    assert metrics.factor_vae_score(dead, factors) == pytest.approx(1 / 3)
    assert metrics.mutual_information_gap(dead, factors) == 0
