"""The masked autoencoder: what it may see, what counts, and what a linear probe reads off."""

import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import nn

from course_lib import masking
from course_lib.errors import CourseError
from course_lib.metrics import linear_probe, student_interval
from course_lib.models import MaskedAutoencoder
from course_lib.models.masked import grid_positions, image_from, patches_of
from course_lib.training import fit

SMALL = {"size": 8, "patch": 2, "width": 32, "depth": 2, "decoder_width": 32}  # 16 patches


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MaskedAutoencoder(**SMALL).requires_grad_(False)


@pytest.fixture
def x():
    return torch.rand(5, 3, 8, 8, generator=seeded(1))


def test_patches_stand_in_reading_order():
    """Catches rows and columns exchanged, in the grid or in a patch, and channels mixed up."""
    x = torch.arange(48.0).reshape(1, 2, 4, 6)
    patches = patches_of(x, 2)
    assert patches.shape == (1, 6, 8)
    assert patches[0, 1].tolist() == [2, 3, 8, 9, 26, 27, 32, 33]
    assert patches[0, 3].tolist() == [12, 13, 18, 19, 36, 37, 42, 43]
    assert torch.equal(image_from(patches, 2, rows=2), x)


def test_positions_tell_every_place():
    """Catches places that look alike, and an axis without a share of the numbers."""
    places = grid_positions(4, 6, 16).reshape(4, 6, 16)
    assert torch.cdist(places.flatten(0, 1), places.flatten(0, 1)).fill_diagonal_(9).min() > 0.5
    sin_row, sin_column, cos_row, cos_column = places.chunk(4, dim=2)
    assert torch.allclose(sin_row[:, 2, 0], torch.arange(4.0).sin())
    assert torch.allclose(cos_column[1, :, 0], torch.arange(6.0).cos())
    assert (sin_row == sin_row[:, :1]).all() and (cos_row == cos_row[:, :1]).all()
    assert (sin_column == sin_column[:1]).all() and (cos_column == cos_column[:1]).all()


def test_hidden_patches_are_not_seen(model, x):
    """Catches a leak: the prediction may not depend on what is hidden, and must on what is not."""
    order = masking.orders(patches_of(x, 2), seeded())
    before, hidden = masking.predicted(model, x, order)
    patches = patches_of(x, 2)
    other = image_from(torch.where(hidden[:, :, None], 1 - patches, patches), 2, rows=4)
    assert torch.equal(masking.predicted(model, other, order)[0], before)
    other = image_from(torch.where(hidden[:, :, None], patches, 1 - patches), 2, rows=4)
    assert (masking.predicted(model, other, order)[0] - before).abs().amin((1, 2)).max() > 0
    assert not torch.allclose(masking.predicted(model, other, order)[0], before, atol=1e-2)


def test_the_order_of_visible_tokens_does_not_matter(model, x):
    """Catches codes that are not put back in their places before they are decoded."""
    order = masking.orders(patches_of(x, 2), seeded())
    turned = torch.cat([order[:, :4].flip(1), order[:, 4:].roll(3, 1)], 1)
    (a, mask_a), (b, mask_b) = (masking.predicted(model, x, o) for o in (order, turned))
    assert torch.equal(mask_a, mask_b)
    assert torch.allclose(a, b, atol=1e-5)
    moved = masking.predicted(model, x, order.roll(1, 1))[0]
    assert not torch.allclose(a, moved, atol=1e-2)


def test_places_tell_patches_apart(model, x):
    """Catches tokens without a place: then all hidden patches are painted alike."""
    order = masking.orders(patches_of(x, 2), seeded())
    painted, hidden = masking.predicted(model, x, order)
    painted = painted[hidden].reshape(5, 12, -1)
    assert (painted - painted[:, :1])[:, 1:].abs().amax(2).min() > 1e-3
    one_colour = model.embed(torch.full((1, 3, 8, 8), 0.3))[0]
    assert torch.cdist(one_colour, one_colour).fill_diagonal_(9).min() > 0.1


@pytest.mark.parametrize(("ratio", "hidden"), [(0.75, 12), (0.5, 8), (0.9, 14), (0.0, 0)])
def test_the_share_that_is_hidden(model, x, ratio, hidden):
    """Catches the share kept taken for the share hidden, and numbers that vary between images."""
    order = masking.orders(patches_of(x, 2), seeded())
    _, mask = masking.predicted(model, x, order, ratio)
    assert mask.sum(1).tolist() == [hidden] * 5
    assert torch.equal(mask, order.argsort(1) >= 16 - hidden)


def test_orders_are_drawn_for_each_image():
    """Catches one order for the batch, places drawn more often, and an unused generator."""
    patches = torch.zeros(4_000, 6, 1)
    order = masking.orders(patches, seeded())
    assert torch.equal(order.sort(1).values, torch.arange(6).expand(4_000, 6))
    assert torch.equal(order, masking.orders(patches, seeded()))
    assert not torch.equal(order, masking.orders(patches, seeded(1)))
    share = torch.stack([(order == n).double().mean(0) for n in range(6)])
    assert (share - 1 / 6).abs().max() < 6 * (5 / 36 / 4_000) ** 0.5


def test_hidden_pixels_alone_count():
    """Catches a loss over visible patches too, a mean for a sum, and normalised targets."""
    torch.manual_seed(0)
    model = MaskedAutoencoder(**SMALL)
    nn.init.zeros_(model.to_pixels.weight)
    nn.init.zeros_(model.to_pixels.bias)  # predicts 1/2 everywhere
    loss, terms = masking.masked_objective(model, torch.ones(4, 3, 8, 8))
    assert terms.squared_error.tolist() == [12 * 12 / 4] * 4  # patches, numbers, (1 − 1/2)²
    assert loss.item() == 36


def test_filling_in_leaves_the_visible_pixels(model, x):
    """Catches predictions that overwrite what was shown, and a map of pixels in another order."""
    order = masking.orders(patches_of(x, 2), seeded())
    filled, hidden = masking.fill_in(model, x, order)
    assert hidden.shape == (5, 1, 8, 8) and hidden.dtype == torch.bool
    assert torch.equal(filled[(~hidden).expand_as(x)], x[(~hidden).expand_as(x)])
    assert (filled[hidden.expand_as(x)] != x[hidden.expand_as(x)]).all()
    assert ((filled >= 0) & (filled <= 1)).all()


def test_features_are_those_of_the_whole_image(model, x):
    """Catches features of masked images, and ones that change with what else is in the batch."""
    features = model.features(x)
    assert features.shape == (5, 32)
    assert torch.allclose(features[2], model.features(x[2:3])[0], atol=1e-5)
    assert torch.allclose(features, model.encode(model.embed(x)).mean(1), atol=1e-6)


def test_training_learns_what_can_be_guessed():
    """Catches a network that ignores what it is shown: images of one colour tell every patch."""
    colours = torch.randint(256, (256, 3, 1, 1), generator=seeded(), dtype=torch.uint8)
    torch.manual_seed(0)
    model = MaskedAutoencoder(**SMALL)
    images = colours.expand(-1, -1, 8, 8).contiguous()
    records = [*fit(model, masking.masked_objective, images, epochs=20, batch_size=32, lr=3e-3)]
    of_the_mean = 12 * 12 * 0.083  # patches, numbers, variance
    assert records[-1].loss < 0.1 * of_the_mean < records[0].loss


@pytest.mark.parametrize("sizes", [{"size": 30}, {"patch": 0}, {"width": 40}, {"decoder_width": 8}])
def test_sizes_that_do_not_work_are_named(sizes):
    """Catches an error from deep inside of PyTorch."""
    with pytest.raises(CourseError, match="must be"):
        MaskedAutoencoder(**sizes)


# --- the probe ------------------------------------------------------------------------------------


def blobs(n, d, *, seed, spread=1.0):
    """Codes of three classes around means that differ."""
    y = torch.arange(n) % 3
    means = torch.randn(3, d, generator=seeded(99))
    return means[y] + spread * torch.randn(n, d, generator=seeded(seed)), y


@pytest.mark.parametrize("d", [4, 90])
def test_a_probe_is_logistic_regression(d):
    """Catches a classifier that another basis, or units, change where there are many numbers."""
    fit_part, valid, test = (blobs(n, d, seed=n, spread=3.0) for n in (60, 50, 200))
    found = linear_probe(fit_part, valid, test, strengths=[0.01])
    mean, scale = fit_part[0].mean(0), fit_part[0].std(0, correction=0)
    plain = LogisticRegression(C=0.01, max_iter=2_000, tol=1e-8)
    plain.fit(((fit_part[0] - mean) / scale).numpy(), fit_part[1].numpy())
    right = plain.score(((test[0] - mean) / scale).numpy(), test[1].numpy())
    assert abs(found.accuracy - right) <= 1 / 200
    units = torch.logspace(-3, 3, d)
    other = [(7 + units * z, y) for z, y in (fit_part, valid, test)]
    assert abs(linear_probe(*other, strengths=[0.01]).accuracy - found.accuracy) <= 1 / 200


def test_validation_alone_chooses_the_strength():
    """Catches a strength that is chosen on test images, or on those that were fitted."""
    fit_part, test = blobs(60, 30, seed=1, spread=3.0), blobs(200, 30, seed=2, spread=3.0)
    strengths = (1e-4, 1e-2, 1.0)
    each = {c: linear_probe(fit_part, fit_part, test, strengths=[c]) for c in strengths}
    for valid in (fit_part, blobs(60, 30, seed=3, spread=3.0)):
        scores = {c: linear_probe(fit_part, fit_part, valid, strengths=[c]) for c in strengths}
        best = max(strengths, key=lambda c: scores[c].accuracy)  # the smallest of equals
        chosen = linear_probe(fit_part, valid, test, strengths=strengths[::-1])
        assert chosen.strength == best
        assert abs(chosen.accuracy - each[best].accuracy) <= 2 / 200


def test_intervals_of_a_few_values_are_wide():
    """Catches 1.96 in place of Student's quantile, and an interval of the spread."""
    for n in (2, 3, 5, 11, 12, 20, 60):
        values = torch.randn(n, generator=seeded(n)).tolist()
        mean, half = student_interval(values)
        _, wanted = stats.t.interval(0.95, n - 1, loc=0, scale=stats.sem(values))
        assert half == pytest.approx(wanted, rel=1e-3) and mean == pytest.approx(sum(values) / n)
