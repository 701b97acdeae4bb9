"""Weights by the density of codes: identities where the density is known, and what is drawn."""

import math

import pytest
import torch

from course_lib import widgets
from course_lib.errors import CourseError
from course_lib.exercises import EXERCISES
from course_lib.metrics import effective_number, share_drawn, student_interval

N_BINS = 8


@pytest.fixture
def weights():
    """The solution of the exercise, which is what the notebook draws with."""
    return EXERCISES["debiasing_weights"].reference


def codes_with(counts, generator):
    """One latent with exactly so many codes in each of N_BINS intervals of [0, 1]."""
    cells = torch.repeat_interleave(torch.arange(N_BINS), torch.tensor(counts))
    z = (cells + 0.1 + 0.8 * torch.rand(len(cells), generator=generator)) / N_BINS
    z[0], z[-1] = 0.0, 1.0
    return z[:, None], cells


def mass(p, cells):
    """What is drawn from each interval."""
    return torch.zeros(N_BINS, dtype=torch.float64).index_add_(0, cells, p.double())


def test_without_alpha_the_drawn_codes_are_spread_evenly(weights):
    """Catches the density in place of its inverse, and a histogram that is off by a bin."""
    counts = [3, 40, 200, 90, 11, 6, 2, 50]
    z, cells = codes_with(counts, torch.Generator().manual_seed(0))
    drawn = mass(weights(z, N_BINS, 0.0), cells)
    assert torch.allclose(drawn, torch.full_like(drawn, 1 / N_BINS), rtol=1e-5)
    some = mass(weights(z, N_BINS, 0.05), cells)
    share = torch.tensor(counts, dtype=torch.float64) / sum(counts)
    expected = share / (share + 0.05)
    assert torch.allclose(some, expected / expected.sum(), rtol=1e-5)


def test_a_large_alpha_draws_every_image_alike(weights):
    """Catches α that stands elsewhere than beside the density."""
    z = torch.randn(300, 5, generator=torch.Generator().manual_seed(1))
    p = weights(z, 10, 1e6)
    assert torch.allclose(p, torch.full_like(p, 1 / 300), rtol=1e-4)
    numbers = [effective_number(weights(z, 10, alpha)) for alpha in (0.01, 0.1, 1, 10)]
    assert numbers == sorted(numbers)


def test_independent_latents_are_flat_together(weights):
    """Catches a sum over latents: of a product of densities the inverse flattens all of it."""
    counts = (torch.tensor([1, 2, 4, 1, 8, 2, 1, 1]), torch.tensor([5, 1, 1, 1, 2, 1, 3, 2]))
    table = torch.outer(*counts)  # exactly independent: joint counts are products
    a, b = table.nonzero().repeat_interleave(table.flatten(), 0).T
    p = weights(torch.stack([a, b], 1).float(), N_BINS, 0.0).double()
    joint = torch.zeros(N_BINS**2, dtype=torch.float64).index_add_(0, a * N_BINS + b, p)
    assert torch.allclose(joint, torch.full_like(joint, 1 / N_BINS**2), rtol=1e-5)


def test_a_rare_pair_of_frequent_values_is_not_seen(weights):
    """Catches a joint histogram: the section says of one histogram per latent that it is blind."""
    pairs = torch.tensor([[0, 0]] * 48 + [[1, 1]] * 48 + [[0, 1]] * 2 + [[1, 0]] * 2)
    p = weights(pairs.float(), 2, 0.0)
    assert torch.allclose(p, torch.full_like(p, 0.01), rtol=1e-5)


def test_the_effective_number_counts_equal_weights():
    """Catches a square or a normalisation that is missing."""
    p = torch.zeros(50)
    p[:7] = 3.0
    assert effective_number(p) == pytest.approx(7)
    assert effective_number(torch.tensor([0.5, 0.25, 0.25])) == pytest.approx(8 / 3)
    assert share_drawn(torch.tensor([1.0, 2, 5]), torch.tensor([True, False, True])) == 0.75


@pytest.mark.parametrize("p", [[-1.0, 2], [0.0, 0], [math.nan, 1], [[1.0], [2]]])
def test_weights_that_draw_nothing_are_refused(p):
    """Catches NaN or a share above 1 in place of an error of one line."""
    with pytest.raises(CourseError):
        effective_number(torch.tensor(p))


def test_a_group_must_be_named_image_by_image():
    """Catches indices, which would pick other weights, in place of a mask."""
    with pytest.raises(CourseError, match="bool"):
        share_drawn(torch.ones(3), torch.tensor([0, 1, 1]))


def test_student_interval_holds_the_mean_of_few_normal_values():
    """Catches another n, s with n, or 1.96: with three values that holds in 81% of cases."""
    g = torch.Generator().manual_seed(2)
    for n in (2, 3, 5, 10):
        draws = torch.randn(4000, n, generator=g, dtype=torch.float64)
        found = [student_interval(row) for row in draws.tolist()]
        held = sum(abs(mean) <= half for mean, half in found) / len(found)
        assert abs(held - 0.95) < 0.015
    mean, half = student_interval([1.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(12.7062, rel=1e-4))
    with pytest.raises(CourseError):
        student_interval([1.0])


def panel_with(function, n=60):
    g = torch.Generator().manual_seed(3)
    z, images = torch.randn(n, 2, generator=g), torch.rand(n, 3, 8, 8, generator=g)
    return widgets.resampling(function, z, images, z[:, 0] > 1, start=0.1), z


def test_the_panel_tells_share_and_number_of_the_function_it_was_given(weights):
    """Catches a panel that shows its own weights in place of the student's."""
    panel, z = panel_with(weights)
    p = weights(z, 10, 0.1)
    assert f"{share_drawn(p, z[:, 0] > 1):.1%} of a batch" in panel.frame.text
    assert f"images {effective_number(p):,.0f} of 60." in panel.frame.text
    first = panel.frame.text
    panel.set({"α": 3.0})
    assert panel.frame.text != first and panel.frame.text.startswith("α = 3:")


def test_the_panel_refuses_what_does_not_fit(weights):
    """Catches a chart of weights that belong to other images."""
    z = torch.zeros(5, 2)
    with pytest.raises(CourseError, match="as many"):
        widgets.resampling(weights, z, torch.zeros(4, 3, 8, 8), torch.zeros(5, dtype=torch.bool))
    with pytest.raises(CourseError, match="60 finite numbers"):
        panel_with(lambda z, n_bins, alpha: z)
    with pytest.raises(CourseError, match="start"):
        args = z, torch.zeros(5, 3, 8, 8), torch.ones(5, dtype=torch.bool)
        widgets.resampling(weights, *args, start=0.5)
