"""The β-VAEs of the sprites: what the recipe measures, and the figures and weights in data/."""

import pytest
import torch

from course_lib import checkpoints, datasets
from course_lib.recipes import sprites


@pytest.fixture(scope="module")
def data():
    return datasets.load("sprites")


def elbo_terms(row):
    return [row[name] for name in ("cross_entropy", "kl", "negative_elbo")]


def test_the_rotation_changes_scores_and_no_term_of_the_elbo(data):
    """Catches a decoder that does not turn the code back, and a KL without the covariances."""
    model, _ = checkpoints.load("sprites-beta-vae")
    row = sprites.measured(model, data)
    assert elbo_terms(row["rotated"]) == pytest.approx(elbo_terms(row), rel=1e-5)
    assert row["rotated"]["mig"] < row["mig"] / 3


def test_a_rotation_without_its_way_back_is_seen(data, monkeypatch):
    """Catches figures that would stay equal whatever the rotation does."""
    model, _ = checkpoints.load("sprites-beta-vae")
    shear = torch.eye(10) + torch.diag(torch.ones(9), 1)
    monkeypatch.setattr(sprites.metrics, "pairwise_rotation", lambda *_, **__: shear)
    row = sprites.measured(model, data)
    assert row["rotated"]["kl"] > row["kl"] + 0.1
    assert row["rotated"]["cross_entropy"] > row["cross_entropy"] + 1


def test_figures_of_all_seeds_are_there():
    """Catches a seed that was left out, and runs of another recipe than the one in the code."""
    figures = checkpoints.metrics("sprites")
    runs = figures["runs"]
    asked = {(beta, seed) for beta in sprites.BETAS for seed in sprites.SEEDS}
    assert sorted((row["beta"], row["seed"]) for row in runs) == sorted(asked)
    assert figures["training"] == sprites.TRAINING | {"epochs": sprites.EPOCHS}
    assert figures["model"]["arguments"] == sprites.MODEL
    assert max(row["mig"] for row in runs) >= 0.25
    for row in runs:
        assert elbo_terms(row["rotated"]) == pytest.approx(elbo_terms(row), abs=0.01)


def test_the_checkpoint_is_the_best_run(data):
    """Catches weights, in half precision, that no longer give the figures of their card."""
    model, card = checkpoints.load("sprites-beta-vae")
    runs = checkpoints.metrics("sprites")["runs"]
    assert card["test"] == max(runs, key=lambda row: row["mig"])
    again = sprites.measured(model, data, seed=card["seed"])
    assert again["mig"] == pytest.approx(card["test"]["mig"], abs=0.005)
    assert elbo_terms(again) == pytest.approx(elbo_terms(card["test"]), rel=0.002)
