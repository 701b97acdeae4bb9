"""VQ-VAE: the codebook, what passes through it, the density of symbols, and how both are kept."""

import importlib
import itertools
import math

import data_tools
import matplotlib.pyplot as plt
import pytest
import torch
from widget_examples import FACES, make_codebooks

from course_lib import checkpoints, losses, plots, vq
from course_lib.errors import CourseError
from course_lib.models import VQVAE, Codebook, CodePrior
from course_lib.training import evaluate, fit, keep_log_sigma

SIZES = (4, 16, 64, 256)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def small(size=8, **more):
    return VQVAE(
        size, **{"code_dim": 3, "size": 16, "channels": 1, "width": 4, "hidden": 8, **more}
    )


# --- the codebook -----------------------------------------------------------------------------


def test_the_nearest_vector_is_the_nearest():
    """Catches ‖e‖² left out of the distance, where long vectors win."""
    book, z = Codebook(7, 3).eval(), torch.randn(4, 5, 3)
    book.vectors *= torch.linspace(0.2, 3, 7)[:, None]
    found = book(z)
    assert found.indices.shape == (4, 5) and found.z_q.shape == z.shape
    assert torch.equal(found.indices, torch.cdist(z, book.vectors.expand(4, 7, 3)).argmin(-1))
    assert torch.equal(found.z_q, book.vectors[found.indices])


def test_vectors_move_to_the_means_of_what_chose_them_in_training_alone():
    """Catches a codebook that moves in evaluation, or towards a sum, or by the gradient."""
    places = torch.tensor([[0.0, 5.0], [10.0, -3.0]])
    book = Codebook(2, 2, revive=False)
    book.vectors.copy_(places + 1)
    book.total.copy_(book.vectors * book.count[:, None])
    z = (places[:, None] + 0.1 * torch.randn(2, 50, 2)).flatten(0, 1).requires_grad_()
    before = book.vectors.clone()
    book.eval()(z)
    assert torch.equal(book.vectors, before)
    book.train()
    for _ in range(400):
        z_q = book(z).z_q
    means = z.detach().view(2, 50, 2).mean(1)
    assert torch.allclose(book.vectors, means, atol=1e-3) and not z_q.requires_grad
    assert torch.allclose(book.count, torch.tensor([50.0, 50.0]), rtol=1e-2)


def test_dead_vectors_come_back_among_the_points_and_are_counted():
    """Catches a revival that never happens, moves a living vector, or is not counted."""
    z = torch.randn(300, 2) + 20
    left, revived = Codebook(10, 2, revive=False), Codebook(10, 2)
    for part in z.split(50) * 20:
        left(part)
        revived(part)
    used = [len(book.nearest(z).unique()) for book in (left, revived)]
    assert used[0] < 3 and used[1] == 10
    assert int(left.revived) == 0 and int(revived.revived) >= 10
    living = Codebook(3, 2)
    living(z[:30])
    before, count = living.vectors.clone(), int(living.revived)
    living.count.fill_(10.0)  # a fair part each
    living._revive_dead(z[:30])
    assert torch.equal(living.vectors, before) and int(living.revived) == count == 3


def test_half_precision_around_the_codebook_changes_nothing_in_it():
    """Catches a recipe that breaks, or means that stand still, on a processor with bfloat16."""
    z, books = torch.randn(200, 4), (Codebook(5, 4, revive=False), Codebook(5, 4, revive=False))
    books[1].load_state_dict(books[0].state_dict())
    whole = books[0](z)
    with torch.autocast("cpu", torch.bfloat16):
        half = books[1](z)
    assert torch.equal(whole.indices, half.indices) and torch.equal(whole.z_q, half.z_q)
    assert torch.equal(books[0].vectors, books[1].vectors)


def test_looking_up_symbols_in_training_mode_moves_nothing():
    """Catches a look at test images that trains the codebook on them."""
    model, x = small().train(), torch.rand(3, 1, 16, 16)
    model.codebook(model.encode(x))
    before = model.codebook.vectors.clone()
    model.indices_of(torch.rand(3, 1, 16, 16))
    assert torch.equal(model.codebook.vectors, before)


# --- the model and its objective ----------------------------------------------------------------


def test_shapes_and_range():
    """Catches symbols in another order than that of the grid, and pixels outside [0, 1]."""
    model, x = VQVAE(8, size=32, channels=3), torch.rand(2, 3, 32, 32)
    z = model.encode(x)
    assert z.shape == (2, 16, 16)
    indices = model.eval().indices_of(x)
    x_hat = model.image_of(indices)
    assert indices.shape == (2, 16) and x_hat.shape == x.shape
    assert x_hat.min() >= 0 and x_hat.max() <= 1
    grid = model.encoder(x)
    assert torch.allclose(z[1, 6], grid[1, :, 1, 2], atol=1e-6)  # place 6 is row 1, column 2
    with pytest.raises(CourseError, match="multiple of 16"):
        VQVAE(8, size=40)


def test_the_gradient_passes_straight():
    """Catches a gradient that stops at the rounding, is changed by it, or moves the codebook."""
    z, z_q = torch.randn(2, 4, 3, requires_grad=True), torch.randn(2, 4, 3, requires_grad=True)
    passed = vq.pass_straight(z, z_q)
    assert torch.equal(passed, z_q)
    weights = torch.randn(2, 4, 3)
    of_z, of_q = torch.autograd.grad((weights * passed).sum(), (z, z_q), allow_unused=True)
    assert torch.equal(of_z, weights) and of_q is None


def test_the_objective_is_distortion_and_commitment():
    """Catches means over pixels, a commitment in the ELBO's terms, and a σ of the wrong mode."""
    model, x = small(), torch.rand(6, 1, 16, 16)
    model.codebook(model.encode(x))
    model.eval()
    model.log_sigma.fill_(-1.0)
    loss, terms = vq.vq_objective(model, x, commitment=3.0)
    z = model.encode(x)
    z_q = model.codebook.vectors[model.indices_of(x)]
    x_hat = model.decode(z_q).mean
    nll = losses.gaussian_nll(x, x_hat, torch.tensor(-1.0))
    assert torch.allclose(terms.log_lik, -nll, rtol=1e-4) and terms.log_sigma == -1
    assert torch.allclose(terms.distance, ((z - z_q) ** 2).sum((1, 2)), rtol=1e-4)
    assert loss.item() == pytest.approx((nll + 3 * terms.distance).mean().item(), rel=1e-5)
    _, trained = vq.vq_objective(model.train(), x)
    assert trained.log_sigma.item() == pytest.approx(
        -0.5 * (math.log(2 * math.pi) + 1 + 2 * trained.log_lik.mean().item() / 256), abs=1e-4
    )


def test_a_short_training_moves_every_part():
    """Catches an encoder without gradients, a codebook that stands still, a σ that is lost."""
    model = small()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = (255 * torch.rand(64, 1, 16, 16)).to(torch.uint8)
    losses_seen = [
        record.loss
        for record in fit(model, vq.vq_objective, images, epochs=6, batch_size=16, lr=4e-3,
                          after_step=keep_log_sigma)
    ]  # fmt: skip
    still = [k for k, v in model.state_dict().items() if torch.equal(v, before[k])]
    assert not still and losses_seen[-1] < losses_seen[0]


# --- the density of symbols ---------------------------------------------------------------------


def test_the_density_sums_to_one():
    """Catches a place that sees itself or later ones, and a first symbol without a density."""
    prior = CodePrior(3, length=4, width=8, depth=2, heads=2)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape))
        grids = torch.tensor([*itertools.product(range(3), repeat=4)])
        p = (-vq.nats_of(prior, grids)).exp()
        logits, other = prior(grids[:1]), prior(torch.tensor([[0, 0, 2, 1]]))
    assert p.sum().item() == pytest.approx(1, abs=1e-5) and p.std() > 1e-3
    assert torch.allclose(logits[:, :3], other[:, :3], atol=1e-5)  # places 0, 1, 2 see 0, 0 alone
    assert not torch.allclose(logits[:, 3], other[:, 3], atol=1e-3)


def test_samples_are_drawn_from_the_density():
    """Catches keys that are kept in a wrong order, and a place or a symbol that is one off."""
    prior = CodePrior(5, length=6, width=8, depth=2, heads=2)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape))
        drawn = prior.sample(40, generator=torch.Generator().manual_seed(3))
        generator, again = torch.Generator().manual_seed(3), torch.zeros(40, 6, dtype=torch.int64)
        for n in range(6):
            p = prior(again)[:, n].softmax(1)
            again[:, n] = torch.multinomial(p, 1, generator=generator)[:, 0]
    assert torch.equal(drawn, again) and drawn.unique().tolist() == [0, 1, 2, 3, 4]


def test_symbols_come_through_fit_as_they_are():
    """Catches a symbol that the way through bytes and floats changes, and means over places."""
    symbols = torch.arange(256).repeat(2).view(8, 64)
    prior = CodePrior(256, width=8, depth=1, heads=1)
    assert evaluate(prior, vq.prior_objective, symbols.to(torch.uint8))["nats"] == pytest.approx(
        vq.nats_of(prior, symbols).mean().item(), rel=1e-5
    )
    assert 300 < vq.nats_of(prior, symbols).mean() < 420  # near 64 log 256 when new


def test_perplexity_counts_equally_frequent_symbols():
    """Catches an entropy for its exponential, and symbols that are taken for others."""
    assert vq.perplexity(torch.arange(6).repeat(3), 6) == pytest.approx(6, rel=1e-5)
    assert vq.perplexity(torch.tensor([[2, 2], [2, 2]]), 5) == pytest.approx(1)
    p = torch.tensor([0.5, 0.25, 0.25])
    assert vq.perplexity(torch.tensor([0, 3, 0, 4]), 5) == pytest.approx(
        (-(p * p.log()).sum()).exp().item(), rel=1e-5
    )


# --- recipe and checkpoints ---------------------------------------------------------------------


def test_the_recipe_keeps_each_model_with_its_density(monkeypatch, tmp_path):
    """Catches a codebook that is not kept as it is, and a density of other symbols."""
    data_tools.cut_images(monkeypatch, {"train": 160, "test": 64, "valid": 64})
    recipe = importlib.import_module("course_lib.recipes.vq")
    monkeypatch.setattr(recipe, "EPOCHS", dict.fromkeys(recipe.EPOCHS, 1))
    monkeypatch.setattr(recipe, "SIZES", (4, 16))
    made, keep = {}, recipe._keep
    monkeypatch.setattr(
        recipe,
        "_keep",
        lambda model, name, *rest: (made.update({name: model}), keep(model, name, *rest)),
    )
    recipe.run(tmp_path)
    names = checkpoints.names(tmp_path)
    assert len(names) == 4
    for size in (4, 16):
        name = next(n for n in names if n.endswith(f"vq-{size}"))
        model, card = checkpoints.load(name, folder=tmp_path)
        x = torch.rand(5, 3, 64, 64)
        z_q = model.codebook.vectors
        assert torch.allclose(z_q, made[name].codebook.vectors, rtol=1e-3, atol=1e-4)
        assert card["test"]["bits_uniform"] == 64 * math.log2(size)
        assert 1 <= card["test"]["perplexity"] <= size and card["test"]["revived"] >= size
        prior, _ = checkpoints.load(f"{name}-prior", folder=tmp_path)
        assert prior(model.indices_of(x)).shape == (5, 64, size)


@pytest.mark.parametrize("size", SIZES)
def test_committed_codebooks_are_in_use_and_their_densities_save_bits(size):
    """Catches a codebook of which most symbols are dead, and a density no better than none."""
    model, card = checkpoints.load(f"faces-vq-{size}")
    prior, about = checkpoints.load(f"faces-vq-{size}-prior")
    assert card["test"]["perplexity"] >= size / 2
    assert about["test"]["bits"] < 0.9 * card["test"]["bits_uniform"]
    assert prior.size == len(model.codebook.vectors) == size


# --- figure and slider --------------------------------------------------------------------------


def test_cells_mark_the_vectors_that_no_point_chooses():
    """Catches a cross on a vector in use, and a star on a dead one."""
    _, ax = plt.subplots()
    codebook = torch.tensor([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]])
    plots.nearest_cells(codebook, torch.rand(50, 2), ax)
    _, used, dead = (part.get_offsets() for part in ax.collections)
    assert used.tolist() == [[0, 0], [1, 1]] and dead.tolist() == [[9, 9]]


def test_the_slider_shows_the_rows_and_figures_of_its_codebook():
    """Catches rows of another K, a figure of another K, and a K that is decoded twice."""
    calls = []
    panel = make_codebooks(lambda size: calls.append(size) or FACES / size)
    assert panel.frame.text == "K = 4: bits 3.0."
    panel.controls["K"].value = 16
    assert panel.frame.text == "K = 16: bits 9.2, nats −7.0."  # 9.25 to even
    panel.controls["K"].value = 4
    assert calls == [4, 16] and panel.frame.text == "K = 4: bits 3.0."


@pytest.mark.parametrize(
    "wrong",
    [
        {"decoded": lambda size: FACES[:1]},
        {"decoded": lambda size: FACES * math.nan},
        {"figures": {}},
        {"start": 5},
        {"figures": {4: {"bits": "many"}}},
    ],
)
def test_the_slider_refuses_what_does_not_fit(wrong):
    """Catches rows of other lengths, and a start that no codebook has."""
    with pytest.raises(CourseError) as error:
        make_codebooks(**wrong)
    assert "\n" not in str(error.value)
