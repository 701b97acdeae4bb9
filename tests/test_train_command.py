"""`train`: every recipe runs, on a few images, and leaves what its command promises."""

import importlib
import json

import data_tools
import pytest
import torch

from course_lib import checkpoints, datasets, metrics, precision
from course_lib.commands import cli
from course_lib.losses import ErrorTerms, elbo_terms
from course_lib.models import ConvVAE
from course_lib.recipes import RECIPES, cards

FEW = {"train": 160, "test": 64, "valid": 64}


@pytest.fixture
def few_images(monkeypatch):
    """Data sets with a few of their images."""
    data_tools.cut_images(monkeypatch, FEW)


@pytest.mark.parametrize("name", ["table1", "faces", "classifier", "cvae", "ddpm", "mae"])
def test_a_recipe_runs(name, few_images, monkeypatch, tmp_path, capsys):
    """Catches a recipe that no longer runs, and a checkpoint that does not load again."""
    recipe = importlib.import_module(f"course_lib.recipes.{name}")
    epochs = dict.fromkeys(recipe.EPOCHS, 1) if isinstance(recipe.EPOCHS, dict) else 1
    monkeypatch.setattr(recipe, "EPOCHS", epochs)
    assert cli.main(["train", name, "--out", str(tmp_path / "out")]) == 0
    made = checkpoints.names(tmp_path / "out")
    assert made
    for checkpoint in made:
        _, card = checkpoints.load(checkpoint, folder=tmp_path / "out")
        assert card["recipe"] == name
        assert str(tmp_path) not in json.dumps(card)
    assert "train" in capsys.readouterr().out


@pytest.mark.parametrize("n_valid", [0, 32])
def test_a_labelled_training_is_watched_as_asked(n_valid, few_images, monkeypatch):
    """Catches images without labels, and a curve that misses an epoch or was not asked for."""
    monkeypatch.setattr(precision, "is_offered", lambda device: False)  # its trial takes steps too
    seen = []

    def objective(model, x, y):
        seen.append((model.training, len(x), len(y)))
        error = (model(x.flatten(1)).squeeze(1) - y) ** 2
        return error.mean(), ErrorTerms(error)

    data, model = datasets.load("cifar10"), torch.nn.Linear(3 * 32 * 32, 1)
    recipe = {"epochs": 2, "batch_size": 80, "lr": 1e-3, "seed": 0}
    curve, seconds = cards.train(model, objective, data, n_valid=n_valid, title="short", **recipe)
    watched = [(False, 32, 32)] if n_valid else []
    assert seen == 2 * ([(True, 80, 80)] * 2 + watched)
    assert [record.epoch for record in curve] == ([1, 2] if n_valid else []) and seconds > 0


@pytest.fixture(scope="module")
def table1(tmp_path_factory):
    """The recipe, run once: itself, the folder that it filled, and its models by row."""
    recipe, out = importlib.import_module("course_lib.recipes.table1"), tmp_path_factory.mktemp("t")
    kept, vaes = recipe.kept, {}

    def spied(vae, seconds, row, *rest, **options):
        vaes[row] = vae
        return kept(vae, seconds, row, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        data_tools.cut_images(patch, FEW)
        patch.setattr(recipe, "EPOCHS", {row: 1 + (row[1] > 1) for row in recipe.ROWS})
        patch.setattr(recipe, "kept", spied)
        recipe.run(out)
    return recipe, out, vaes


def test_the_table_has_its_seven_rows(table1):
    """Catches a row that is lost, or figures that do not add up."""
    recipe, out, _ = table1
    table = checkpoints.metrics("table1", folder=out)
    assert {"recipe", "seed", "date", "data", "source", "seconds"} <= table.keys()
    assert [(row["n"], row["beta"]) for row in table["rows"]] == list(recipe.ROWS)
    for row in table["rows"]:
        weighted = row["cross_entropy"] + row["beta"] * row["kl"]
        assert weighted == pytest.approx(row["objective"], abs=0.02)
        assert -row["elbo"] == pytest.approx(row["cross_entropy"] + row["kl"], abs=0.02)
        assert 0 <= row["active_units"] <= row["n"]


def test_longer_training_has_its_rows_and_its_own_file(few_images, monkeypatch, tmp_path):
    """Catches a size that is lost, an error that is a mean over pixels, PCA of other images."""
    recipe = importlib.import_module("course_lib.recipes.basics")
    monkeypatch.setattr(recipe, "STEPS", 3)  # of 160 images one epoch is one batch
    recipe.run(tmp_path)
    data = datasets.load("mnist")
    found = checkpoints.metrics(recipe.metrics_name(data), folder=tmp_path)
    assert found["stand_in"] == data.stand_in
    assert [row["n"] for row in found["rows"]] == list(recipe.SIZES)
    X, T = (part.images.flatten(1) / 255 for part in (data.train, data.test))
    rotated = torch.linalg.svd(X - X.mean(0), full_matrices=False).Vh
    for row in found["rows"]:
        assert row["steps"] == row["epochs"] == len(row["curve"]) == 3
        rest = (T - X.mean(0)) @ rotated[: row["n"]].T  # what the components keep, in codes
        left = ((T - X.mean(0)) ** 2).sum(1) - (rest**2).sum(1)
        assert row["pca"] == pytest.approx(left.mean().item(), rel=1e-3)
        assert row["test"] == pytest.approx(row["curve"][-1], rel=0.02)  # bfloat16 there
        assert row["train"] != row["test"]  # other images
        assert row["test"] > row["pca"]  # three steps: a mean over pixels would be below 1


@pytest.mark.parametrize("name", ["basics", "basics-stand-in"])
def test_longer_training_is_ahead_of_pca(name):
    """Catches committed figures that no longer say what notebook 01 says of them."""
    found = checkpoints.metrics(name)
    assert found["stand_in"] == name.endswith("stand-in")
    assert all(row["test"] < row["pca"] and row["steps"] > 2_000 for row in found["rows"])


def test_the_decoders_of_the_table_can_be_walked(table1):
    """Catches a decoder that is another model's, and KLs that do not add up to the row's."""
    recipe, out, vaes = table1
    names = {row: recipe.checkpoint_name(*row) for row in recipe.ROWS if row[0] > 1}
    assert len({*names.values()}) == 6 and [*vaes] == [*recipe.ROWS]
    assert all(vae.latent_dim == n for (n, _), vae in vaes.items())
    for row, vae in vaes.items():
        z, x = torch.randn(3, vae.latent_dim), torch.rand(3, 784)
        if row in names:
            decoder, card = checkpoints.load(names[row], folder=out)
            assert torch.allclose(decoder.decode(z).logits, vae.decode(z).logits, atol=0.01)
            assert sum(card["kl_per_latent"]) == pytest.approx(card["test"]["kl"], abs=0.01)
        if row in recipe.WITH_ENCODER:
            encoder, card = checkpoints.load(recipe.WITH_ENCODER[row], folder=out)
            assert torch.allclose(encoder.encode(x).mean, vae.encode(x).mean, atol=0.01)
    _, card = checkpoints.load("mnist-decoder-2", folder=out)
    assert len(card["codes"]) == FEW["test"] and all(len(row) == 3 for row in card["codes"])


def test_levels_are_the_factors_in_whole_numbers():
    """Catches a factor cut at the wrong places, or a level that no head has."""
    from course_lib.recipes.classifier import levels_of, n_levels
    from course_lib.synthetic.faces import FACTORS, sample_factors

    factors = sample_factors(2_000, seed=0)
    levels = levels_of(factors)
    for factor, value, level in zip(FACTORS, factors.T, levels.T, strict=True):
        assert level.unique().tolist() == list(range(n_levels(factor)))
        order = value.argsort()
        assert (level[order].diff() >= 0).all()  # a level is an interval of values
        if factor.kind == "discrete":
            assert torch.equal(level, value.long())
    edges = torch.tensor([[factor.high for factor in FACTORS]])
    assert levels_of(edges).tolist() == [[n_levels(factor) - 1 for factor in FACTORS]]


def test_the_likelihoods_are_compared_over_trainings(few_images, monkeypatch, tmp_path):
    """Catches a ranking that rests on one training, and seeds that are all the same one."""
    recipe = importlib.import_module("course_lib.recipes.likelihoods")
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    monkeypatch.setattr(recipe, "N", 80)
    recipe.run(tmp_path)
    rows = checkpoints.metrics("likelihoods", folder=tmp_path)["rows"]
    arms = {
        name: [row for row in rows if row["likelihood"] == name] for name in recipe.NAMES.values()
    }
    for runs in arms.values():
        assert [row["seed"] for row in runs] == [0, 1, 2]
        assert len({(row["rmse"], row["kl"]) for row in runs}) == 3


class Coarse:
    """A judge whose features are a few bright pixels."""

    def features(self, x):
        return 30 * x[:, :, 3::8, 3::8].flatten(1)


def test_the_figures_of_a_likelihood_are_what_their_names_say(monkeypatch):
    """Catches a square for its root, a distance under another's name, a seed that changes none."""
    recipe = importlib.import_module("course_lib.recipes.likelihoods")
    monkeypatch.setattr(recipe, "N", 40)
    monkeypatch.setattr(recipe, "N_FIT", 60)
    g = torch.Generator().manual_seed(0)
    train, test = (torch.randint(low, 256, (80, 3, 16, 16), generator=g) for low in (0, 100))
    splits = [datasets.Split(part.to(torch.uint8)) for part in (train, test)]
    data = datasets.Dataset("celeba", "a test", *splits, stand_in=False)
    torch.manual_seed(0)
    vae = ConvVAE(3, size=16, width=4, hidden=4, log_sigma=0.0).eval()
    judge, x = Coarse(), data.test.images[:40].float() / 255
    to_test = metrics.feature_statistics(metrics.features_of(judge, x))
    found, other = (recipe.measured(vae, data, judge, to_test, seed=seed) for seed in (0, 1))
    with torch.no_grad():
        x_hat = vae.decode(vae.encode(x).mean).mean
        assert found["kl"] == pytest.approx(elbo_terms(vae, x).kl.mean().item(), abs=0.006)
        assert found["rmse"] == pytest.approx(((x - x_hat) ** 2).mean().item() ** 0.5, abs=6e-5)
        of_x_hat = metrics.feature_statistics(metrics.features_of(judge, x_hat))
    assert found["frechet_x_hat"] == pytest.approx(
        metrics.frechet_distance(*of_x_hat, *to_test), abs=0.006
    )
    assert all((found[key] == other[key]) == (key in ("kl", "rmse", "frechet_x_hat"))
               for key in found)  # fmt: skip


def test_numbers_on_a_card_have_four_decimals():
    """Catches the long tails of single precision, 0.10000000149, and numbers cut too short."""
    values = torch.tensor([[0.1, 1 / 3], [-2.00004, 123.45678]])
    assert cards.rounded(values) == [[0.1, 0.3333], [-2.0, 123.4568]]


def test_every_recipe_is_a_module():
    """Catches a name in the list that nothing answers to."""
    for name in RECIPES:
        assert callable(importlib.import_module(f"course_lib.recipes.{name}").run)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tabel1"], "no recipe and no checkpoint 'tabel1': did you mean table1?"),
        (["table1", "--out", __file__], f"cannot be a folder: {__file__} is none"),
        (["table1", "--out", f"{__file__}/deeper"], f"cannot be a folder: {__file__} is none"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(arguments, words, monkeypatch, capsys):
    """Catches minutes of training that end in an error that was there from the start."""
    recipe = importlib.import_module("course_lib.recipes.table1")
    monkeypatch.setattr(recipe, "run", lambda out: pytest.fail("trained"))
    assert cli.main(["train", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_checkpoint_names_its_recipe(monkeypatch, tmp_path):
    """Catches `train NAME` that does not find the recipe on the card."""
    name = next(iter(checkpoints.names()))
    recipe = importlib.import_module(f"course_lib.recipes.{checkpoints.card(name)['recipe']}")
    trained = []
    monkeypatch.setattr(recipe, "run", trained.append)
    assert cli.main(["train", name, "--out", str(tmp_path)]) == 0
    assert trained == [tmp_path]
