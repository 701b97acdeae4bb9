"""Models found by their data or trained now, exact counts of steps, and codes of images."""

import pytest
import torch

from course_lib import checkpoints, codes, datasets, losses, pretrained
from course_lib.datasets import Dataset, Split
from course_lib.models import ConditionalVAE, ConvAutoencoder, ConvVAE
from course_lib.models.calibration import standardize_latents
from course_lib.training import fit, steps_of


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
    sizes, kinds = [], set()

    def objective(model, x):
        sizes.append(len(x))
        kinds.update(x.sum((1, 2, 3)).tolist())
        return losses.autoencoder_objective(model, x)

    split = Split(images(count))
    records = list(steps_of(small(), objective, split, steps=steps, batch_size=batch))
    assert [record.step for record in records] == list(range(1, steps + 1))
    if count < batch:
        assert set(sizes) == {batch} and len(kinds) == count


def test_steps_are_those_of_a_training_with_the_same_settings():
    """Catches a rate, a seed or a size of the batch that does not reach the training."""
    found, x = [], images(64)
    for settings in ({"lr": 1e-2, "seed": 5}, {"lr": 1e-2, "seed": 6}, {"lr": 1e-3, "seed": 5}):
        model, same = small(), small()
        list(steps_of(model, losses.autoencoder_objective, Split(x), steps=2, batch_size=32,
                      **settings))  # fmt: skip
        list(fit(same, losses.autoencoder_objective, x, epochs=1, batch_size=32, **settings))
        found.append(codes.code_of(model, x.float() / 255))
        assert torch.equal(found[-1], codes.code_of(same, x.float() / 255))
    assert not torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


LENGTHS = [
    lambda *training: steps_of(*training[:2], Split(training[2]), steps=9, batch_size=16),
    lambda *training: fit(*training, epochs=2, steps=100, batch_size=16),  # two epochs: 8 steps
]


@pytest.mark.parametrize("train", LENGTHS)
def test_the_learning_rate_ends_with_the_steps(train, monkeypatch):
    """Catches a schedule over more steps than there are, cut off while the rate is still high."""
    seen = []

    class Watched(torch.optim.lr_scheduler.OneCycleLR):
        def step(self, *args):
            super().step(*args)
            seen.append(self.get_last_lr()[0])

    monkeypatch.setattr("course_lib.training.OneCycleLR", Watched)
    list(train(small(), losses.autoencoder_objective, images(64)))
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
    """Catches indices that are not those of the training, random numbers of the caller's, a card
    of other data, a σ or a mode that training has left behind."""
    data = strangers(300).renamed(name="others")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained = pretrained.load_or_train("-vae-20", data, steps=2, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(trained.seen) == len(set(trained.seen.tolist())) == 256
    assert trained.card["source"] == "a test, here"
    assert trained.card["seed"] == 3 and len(trained.card["curve"]["train"]) == 2
    assert (trained.card["data"], trained.card["stand_in"]) == ("others", False)
    assert not trained.model.training
    assert not any(parameter.requires_grad for parameter in trained.model.parameters())
    other = pretrained.load_or_train("-vae-20", data, steps=1, seed=4)
    assert not torch.equal(other.seen, trained.seen[:128])
    torch.manual_seed(6)
    pixels = torch.full_like(data.train.images, 255)  # where an image is not seen, it may be any
    pixels[trained.seen] = data.train.images[trained.seen]
    again = pretrained.load_or_train("-vae-20", data.renamed(train=Split(pixels)), steps=2, seed=3)
    assert torch.equal(again.model.mu.weight, trained.model.mu.weight)
    x = data.train.images[trained.seen].float() / 255
    x_hat = trained.model.decode(codes.drawn_codes(trained.model, x)).mean
    sigma = losses.optimal_log_sigma(x, x_hat).item()
    assert trained.model.log_sigma.item() == pytest.approx(sigma, abs=0.02) != 0
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


def test_the_vae_as_trained_gives_the_same_images_by_other_codes():
    """Catches a standardisation undone in the encoder alone, or in the model itself."""
    data = strangers(200)
    vae, card, _ = pretrained.load_or_train("-vae-20", data, steps=2)
    x = data.train.images[:20].float() / 255
    plain, kept = pretrained.as_trained(vae, card), codes.code_of(vae, x)
    z = codes.code_of(plain, x)
    mean, scale = (torch.tensor(card["standardized"][key]) for key in ("mean", "scale"))
    assert torch.allclose(z, mean + scale * kept, atol=1e-4)
    assert torch.allclose(codes.image_of(plain, z), codes.image_of(vae, kept), atol=1e-4)
    assert torch.equal(codes.code_of(vae, x), kept)
    assert pretrained.as_trained(vae, {}) is None


def test_metrics_of_other_data_are_none(tmp_path, monkeypatch):
    """Catches numbers of cartoons under a text about photographs."""
    monkeypatch.setattr(checkpoints, "DATA", tmp_path)
    about = {"data": "celeba", "stand_in": True, "rows": [1]}
    checkpoints.write_json(tmp_path / "metrics" / "likelihoods.json", about)
    monkeypatch.setattr(checkpoints, "metrics", lambda name: about)
    data = strangers()
    assert pretrained.metrics_of("likelihoods", data) is None
    assert pretrained.metrics_of("nothing", data) is None
    assert pretrained.metrics_of("likelihoods", data.renamed(stand_in=True)) == about


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


def test_each_code_is_decoded_with_its_own_label():
    """Catches labels that are lost, or that start again with each part."""
    torch.manual_seed(0)
    model = ConditionalVAE(3, 4, size=16, width=4, hidden=4).eval()
    z, y = torch.randn(codes.PART + 3, 3), torch.arange(codes.PART + 3) % 4
    found = codes.image_of(model, z, y)
    for i in (0, 1, codes.PART, codes.PART + 2):
        own = model.decode(z[i : i + 1], y[i : i + 1]).mean
        assert torch.allclose(found[i : i + 1], own, atol=1e-5)
        other = model.decode(z[i : i + 1], (y[i : i + 1] + 1) % 4).mean
        assert not torch.allclose(found[i : i + 1], other, atol=1e-5)


def test_codes_are_drawn_by_the_generator():
    """Catches draws that no seed repeats, and ones that a seed repeats within a run."""
    vae, x = small(ConvVAE), images(4).float() / 255
    for draw in (
        lambda g: codes.drawn_codes(vae, x, generator=g),
        lambda g: codes.gaussian_codes(x.flatten(1), 4, generator=g),
    ):
        first, second = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
        once = draw(first)
        assert torch.equal(once, draw(second)) and not torch.equal(once, draw(second))


def test_drawn_codes_have_the_spread_of_the_posterior(g):
    """Catches means in place of draws, and a variance for a standard deviation."""
    vae, x = small(ConvVAE), images(1).float() / 255
    vae.log_var[-1].bias.data.copy_(torch.tensor([-2.0, 0.0, 1.0]))  # no σ² that is its own root
    q_z = vae.encode(x)
    z = codes.drawn_codes(vae, x.expand(4_000, -1, -1, -1), generator=g)
    assert torch.allclose(z.mean(0), q_z.mean[0], atol=0.1)
    assert torch.allclose(z.std(0), q_z.stddev[0], rtol=0.05)


def test_gaussian_codes_have_the_mean_and_the_covariance_of_the_rows(g):
    """Catches a missing mean, a missing 1/√(N − 1), and latents drawn one by one."""
    z = torch.randn(50, 2, generator=g) @ torch.tensor([[1.0, 0.8], [0.0, 0.3]]) + 5
    drawn = codes.gaussian_codes(z, 200_000, generator=g)
    assert torch.allclose(drawn.mean(0), z.mean(0), atol=0.02)
    assert torch.allclose(torch.cov(drawn.T), torch.cov(z.T), atol=0.02)
    few = codes.gaussian_codes(torch.tensor([[-1.0] * 9, [1.0] * 9]), 100_000, generator=g)
    assert few.shape == (100_000, 9)  # fewer rows than latents
    assert few.var(0).mean() == pytest.approx(2, rel=0.03)  # 1 where it is divided by N
