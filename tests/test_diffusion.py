"""Diffusion on data whose ideal denoiser is known: Gaussian pixels."""

import itertools
import math

import torch
from torch import nn

from course_lib.diffusion import (
    STEPS,
    add_noise,
    diffusion_objective,
    noise_schedule,
    sample_ddim,
    sampling_steps,
    velocity,
)

SPREAD = 0.3  # standard deviation of the data, whose mean is 0 in [−1, 1]


class Ideal(nn.Module):
    """E[v | x_t] for x ~ N(0, SPREAD²): √(ᾱ(1−ᾱ)) (1 − SPREAD²) x_t / (ᾱ SPREAD² + 1 − ᾱ)."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x_t, t, y):
        self.calls.append((t[0].item(), y.clone()))
        left = noise_schedule()[t][:, None, None, None]
        return (left * (1 - left)).sqrt() * (1 - SPREAD**2) * x_t / (left * SPREAD**2 + 1 - left)


class Silent(nn.Module):
    """Predicts nothing."""

    def forward(self, x_t, t, y):
        return torch.zeros_like(x_t)


def gaussian_images(n):
    g = torch.Generator().manual_seed(0)
    return (SPREAD * torch.randn(n, 1, 4, 4, generator=g) + 1) / 2


def test_the_schedule_goes_from_all_image_to_all_noise():
    """Catches a schedule that rises, leaves (0, 1], or ends with half of the image left."""
    left = noise_schedule()
    assert left.shape == (STEPS,)
    assert (left.diff() <= 0).all()
    assert 0.9999 < left[0] <= 1
    assert abs(left[-1] - 1e-4) < 1e-9  # the least that is asked for
    assert abs(left[STEPS // 2 - 1] - 0.494) < 0.01  # cos² of nearly 45°


def test_noise_keeps_the_variance_of_unit_data():
    """Catches √ forgotten in one of the two weights, and steps mixed up between images."""
    g = torch.Generator().manual_seed(1)
    x, eps = torch.randn(2, 3, 1, 100, 100, generator=g)
    t = torch.tensor([0, 500, 999])
    noisy = add_noise(x, t, eps)
    assert ((noisy.flatten(1).var(1) - 1).abs() < 0.05).all()
    assert torch.allclose(noisy[0], x[0], atol=0.05)
    assert torch.allclose(noisy[2], eps[2], atol=0.05)


def test_the_objective_is_the_error_that_theory_gives():
    """Catches a mean over pixels, x left in [0, 1], or noise that is not the one to predict."""
    x, y = gaussian_images(20_000), torch.zeros(20_000).long()
    torch.manual_seed(0)
    _, silent = diffusion_objective(Silent(), x, y)
    left = noise_schedule()
    expected = 16 * (left + (1 - left) * SPREAD**2).mean()  # E‖v‖² of 16 pixels
    assert abs(silent.squared_error.mean() / expected - 1) < 0.03
    _, ideal = diffusion_objective(Ideal(), x, y)
    expected = 16 * (SPREAD**2 / (left * SPREAD**2 + 1 - left)).mean()
    error = ideal.squared_error.std() / math.sqrt(len(x))
    assert abs(ideal.squared_error.mean() - expected) < 5 * error


def test_the_ideal_denoiser_draws_the_data():
    """Catches a wrong step of DDIM: the samples' spread is that of the data."""
    y = torch.zeros(4_000).long()
    g = torch.Generator().manual_seed(2)
    samples = 2 * sample_ddim(Ideal(), y, steps=200, generator=g, shape=(1, 4, 4)) - 1
    spread = samples.std().item()
    assert abs(spread / SPREAD - 1) < 0.03
    assert abs(samples.mean()) < 0.01


def test_sampling_spends_no_evaluation_on_a_clean_image():
    """Catches both ends included: the last of 5 evaluations would see an image without noise.

    Each evaluation undoes as many steps as any other, the last one those down to the image.
    """
    for count in (1, 3, 5, 7, 200, STEPS):
        times = [*sampling_steps(count).tolist(), -1]
        assert len(times) == count + 1
        assert times[0] == STEPS - 1
        gaps = [a - b for a, b in itertools.pairwise(times)]
        assert max(gaps) - min(gaps) <= 1, count
    assert noise_schedule()[sampling_steps(5)[-1]] < 0.95


class Loud(nn.Module):
    """Predicts a clean image far brighter than white; keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, x_t, t, y):
        self.shown.append(x_t)
        return torch.full_like(x_t, -10.0)


def test_a_guess_outside_the_range_is_cut_off_and_its_noise_goes_with_it():
    """Catches pixels outside [0, 1], and an ε̂ that does not belong to the clean image it is with.

    x_t = √ᾱ_t x̂ + √(1 − ᾱ_t) ε̂ must hold for the x̂ that is kept in [−1, 1].
    """
    model, y = Loud(), torch.tensor([0, 0])
    g = torch.Generator().manual_seed(5)
    images = sample_ddim(model, y, steps=4, generator=g, shape=(1, 4, 4))
    assert torch.equal(images, torch.ones(2, 1, 4, 4))
    left = noise_schedule()[sampling_steps(4)]
    noises = [(x - a.sqrt()) / (1 - a).sqrt() for x, a in zip(model.shown, left, strict=True)]
    for noise in noises[1:]:
        torch.testing.assert_close(noise, noises[0], atol=1e-4, rtol=1e-4)


def test_errors_of_velocity_noise_and_image_are_one_error():
    """Catches a sign or a root in the velocity: for one x_t, ‖v−v̂‖² = ‖ε−ε̂‖²/ᾱ = ‖x−x̂‖²/(1−ᾱ)."""
    g = torch.Generator().manual_seed(4)
    x, eps, off = torch.randn(3, 2, 1, 4, 4, generator=g)
    t = torch.tensor([100, 900])
    left = noise_schedule()[t][:, None, None, None]
    x_t, v = add_noise(x, t, eps), velocity(x, t, eps) + off
    clean = left.sqrt() * x_t - (1 - left).sqrt() * v
    noise = (1 - left).sqrt() * x_t + left.sqrt() * v
    torch.testing.assert_close((noise - eps) ** 2 / left, off**2)
    torch.testing.assert_close((clean - x) ** 2 / (1 - left), off**2)


def test_sampling_takes_as_many_evaluations_as_it_says():
    """Catches an extra evaluation, steps in the wrong order, and labels that get lost."""
    model, y = Ideal(), torch.tensor([3, 1])
    g = torch.Generator().manual_seed(3)
    images = sample_ddim(model, y, steps=5, generator=g, shape=(1, 4, 4))
    times = [t for t, _ in model.calls]
    assert len(times) == 5
    assert times == [999, 799, 599, 399, 199]
    assert all(torch.equal(labels, y) for _, labels in model.calls)
    assert images.shape == (2, 1, 4, 4)
    assert images.min() >= 0
    assert images.max() <= 1
    again = sample_ddim(Ideal(), y, steps=5, generator=g.manual_seed(3), shape=(1, 4, 4))
    assert torch.equal(images, again)
