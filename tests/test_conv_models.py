"""The convolutional networks: shapes, distributions, gradients, and what a card needs."""

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from course_lib.errors import CourseError
from course_lib.losses import (
    autoencoder_objective,
    elbo_terms,
    optimal_log_sigma,
    optimal_sigma_objective,
    vae_objective,
)
from course_lib.models import ConditionalVAE, ConvAutoencoder, ConvVAE
from course_lib.models.calibration import calibrate_sigma, standardize_latents

KINDS = [
    pytest.param(lambda **o: ConvAutoencoder(6, **o), id="AE"),
    pytest.param(lambda **o: ConvVAE(6, **o), id="VAE, cross-entropy"),
    pytest.param(lambda **o: ConvVAE(6, log_sigma=-1.0, **o), id="VAE, Gaussian"),
]
each_kind = pytest.mark.parametrize("make", KINDS)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def code(model, x):
    """z, or the mean of q(z|x)."""
    z = model.encode(x)
    return z.mean if isinstance(z, Normal) else z


def image(model, z):
    """x_hat, or the mean of p(x|z)."""
    x_hat = model.decode(z)
    return x_hat if isinstance(x_hat, torch.Tensor) else x_hat.mean


@each_kind
@pytest.mark.parametrize(("size", "channels"), [(64, 3), (32, 3), (48, 1), (16, 3)])
def test_shapes_and_range(make, size, channels):
    """Catches a code or an image of the wrong shape, and pixels outside [0, 1]."""
    model, x = make(size=size, channels=channels), torch.rand(2, channels, size, size)
    assert code(model, x).shape == (2, 6)
    x_hat = image(model, 50 * torch.randn(2, 6))
    assert x_hat.shape == x.shape
    assert x_hat.min() >= 0 and x_hat.max() <= 1


@each_kind
def test_four_convolutions_each_way(make):
    """Catches a network that is deeper or shallower than the report's, or transposed again."""
    model = make()
    for part in (model.features, model.decoder):
        assert sum(isinstance(layer, nn.Conv2d) for layer in part.modules()) == 4
    assert not any(isinstance(layer, nn.ConvTranspose2d) for layer in model.modules())


@each_kind
def test_images_of_a_batch_do_not_leak(make):
    """Catches a reshape that mixes images, and normalisation over the batch."""
    model, x = make(size=32), torch.rand(3, 3, 32, 32)
    changed = x.clone()
    changed[1] = 1 - changed[1]
    before, after = image(model, code(model, x)), image(model, code(model, changed))
    torch.testing.assert_close(before[[0, 2]], after[[0, 2]])
    assert (before[1] - after[1]).abs().max() > 1e-6


@each_kind
def test_the_code_is_all_that_decode_sees_and_it_sees_all_of_it(make):
    """Catches a latent that is ignored."""
    model = make(size=32)
    z = torch.zeros(1, 6, requires_grad=True)
    image(model, z)[0, 0, 5, 7].backward()
    assert (z.grad != 0).all()


@each_kind
def test_rows_and_columns_stay_apart(make):
    """Catches H and W swapped on the way: a change above shows above, not on the left."""
    model = make(size=32)
    h = torch.zeros(1, 32, 4, 4)
    h[:, :, 0, :] = 3.0  # the top row of the grid
    layers = list(model.decoder)[3:]  # after Linear, SiLU, Unflatten
    change = (nn.Sequential(*layers)(h) - nn.Sequential(*layers)(torch.zeros_like(h))).abs()[0]
    assert change[:, :4].sum() > 10 * change[:, -4:].sum()


def test_patches_are_a_pixel_shuffle():
    """Catches patches on their side, and colours that are taken for places."""
    layer, h = ConvAutoencoder(4).decoder[-1], torch.randn(2, 48, 3, 5)
    h = h.contiguous(memory_format=torch.channels_last)
    assert torch.equal(layer(h), nn.functional.pixel_shuffle(h, 4))
    assert layer(h).is_contiguous()


def test_one_seed_one_picture_upright():
    """Catches an Unflatten or a Flatten in another order than the grid's."""
    model = ConvVAE(5, size=32)
    grid = model.decoder[2](torch.arange(32 * 16.0)[None])
    assert grid[0, 0, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert torch.equal(grid.flatten(1), torch.arange(32 * 16.0)[None])


def test_bernoulli_is_a_distribution_over_images():
    """Catches flat or summed events, and probabilities that do not add up to 1."""
    p_x = ConvVAE(4, size=16, channels=1).decode(torch.randn(2, 4))
    assert isinstance(p_x, Bernoulli) and p_x.batch_shape == (2, 1, 16, 16)
    total = sum(p_x.log_prob(torch.full((2, 1, 16, 16), v)).exp() for v in (0.0, 1.0))
    torch.testing.assert_close(total, torch.ones_like(total))


def test_gaussian_is_a_distribution_over_images():
    """Catches a σ that is not exp(log σ), and a density that does not integrate to 1."""
    model = ConvVAE(4, size=16, channels=1, log_sigma=-1.5)
    p_x = model.decode(torch.randn(2, 4))
    assert isinstance(p_x, Normal) and p_x.batch_shape == (2, 1, 16, 16)
    grid = torch.linspace(-3, 4, 2001)
    density = p_x.log_prob(grid[:, None, None, None, None]).exp()
    torch.testing.assert_close(
        torch.trapezoid(density, grid, dim=0), torch.ones_like(density[0]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(p_x.stddev.log(), torch.full_like(p_x.mean, -1.5))


@pytest.mark.parametrize(
    ("make", "objective"),
    [
        (lambda: ConvAutoencoder(8, size=32), autoencoder_objective),
        (lambda: ConvVAE(8, size=32), vae_objective),
        (lambda: ConvVAE(8, size=32, log_sigma=0.0), vae_objective),
        (lambda: ConvVAE(8, size=32, log_sigma=0.0), optimal_sigma_objective),
    ],
)
def test_gradients_reach_every_parameter(make, objective):
    """Catches a detached head, a dead layer, and bfloat16 that leaks out of the network."""
    model, x = make(), torch.rand(4, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        loss, terms = objective(model, x)
    assert all(term.dtype == torch.float32 for term in terms)
    assert all(len(term) == 4 for term in terms[:2])
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_spread_of_the_code_sees_where_things_are():
    """Catches log σ² read from one average of the whole image, blind to place."""
    model, x = ConvVAE(6, size=32), torch.zeros(2, 3, 32, 32)
    x[0, :, :16], x[1, :, 16:] = 1, 1  # the same pixels, above and below
    stddev = model.encode(x).stddev
    assert (stddev[0] / stddev[1] - 1).abs().max() > 1e-4


@each_kind
def test_a_model_remembers_how_it_was_made(make):
    """Catches arguments on a card that build another model, or σ lost with the weights."""
    model = make(size=32, width=24)
    again = type(model)(**model.arguments)
    again.load_state_dict(model.state_dict())
    z = torch.randn(2, 6)
    assert torch.equal(image(model, z), image(again, z))
    assert again.arguments == model.arguments


@pytest.mark.parametrize("kind", [ConvAutoencoder, ConvVAE])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 28}, "size=28: .* a multiple of 16"),
        ({"size": 0}, "a multiple of 16"),
        ({"width": 0}, "width=0"),
        ({"latent_dim": 0}, "latent_dim=0"),
    ],
)
def test_sizes_that_do_not_work_are_refused(kind, options, words):
    """Catches an error from deep inside a layer, or a picture smaller than the image."""
    with pytest.raises(CourseError, match=words):
        kind(**{"latent_dim": 4, **options})


@pytest.fixture
def odd_vae():
    """A VAE whose codes lie far from the prior, and 600 images."""
    vae = ConvVAE(5, size=16, channels=1, log_sigma=0.0).eval()
    with torch.no_grad():
        vae.mu.weight.mul_(20)
        vae.mu.bias.copy_(torch.tensor([4.0, -3, 0, 1, 2]))
        vae.log_var[-1].bias.copy_(torch.tensor([0.0, -2, 1, -4, 0.5]))
    return vae, torch.randint(0, 256, (600, 1, 16, 16), dtype=torch.uint8)


@torch.no_grad()
def test_standardizing_moves_the_codes_and_no_image(odd_vae):
    """Catches a decoder that is not moved with the encoder, or log σ for log σ²."""
    vae, images = odd_vae
    x = images.float() / 255
    q_z, eps = vae.encode(x), torch.randn(600, 5)
    before = vae.decode(q_z.mean + q_z.stddev * eps).mean
    standardize_latents(vae, images)
    q_z = vae.encode(x)
    torch.testing.assert_close(vae.decode(q_z.mean + q_z.stddev * eps).mean, before)
    second = (q_z.mean**2 + q_z.variance).mean(0)
    torch.testing.assert_close(q_z.mean.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(second, torch.ones(5), atol=1e-4, rtol=0)


@torch.no_grad()
def test_standardizing_makes_the_kl_least(odd_vae):
    """Catches a map that is not the best one: nudges from it must cost nats."""
    vae, images = odd_vae
    x = images.float() / 255
    standardize_latents(vae, images)
    least = elbo_terms(vae, x).kl.mean()
    nudges = [(0.1, 1.0), (-0.1, 1.0), (0.0, 1.1), (0.0, 0.9)]
    for mean, scale in nudges:
        vae.rescale_code(torch.full((5,), mean), torch.full((5,), scale))
        assert elbo_terms(vae, x).kl.mean() > least
        vae.rescale_code(torch.full((5,), -mean / scale), torch.full((5,), 1 / scale))
    torch.testing.assert_close(elbo_terms(vae, x).kl.mean(), least)


@torch.no_grad()
def test_only_calibrating_sets_sigma(odd_vae):
    """Catches σ overwritten by standardizing, σ² for σ, random numbers taken from the caller."""
    vae, images = odd_vae
    state = torch.get_rng_state()
    standardize_latents(vae, images)
    assert vae.log_sigma == 0.0
    calibrate_sigma(vae, images)
    assert torch.equal(torch.get_rng_state(), state)
    x = images.float() / 255
    expected = optimal_log_sigma(x, vae.decode(vae.encode(x).sample()).mean)
    assert vae.log_sigma == pytest.approx(expected.item(), abs=0.01)


def test_a_bernoulli_vae_has_no_sigma_to_calibrate():
    """Catches an AttributeError about None for a VAE without a Gaussian likelihood."""
    with pytest.raises(CourseError, match=r"log_sigma=0\.0"):
        calibrate_sigma(ConvVAE(2, size=16, channels=1), torch.zeros(2, 1, 16, 16).byte())


def conditional(**options):
    model = ConditionalVAE(5, 3, size=16, channels=1, log_sigma=0.0, **options).eval()
    return model, torch.rand(4, 1, 16, 16), torch.tensor([0, 2, 1, 2])


@torch.no_grad()
def test_only_an_encoder_that_is_told_looks_at_the_class():
    """Catches a label that the encoder uses unasked, one that gets lost, and one for the batch."""
    blind, x, y = conditional()
    assert torch.equal(blind.encode(x, y).mean, blind.encode(x).mean)
    told, x, y = conditional(encoder_told=True)
    mean, spread = (getattr(told.encode(x, y), part) for part in ("mean", "stddev"))
    other = told.encode(x, torch.tensor([1, 2, 1, 2]))
    assert not torch.allclose(other.mean[0], mean[0], atol=1e-3)
    assert not torch.allclose(other.stddev[0], spread[0], atol=1e-4)
    torch.testing.assert_close(other.mean[1:], mean[1:])
    with pytest.raises(CourseError, match=r"encode\(x, y\)"):
        told.encode(x)


@torch.no_grad()
def test_adding_the_class_to_the_code_moves_the_prior():
    """Catches a class that is subtracted, or added to something else than the code.

    With z' = z + w e(y): the decoder of z' knows no class, and KL(q(z|x) ‖ N(0, I)) is that of z'
    to N(w e(y), I).
    """
    model, x, y = conditional(weight=0.7)
    q_z, shift = model.encode(x), 0.7 * model.embedding(y)
    moved = Normal(q_z.mean + shift, q_z.stddev)
    torch.testing.assert_close(
        kl_divergence(moved, Normal(shift, torch.ones_like(shift))).sum(1),
        elbo_terms(model, x, y).kl,
    )
    z = torch.randn(4, 5)
    torch.testing.assert_close(model.decode(z, y).mean, model.vae.decode(z + shift).mean)


@pytest.mark.parametrize("objective", [vae_objective, optimal_sigma_objective])
def test_objectives_tell_the_encoder_that_wants_to_know(objective):
    """Catches an objective that keeps the label from the encoder: its vectors would not learn."""
    model, x, y = conditional(encoder_told=True)
    objective(model, x, y)[0].backward()
    assert model.told.weight.grad.abs().sum() > 0
    assert model.embedding[0].weight.grad.abs().sum() > 0


@torch.no_grad()
def test_renaming_the_codes_keeps_the_images_of_a_told_model():
    """Catches a class vector that is not moved with the code."""
    for told in (False, True):
        model, x, y = conditional(encoder_told=told)
        before = model.decode(model.encode(x, y).mean, y).mean
        model.rescale_code(torch.randn(5), torch.rand(5) + 0.5)
        torch.testing.assert_close(model.decode(model.encode(x, y).mean, y).mean, before)
