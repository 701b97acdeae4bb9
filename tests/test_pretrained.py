"""Models found by their data or trained now, exact counts of steps, and codes of images."""

import pytest
import torch

from course_lib import checkpoints, codes, datasets, losses, pretrained
from course_lib.datasets import Dataset, Split
from course_lib.models import ConvAutoencoder, ConvVAE
from course_lib.models.calibration import standardize_latents
from course_lib.training import steps_of


@pytest.fixture
def g():
    return torch.Generator().manual_seed(0)


def images(n, *, size=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=g)


def small(kind=ConvAutoencoder, **options):
    torch.manual_seed(0)
    return kind(3, size=16, width=4, hidden=4, **options)


def strangers(n=10, size=64):
    """Faces that no committed model was trained on."""
    split = Split(images(n, size=size))
    return Dataset("celeba", "a test", split, split, stand_in=False)


@pytest.mark.parametrize(("count", "steps", "batch"), [(50, 7, 16), (50, 3, 16), (5, 4, 16)])
def test_steps_are_as_many_as_asked_for(count, steps, batch):
    """Catches whole epochs in place of steps, 471 for 400, and a batch that is not full."""
    sizes = []

    def objective(model, x):
        sizes.append(len(x))
        return losses.autoencoder_objective(model, x)

    split = Split(images(count))
    records = list(steps_of(small(), objective, split, steps=steps, batch_size=batch))
    assert [record.step for record in records] == list(range(1, steps + 1))
    if count < batch:
        assert set(sizes) == {batch}


def test_the_learning_rate_ends_with_the_steps(monkeypatch):
    """Catches a schedule over whole epochs that is cut off while the rate is still high."""
    seen = []

    class Watched(torch.optim.lr_scheduler.OneCycleLR):
        def step(self, *args):
            super().step(*args)
            seen.append(self.get_last_lr()[0])

    monkeypatch.setattr("course_lib.training.OneCycleLR", Watched)
    list(steps_of(small(), losses.autoencoder_objective, Split(images(64)), steps=9, batch_size=16))
    assert max(seen) > 1e-3
    assert seen[-2] < 2e-4  # the last `step` of the schedule's own count


def test_labels_come_with_their_images():
    """Catches a split whose labels are dropped on the way to the objective."""
    split = Split(images(8), labels=torch.arange(8))
    split.images[:] = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1)

    def objective(model, x, y):
        assert torch.equal((255 * x[:, 0, 0, 0]).round().long(), y)
        return losses.autoencoder_objective(model, x)

    assert len(list(steps_of(small(), objective, split, steps=3, batch_size=4))) == 3


def test_a_committed_model_is_found_by_its_data_alone():
    """Catches a model of cartoons that is offered for photographs because of its name."""
    cartoons = datasets.load("celeba", size=64)
    if not cartoons.stand_in:
        pytest.skip("the committed models are of the stand-in")
    assert pretrained.find("-vae-128", cartoons) == "faces-vae-128"
    assert pretrained.find("-vae-128", strangers()) is None
    loaded = pretrained.load_or_train("-ae-20", cartoons, steps=1)
    assert loaded.card["sha256"] == checkpoints.card("faces-ae-20")["sha256"]
    assert torch.equal(loaded.seen, torch.arange(len(cartoons.train)))


def test_what_is_trained_now_says_which_images_it_saw():
    """Catches indices that are not those of the training, and random numbers of the caller's."""
    data = strangers(300)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained = pretrained.load_or_train("-vae-20", data, steps=2, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(trained.seen) == len(set(trained.seen.tolist())) == 256
    assert trained.card["source"] == "a test, here"
    assert trained.card["seed"] == 3
    other = pretrained.load_or_train("-vae-20", data, steps=2, seed=4)
    assert not torch.equal(other.seen, trained.seen)
    x = data.train.images[trained.seen].float() / 255
    drawn = trained.model.encode(x)
    mean, scale = (
        drawn.mean.mean(0),
        (drawn.mean.var(0, correction=0) + drawn.variance.mean(0)).sqrt(),
    )
    assert torch.allclose(mean, torch.zeros(20), atol=1e-3)  # standardised on just these images
    assert torch.allclose(scale, torch.ones(20), atol=1e-3)


def test_standardisation_can_be_undone():
    """Catches moments that are not those used, and an undoing that is the wrong way round."""
    vae, pixels = small(ConvVAE, log_sigma=0.0), images(40)
    x = pixels.float() / 255
    before = codes.code_of(vae, x)
    mean, scale = standardize_latents(vae, pixels)
    assert not torch.allclose(codes.code_of(vae, x), before, atol=1e-3)
    vae.rescale_code(-mean / scale, 1 / scale)
    assert torch.allclose(codes.code_of(vae, x), before, atol=1e-5)


@pytest.mark.parametrize("kind", [ConvAutoencoder, ConvVAE])
def test_codes_and_images_come_in_the_order_of_the_rows(kind):
    """Catches parts that are put together wrongly, and a VAE that is sampled."""
    model, x = small(kind), images(codes.PART + 3).float() / 255
    z = codes.code_of(model, x)
    own = model.encode(x[-1:])
    own = own if isinstance(own, torch.Tensor) else own.mean
    assert torch.allclose(z[-1:], own, atol=1e-5)
    x_hat = codes.image_of(model, z)
    assert x_hat.shape == x.shape
    assert torch.allclose(x_hat[-1:], codes.image_of(model, z[-1:]), atol=1e-5)


def test_drawn_codes_have_the_spread_of_the_posterior(g):
    """Catches means in place of draws, and a variance for a standard deviation."""
    vae, x = small(ConvVAE), images(1).float() / 255
    q_z = vae.encode(x)
    z = codes.drawn_codes(vae, x.expand(4_000, -1, -1, -1), generator=g)
    assert torch.allclose(z.mean(0), q_z.mean[0], atol=0.1)
    assert torch.allclose(z.std(0), q_z.stddev[0], rtol=0.1)


def test_gaussian_codes_have_the_mean_and_the_covariance_of_the_rows(g):
    """Catches a missing mean, a missing 1/√(N − 1), and latents drawn one by one."""
    z = torch.randn(50, 2, generator=g) @ torch.tensor([[1.0, 0.8], [0.0, 0.3]]) + 5
    drawn = codes.gaussian_codes(z, 200_000, generator=g)
    assert torch.allclose(drawn.mean(0), z.mean(0), atol=0.02)
    assert torch.allclose(torch.cov(drawn.T), torch.cov(z.T), atol=0.02)
    few = codes.gaussian_codes(torch.randn(5, 9, generator=g), 100, generator=g)
    assert few.shape == (100, 9)
