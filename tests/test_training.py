"""Losses in nats per image, the training loop, and the metrics."""

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal

from course_lib import losses, metrics, precision
from course_lib.distributions import gaussian
from course_lib.errors import CourseError
from course_lib.exact import LinearGaussian
from course_lib.models import MLPVAE, ConvVAE, MLPAutoencoder
from course_lib.training import evaluate, fit, keep_log_sigma


@pytest.fixture
def images():
    """300 byte images of 6 × 6 pixels, bright on the left or on the right."""
    g = torch.Generator().manual_seed(0)
    images = torch.randint(0, 60, (300, 1, 6, 6), generator=g)
    side = torch.randint(0, 2, (300,), generator=g)
    images[side == 0, :, :, :3] += 180
    images[side == 1, :, :, 3:] += 180
    return images.to(torch.uint8)


def small(kind=MLPAutoencoder, seed=0):
    torch.manual_seed(seed)
    return kind(2, data_dim=36, hidden=16)


def weights(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach()


class ExactVAE(nn.Module):
    """The linear-Gaussian model with its exact posterior, if that is diagonal."""

    def __init__(self, exact):
        super().__init__()
        self.exact = exact

    def encode(self, x):
        mean, cov = self.exact.posterior(x)
        return gaussian(mean, cov.diagonal().log().expand_as(mean))

    def decode(self, z):
        return Normal(z @ self.exact.W.T + self.exact.b, self.exact.sigma)


def test_elbo_terms_reach_the_evidence_at_the_exact_posterior():
    """Catches a term that is averaged, doubled or of the wrong sign: the sum is log p(x)."""
    W = torch.diag(torch.tensor([2.0, 0.5], dtype=torch.float64))[[0, 1, 0], :]
    W[2] = 0
    exact = LinearGaussian(W, torch.ones(3, dtype=torch.float64), 0.6)
    _, x = exact.sample(5, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    draws = torch.stack([losses.elbo(losses.elbo_terms(ExactVAE(exact), x)) for _ in range(4000)])
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - exact.log_evidence(x)).abs() < 4.5 * error).all()


def test_elbo_terms_are_sums_over_pixels_and_latents(images):
    """Catches a mean in place of a sum: twice the pixels are twice the nats."""
    x = images.float() / 255
    terms = losses.elbo_terms(small(MLPVAE), x)
    assert terms.log_lik.shape == terms.kl.shape == (300,)
    assert (terms.kl >= 0).all()

    class Twice(nn.Module):
        def __init__(self, vae):
            super().__init__()
            self.vae = vae

        def encode(self, x):
            return self.vae.encode(x[..., :6])

        def decode(self, z):
            logits = self.vae.decode(z).logits.view(-1, 6, 6)
            return Bernoulli(logits=torch.cat([logits, logits], 2).flatten(1), validate_args=False)

    vae = small(MLPVAE)
    torch.manual_seed(1)
    once = losses.elbo_terms(vae, x)
    torch.manual_seed(1)
    twice = losses.elbo_terms(Twice(vae), torch.cat([x, x], 3))
    torch.testing.assert_close(twice.log_lik, 2 * once.log_lik)
    torch.testing.assert_close(twice.kl, once.kl)


def test_beta_acts_on_the_kl_alone_and_the_loss_goes_down_as_the_elbo_goes_up():
    """Catches a β in the wrong place, a flipped sign, a sum over the batch."""
    terms = losses.ElboTerms(torch.tensor([-3.0, -5.0]), torch.tensor([1.0, 2.0]))
    assert losses.beta_vae_loss(terms) == -losses.elbo(terms).mean() == 5.5
    assert losses.beta_vae_loss(terms, 4.0) == 10.0


def test_squared_error_sums_over_pixels_of_any_layout():
    """Catches a mean over pixels, or a mixture of images."""
    x, x_hat = torch.zeros(2, 1, 3, 4), torch.ones(2, 12)
    x_hat[1] = 2
    assert losses.squared_error(x, x_hat).tolist() == [12, 48]


@pytest.mark.parametrize(
    ("kind", "objective"),
    [(MLPAutoencoder, losses.autoencoder_objective), (MLPVAE, losses.vae_objective)],
)
def test_training_lowers_the_loss_on_images_it_has_not_seen(images, kind, objective):
    """Catches a loop that does not learn, or learns only its training images."""
    model = small(kind)
    train, valid = images[:200], images[200:]
    before = evaluate(model, objective, valid)["loss"]
    records = list(fit(model, objective, train, epochs=30, batch_size=50, lr=1e-2, valid=valid))
    assert records[-1].valid["loss"] < 0.9 * before
    assert len(records) == 30 * 4
    assert [r.epoch for r in records if r.valid] == list(range(1, 31))
    assert [r.step for r in records] == list(range(1, 121))


def test_every_image_is_visited_once_an_epoch():
    """Catches a shuffle that drops the last batch or draws with replacement."""
    seen = []

    def objective(model, x):
        seen.append((255 * x).round().long().flatten())
        value = model.encode(x).square().mean() * 0
        return value, losses.ErrorTerms(torch.zeros(len(x)))

    bytes_ = torch.arange(70, dtype=torch.uint8)[:, None].expand(70, 36)
    list(fit(small(), objective, bytes_, epochs=1, batch_size=32))
    assert sorted(torch.cat(seen).view(-1, 36)[:, 0].tolist()) == list(range(70))


def test_the_same_seed_gives_the_same_weights_whatever_the_caller_draws(images):
    """Catches training that depends on the caller's random numbers, or ignores its seed."""
    runs = {}
    for name, seed, disturb in [("a", 1, False), ("b", 1, True), ("c", 2, False)]:
        model = small(MLPVAE)
        for _ in fit(model, losses.vae_objective, images, epochs=2, batch_size=64, seed=seed):
            if disturb:
                torch.rand(7)
        runs[name] = weights(model)
    assert torch.equal(runs["a"], runs["b"])
    assert not torch.equal(runs["a"], runs["c"])


def test_noise_is_new_at_each_step_and_for_each_seed(images):
    """Catches a VAE that is trained with one ε for all steps, or evaluated with one for all."""
    drawn = []

    def objective(model, x):
        drawn.append(torch.rand(1).item())
        return losses.autoencoder_objective(model, x)

    for seed in (1, 2):
        list(fit(small(), objective, images, epochs=2, batch_size=100, seed=seed))
    assert len(drawn) == len(set(drawn)) == 12
    evaluate(small(), objective, images, batch_size=100)
    assert len(set(drawn[12:])) == 3


def test_adams_memory_is_the_one_asked_for(images, monkeypatch):
    """Catches a `beta2` that is not handed on, or that the schedule overwrites."""
    made, adam = [], torch.optim.Adam

    def spy(*args, **options):
        made.append(adam(*args, **options))
        return made[-1]

    monkeypatch.setattr(torch.optim, "Adam", spy)
    for _ in fit(small(), losses.autoencoder_objective, images, epochs=2, beta2=0.9):
        assert made[0].param_groups[0]["betas"][1] == 0.9


def test_another_seed_takes_the_images_in_another_order(images):
    """Catches a shuffle that is the same whatever the seed: here nothing else is random."""
    runs = []
    for seed in (1, 2):
        model = small()
        list(fit(model, losses.autoencoder_objective, images, epochs=1, batch_size=64, seed=seed))
        runs.append(weights(model))
    assert not torch.equal(*runs)


def test_training_leaves_the_callers_random_numbers_alone(images):
    """Catches a fit that reseeds the notebook."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    model = small(MLPVAE)
    torch.manual_seed(3)
    list(fit(model, losses.vae_objective, images, epochs=1))
    assert torch.equal(torch.rand(4), expected)


def test_early_stopping_ends_training_and_keeps_the_best_weights(images):
    """Catches a patience that never ends, or a model left with its last instead of best weights."""
    model = small()
    records = fit(
        model,
        losses.autoencoder_objective,
        images[:20],
        epochs=400,
        batch_size=20,
        lr=3e-2,
        valid=images[200:],
        patience=5,
    )
    history = [r.valid["loss"] for r in records if r.valid]
    assert len(history) < 400
    assert min(history) == pytest.approx(history[-6])
    best = evaluate(model, losses.autoencoder_objective, images[200:])["loss"]
    assert best == pytest.approx(min(history), rel=1e-5)


def test_evaluation_does_not_depend_on_the_batch_size(images):
    """Catches a mean of batch means where the last batch is smaller."""
    model = small()
    sums = [
        evaluate(model, losses.autoencoder_objective, images, batch_size=b)["loss"]
        for b in (300, 77)
    ]
    assert sums[0] == pytest.approx(sums[1], rel=1e-6)
    error = metrics.error_per_image(
        lambda x: model.decode(model.encode(x)), images.float() / 255, batch_size=64
    )
    assert error == pytest.approx(sums[0], rel=1e-6)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (torch.zeros(3, 36), {}, "uint8"),
        (torch.zeros(0, 36, dtype=torch.uint8), {}, "no images"),
        (torch.zeros(3, 36, dtype=torch.uint8), {"patience": 2}, "valid"),
        (torch.zeros(3, 36, dtype=torch.uint8), {"valid": torch.zeros(2, 36)}, "valid.*uint8"),
        (torch.zeros(3, 36, dtype=torch.uint8), {"batch_size": 0}, "batch_size=0"),
    ],
)
def test_bad_input_is_refused_before_training(data, options, words):
    """Catches floats trained as bytes, an empty set, a patience without validation images."""
    with pytest.raises(CourseError, match=words):
        next(fit(small(), losses.autoencoder_objective, data, **{"epochs": 1, **options}))


def test_two_sample_accuracy_is_chance_for_one_distribution_and_one_for_two():
    """Catches a forest judged on what it was trained on, or labels that do not fit the images."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 300, 20, generator=g)
    assert abs(metrics.two_sample_accuracy(a, b) - 0.5) < 0.07  # 600 images: 3.4 standard errors
    assert metrics.two_sample_accuracy(a, b + 3) > 0.98


def test_neighbour_accuracy_of_separated_classes_is_one_and_of_noise_is_chance():
    """Catches swapped arguments or a vote that ignores the codes."""
    g = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 4
    z = torch.randn(400, 2, generator=g)
    assert metrics.neighbour_accuracy(z + 20 * y[:, None], y, z + 20 * y[:, None], y) == 1
    noise = metrics.neighbour_accuracy(z[:300], y[:300], z[300:], y[300:])
    assert noise < 0.45


def test_models_take_images_flat_or_in_their_shape(images):
    """Catches an encoder that accepts one layout only, or a decoder outside [0, 1]."""
    x = images.float() / 255
    model = small()
    torch.testing.assert_close(model.encode(x), model.encode(x.flatten(1)))
    assert 0 <= model(x).min() <= model(x).max() <= 1
    assert small(MLPVAE).decode(torch.zeros(3, 2)).mean.shape == (3, 36)


class Lookup(nn.Module):
    """A model that is never asked for anything but its parameter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


def test_labels_stay_with_their_images(images):
    """Catches labels that are not shuffled along, in training or in evaluation."""
    marked = images.clone()
    labels = torch.arange(len(marked)) % 250
    marked[:, 0, 0, 0] = labels.to(torch.uint8)
    seen = []

    def objective(model, x, y):
        seen.append(torch.equal((255 * x[:, 0, 0, 0]).round().long(), y))
        terms = losses.ErrorTerms(y.float())
        return (model.weight * terms.squared_error).mean(), terms

    records = list(
        fit(
            Lookup(), objective, (marked, labels), epochs=2, batch_size=64,
            valid=(marked[:10], labels[:10]),
        )
    )  # fmt: skip
    assert all(seen)
    assert len(seen) == 12  # five steps and one evaluation an epoch
    assert records[-1].valid["squared_error"] == pytest.approx(4.5)
    for train, valid in (
        ((marked, labels[:-1]), None),
        ((marked, labels), (marked[:3], labels[:2])),
    ):
        with pytest.raises(CourseError, match=r"of them, and \d+ labels"):
            next(fit(Lookup(), objective, train, epochs=1, valid=valid))


def test_the_gaussian_likelihood_is_torchs_own():
    """Catches constants left out, σ for σ², log σ counted once per image, bytes that wrap."""
    g = torch.Generator().manual_seed(0)
    x, mean = torch.rand(2, 3, 3, 4, 4, generator=g).double()
    log_sigma = torch.tensor(-0.7).double()
    expected = -Normal(mean, log_sigma.exp()).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(losses.gaussian_nll(x, mean, log_sigma), expected)
    low, high = torch.tensor([[1], [2]], dtype=torch.uint8)  # 1 − 2 is 255 in uint8
    one = losses.gaussian_nll(low[None], high[None], log_sigma)
    assert one == losses.gaussian_nll(high[None], low[None], log_sigma)


def test_the_optimal_sigma_is_the_best_of_all():
    """Catches MSE for its root, and a clamp on the wrong side."""
    g = torch.Generator().manual_seed(0)
    x, mean = torch.rand(2, 3, 3, 4, 4, generator=g).double()
    best = losses.optimal_log_sigma(x, mean)
    at_best = losses.gaussian_nll(x, mean, best).mean()
    for other in (best - 0.05, best + 0.05):
        assert losses.gaussian_nll(x, mean, other).mean() > at_best
    assert losses.optimal_log_sigma(x, x).item() == pytest.approx(-6)


class OneSigma(ExactVAE):
    """The linear-Gaussian model with a log σ that is set from outside, from labels too."""

    def __init__(self, exact):
        super().__init__(exact)
        self.register_buffer("log_sigma", torch.tensor(0.3).double())

    def encode(self, x, *y):
        self.told = y
        return super().encode(x)

    def decode(self, z, *y):
        self.labels = y
        return super().decode(z)


@pytest.fixture
def one_sigma():
    """A model with a log σ of 0.3, images of it, and labels."""
    exact = LinearGaussian(torch.eye(2).double(), torch.zeros(2).double(), 0.5)
    _, x = exact.sample(400, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    return OneSigma(exact), x, torch.arange(400)


def test_the_optimal_sigma_objective_changes_no_model(one_sigma):
    """Catches a loss that moves the model's σ, or takes evaluation's σ from the test batch."""
    vae, x, y = one_sigma
    loss, terms = losses.optimal_sigma_objective(vae.train(), x, y)
    assert vae.log_sigma == torch.tensor(0.3)
    assert torch.equal(vae.told[0], y) and torch.equal(vae.labels[0], y)
    # At the optimal σ the squares average to σ²: −log p(x|z) = ½ + log σ + ½ log 2π a pixel.
    expected = 2 * (0.5 + terms.log_sigma + 0.5 * torch.log(torch.tensor(2 * torch.pi)))
    assert -terms.log_lik.mean().item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss.item() == pytest.approx((terms.kl - terms.log_lik).mean().item())
    at_own = losses.optimal_sigma_objective(vae.eval(), x)[1]
    assert at_own.log_sigma == vae.log_sigma
    vae.log_sigma.fill_(2.0)
    assert losses.optimal_sigma_objective(vae, x)[1].log_lik.mean() != at_own.log_lik.mean()


def test_sigma_follows_training_where_fit_is_asked_to_keep_it():
    """Catches a hook that comes after the evaluation, or not at each step."""
    images = torch.randint(0, 256, (40, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)
    torch.manual_seed(0)
    vae = ConvVAE(2, size=16, channels=1, width=4, hidden=4, log_sigma=0.0)
    hooked = {"batch_size": 16, "valid": images[:8], "after_step": keep_log_sigma}
    for record in fit(vae, losses.optimal_sigma_objective, images, epochs=2, **hooked):
        assert vae.log_sigma.item() == pytest.approx(record.terms["log_sigma"]) != 0
        if record.valid:
            assert record.valid["log_sigma"] == vae.log_sigma.item()


def test_records_can_be_read_at_any_time(images):
    """Catches a record that shows the last step's loss, or keeps the graph of its step."""
    model, seen = small(MLPVAE), []

    def objective(vae, x):
        loss, terms = losses.vae_objective(vae, x)
        if vae.training:
            seen.append((loss.item(), terms.kl.mean().item()))
        return loss, terms

    records = list(fit(model, objective, images, epochs=2, batch_size=64, valid=images[:5]))
    assert [(r.loss, r.terms["kl"]) for r in records] == seen
    assert not any(value.requires_grad for r in records for value in r.means.values())
    assert [r.seconds for r in records] == sorted(r.seconds for r in records)


def test_bfloat16_is_tried_once_for_a_kind_of_training_and_taken_where_faster(images, monkeypatch):
    """Catches a trial at each call, one that trains the model, and a trial that is not obeyed."""
    tried, found, seconds = [], [], {}
    monkeypatch.setattr(precision, "is_offered", lambda device: True)
    monkeypatch.setattr(precision, "_FASTER", {})

    def timed(objective, model, batch):
        tried.append(objective.__name__)
        return seconds[objective.__name__]

    monkeypatch.setattr(precision, "_seconds", timed)
    for faster, dtype in (("in_bfloat16", torch.bfloat16), ("objective", torch.float32)):
        seconds = {"in_bfloat16": 2.0, "objective": 2.0} | {faster: 1.0}
        tried.clear(), precision._FASTER.clear()

        def objective(model, x, y):
            assert len(y) == len(x)
            found.append(model.encoder(x.flatten(1)).dtype)
            return losses.autoencoder_objective(model, x)

        for _ in range(2):
            found.clear()
            list(fit(small(), objective, (images, images[:, 0, 0, 0]), epochs=1, bfloat16=True))
            assert found and {*found} == {dtype}
        assert tried == ["objective", "in_bfloat16"]


def test_the_trial_of_bfloat16_leaves_the_model_and_its_training_as_they_are(images, monkeypatch):
    """Catches a trial that moves weights or random numbers, and labels that get lost in it."""
    monkeypatch.setattr(precision, "_FASTER", {})
    monkeypatch.setattr(precision.time, "perf_counter", iter(range(10**6)).__next__)  # never faster
    ends = []
    for offered in (False, True):
        monkeypatch.setattr(precision, "is_offered", lambda device, offered=offered: offered)
        model = small(MLPVAE)
        list(fit(model, losses.vae_objective, images, epochs=1, batch_size=64, bfloat16=True))
        ends.append(weights(model))
    assert len(precision._FASTER) == 1
    assert torch.equal(*ends)


def test_bfloat16_costs_less_than_a_third_of_a_nat(images, monkeypatch):
    """Catches sums over pixels or latents in bfloat16, whose steps are nats wide."""
    monkeypatch.setattr(precision, "cheaper", lambda objective, model, batch: objective)
    reached = {}
    for name in ("float32", "bfloat16"):
        if name == "bfloat16":
            monkeypatch.undo()
            monkeypatch.setattr(precision, "is_offered", lambda device: True)
            monkeypatch.setattr(precision, "_FASTER", {})
            monkeypatch.setattr(
                precision, "_seconds", lambda way, *_: way.__name__ != "in_bfloat16"
            )
        model = small(MLPVAE)
        train = {"epochs": 40, "batch_size": 50, "lr": 1e-2, "bfloat16": True}
        list(fit(model, losses.vae_objective, images[:250], **train))
        reached[name] = evaluate(model, losses.vae_objective, images[250:])["loss"]
    assert reached["bfloat16"] == pytest.approx(reached["float32"], abs=0.3)
    assert reached["bfloat16"] != reached["float32"]
