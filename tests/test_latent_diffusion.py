"""Diffusion of codes: any shape, the codes' own scale, and the recipe that compares it."""

import math

import data_tools
import pytest
import torch
from torch import nn

from course_lib import checkpoints
from course_lib.diffusion import (
    STEPS,
    add_noise,
    as_labels,
    code_objective,
    ddim,
    noise_schedule,
    sample_codes,
    sample_ddim,
    sampling_steps,
    velocity,
)
from course_lib.models import CodeDenoiser
from course_lib.recipes import latent
from course_lib.training import fit

MEAN, SPREAD = torch.tensor([5.0, -3.0, 0.0]), torch.tensor([0.1, 4.0, 20.0])


class Standard(CodeDenoiser):
    """E[v | z_t] = 0 for standard normal codes: the ideal denoiser of a Gaussian's codes."""

    def forward(self, z_t, t, y=None):
        return torch.zeros_like(z_t)


class Narrow(nn.Module):
    """E[v | x_t] for x ~ N(0, 0.3²), of any shape."""

    def forward(self, x_t, t, y):
        left = noise_schedule()[t].reshape(-1, *[1] * (x_t.ndim - 1))
        return (left * (1 - left)).sqrt() * (1 - 0.09) * x_t / (left * 0.09 + 1 - left)


def codes(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    return MEAN + SPREAD * torch.randn(n, 3, generator=g)


def images_as_before(model, y, *, steps, generator, shape):
    """`sample_ddim` in one loop, with the clean image cut off at ±1."""
    left, times = noise_schedule(), sampling_steps(steps)
    after = [*left[times[1:]].tolist(), 1.0]
    x = torch.randn(len(y), *shape, generator=generator)
    for t, now, then in zip(times.tolist(), left[times].tolist(), after, strict=True):
        v = model(x, torch.full_like(y, t), y)
        clean = (math.sqrt(now) * x - math.sqrt(1 - now) * v).clamp(-1, 1)
        eps = (x - math.sqrt(now) * clean) / math.sqrt(1 - now)
        x = math.sqrt(then) * clean + math.sqrt(1 - then) * eps
    return (x + 1) / 2


def test_codes_are_noised_like_images():
    """Catches steps mixed up between rows where codes have no height and no width."""
    g = torch.Generator().manual_seed(1)
    z, eps = torch.randn(2, 5, 7, generator=g)
    t = torch.tensor([0, 10, 500, 900, 999])
    for function in (add_noise, velocity):
        of_images = function(z[:, :, None, None], t, eps[:, :, None, None])[:, :, 0, 0]
        assert torch.equal(function(z, t, eps), of_images)


def test_images_are_drawn_as_by_the_plain_loop():
    """Catches a sampler of images whose numbers changed when codes came to be sampled, too."""
    y, given = torch.zeros(6).long(), {"steps": 7, "shape": (1, 4, 4)}
    g = torch.Generator()
    drawn = sample_ddim(Narrow(), y, generator=g.manual_seed(2), **given)
    assert torch.equal(drawn, images_as_before(Narrow(), y, generator=g.manual_seed(2), **given))


def test_codes_come_back_on_their_own_scale():
    """Catches codes cut off at ±1, and a mean or a scale that is lost on the way."""
    z = codes(4_000)
    model = Standard(3).learn_scale(z)
    drawn = sample_codes(model, 4_000, steps=200, generator=torch.Generator().manual_seed(1))
    assert drawn.shape == (4_000, 3)
    assert ((drawn.mean(0) - MEAN) / SPREAD).abs().max() < 0.1
    assert (drawn.std(0) / SPREAD - 1).abs().max() < 0.05
    assert (drawn[:, 2].abs() > 20).any()  # beyond any limit of images


def test_the_way_ends_at_the_sample_and_each_stop_fits_its_guess():
    """Catches stops out of order, and a guess that is not that of the codes it stands beside."""
    model = Standard(3).learn_scale(codes(500))
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    way = list(ddim(model, noise, torch.zeros(4).long(), steps=10))
    assert [stop.t for stop in way] == sampling_steps(10).tolist()
    assert torch.equal(way[0].noisy, noise)
    for stop in way:  # v̂ = 0, so x̂ = √ᾱ x_t
        torch.testing.assert_close(stop.clean, noise_schedule()[stop.t].sqrt() * stop.noisy)
    drawn = sample_codes(model, 4, steps=10, generator=torch.Generator().manual_seed(3))
    assert torch.equal(drawn, model.unstandardized(way[-1].clean))


def test_the_objective_sees_standardized_codes():
    """Catches codes on their own scale in the loss: 3 latents of variance 1 cost 3 without a v̂."""
    z = codes(20_000)
    model = Standard(3).learn_scale(z)
    torch.manual_seed(0)
    x, _ = as_labels(z)
    loss, terms = code_objective(model, x, z)
    assert terms.squared_error.shape == (20_000,)
    assert abs(loss.item() - 3) < 0.1


def test_a_denoiser_learns_what_a_gaussian_cannot():
    """Catches a network that ignores t or z_t: two points ±1 in each latent, learned by `fit`."""
    g = torch.Generator().manual_seed(4)
    z = 2.0 * torch.randint(2, (2_000, 1), generator=g).expand(-1, 4) - 1.0
    torch.manual_seed(0)
    model = CodeDenoiser(4, width=32, blocks=1).learn_scale(z)
    *_, last = fit(model, code_objective, as_labels(z), epochs=10, batch_size=64, lr=5e-3)
    assert last.loss < 2.0  # a Gaussian of the same covariance: about 2.8
    drawn = sample_codes(model.eval(), 200, steps=50, generator=g)
    assert ((drawn.abs() - 1).abs() < 0.4).float().mean() > 0.9
    assert (drawn.sign() == drawn.sign()[:, :1]).float().mean() > 0.98
    assert 0.3 < (drawn[:, 0] > 0).float().mean() < 0.7


def test_a_kept_denoiser_draws_the_same(tmp_path):
    """Catches a checkpoint that forgets the scale of the codes, or its own sizes."""
    model = CodeDenoiser(3, width=16, blocks=2).learn_scale(codes(500))
    about = {"model": {"class": "CodeDenoiser", "arguments": model.arguments}}
    checkpoints.save(model, "codes", card=about, folder=tmp_path)
    loaded, _ = checkpoints.load("codes", folder=tmp_path)
    g = torch.Generator()
    drawn = [sample_codes(m, 5, steps=4, generator=g.manual_seed(0)) for m in (model, loaded)]
    torch.testing.assert_close(*drawn, rtol=0.02, atol=0.05)


def test_the_recipe_compares_codes_and_pixels(monkeypatch, tmp_path):
    """Catches a row or a checkpoint that is lost, and networks of unequal size."""
    data_tools.cut_images(monkeypatch, {"train": 64, "test": 24, "valid": 16})
    monkeypatch.setattr(latent, "EPOCHS", dict.fromkeys(latent.EPOCHS, 1))
    monkeypatch.setattr(latent, "SAMPLING_STEPS", {"latent": 2, "pixels": 2})
    latent.run(tmp_path)
    made = checkpoints.names(tmp_path)
    assert made == ["faces-latent", "faces-latent-128px", "faces-pixels", "faces-vae-128px"]
    for checkpoint in made:
        _, card = checkpoints.load(checkpoint, folder=tmp_path)
        assert card["recipe"] == "latent" and str(tmp_path) not in str(card)
    found = checkpoints.metrics("latent", folder=tmp_path)["sizes"]
    rows = {row["name"]: row for row in found["64"]["rows"]}
    assert len(rows) == 6 and "pixel diffusion" not in {r["name"] for r in found["128"]["rows"]}
    sizes = [rows[f"{kind} diffusion"]["parameters"] for kind in ("latent", "pixel")]
    assert abs(sizes[0] / sizes[1] - 1) < 0.02
    assert all(row["sample_seconds"] >= 0 and row["frechet"] >= 0 for row in rows.values())


def test_steps_of_the_schedule_are_in_range():
    """Catches a step outside the schedule, whose ᾱ there would be of another step."""
    with pytest.raises(IndexError):
        add_noise(torch.zeros(1, 3), torch.tensor([STEPS]), torch.zeros(1, 3))
