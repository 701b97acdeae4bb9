"""Checkpoints: weights, cards, and what happens when one of them is damaged."""

import hashlib
import json
import re

import pytest
import torch

from course_lib import checkpoints, datasets, writing
from course_lib.errors import CourseError
from course_lib.models import MLPVAE
from course_lib.recipes import RECIPES
from course_lib.recipes.classifier import prefix
from course_lib.training import to_float

CARD = {"model": {"class": "MLPVAE", "arguments": {"latent_dim": 3, "data_dim": 36, "hidden": 8}}}
LIMIT = 44_000_000  # bytes, all checkpoints together
NAMES = checkpoints.names()


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = MLPVAE(**CARD["model"]["arguments"])
    card = {**CARD, "recipe": "table1", "data": "mnist"}
    checkpoints.save(model, "small", card=card, folder=tmp_path)
    return model, tmp_path


def test_a_model_comes_back(saved):
    """Catches weights that are lost or cut by more than half precision does."""
    model, folder = saved
    again, card = checkpoints.load("small", folder=folder)
    for old, new in zip(model.parameters(), again.parameters(), strict=True):
        assert new.dtype == torch.float32
        assert torch.allclose(old, new, rtol=1e-3, atol=1e-6)
    assert not again.training
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert card["data"] == "mnist"
    assert checkpoints.names(folder) == ["small"]
    assert sorted(p.suffix for p in (folder / "checkpoints").iterdir()) == [".json", ".safetensors"]


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _other_model(path):
    card = path.with_suffix(".json")
    told = json.loads(card.read_text())
    told["model"]["arguments"]["hidden"] = 9
    card.write_text(json.dumps(told))


def _no_model(path):
    card = path.with_suffix(".json")
    card.write_text(card.read_text().replace("MLPVAE", "os.system"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_flip, "not the file that its card describes.*train table1"),
        (lambda path: path.unlink(), "is missing.*train table1"),
        (lambda path: path.with_suffix(".json").write_text("{"), "cannot be read"),
        (lambda path: path.with_suffix(".json").unlink(), "there is no 'small'"),
        (_other_model, "does not fit this version"),
        (_no_model, "no model 'os.system'"),
    ],
)
def test_damage_is_told_in_one_line(saved, damage, words):
    """Catches a traceback, or a model that silently starts from other weights."""
    _, folder = saved
    damage(folder / "checkpoints" / "small.safetensors")
    with pytest.raises(CourseError, match=words) as error:
        checkpoints.load("small", folder=folder)
    assert "\n" not in str(error.value)


def test_metrics_that_are_not_there_say_which_are(tmp_path):
    """Catches a bare FileNotFoundError."""
    checkpoints.write_json(tmp_path / "metrics" / "one.json", {"a": 1})
    assert checkpoints.metrics("one", folder=tmp_path) == {"a": 1}
    with pytest.raises(CourseError, match=r"no 'two' .* one"):
        checkpoints.metrics("two", folder=tmp_path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    """Catches half a card where a whole one was."""
    path = tmp_path / "card.json"
    checkpoints.write_json(path, {"a": 1})

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_row_of_numbers_takes_one_line(tmp_path):
    """Catches cards of thousands of lines, and numbers that change when they are laid out."""
    content = {"codes": [[0.5, -1e-07, 7], [2, 3, 1]], "words": ["a 1", "b"], "empty": []}
    checkpoints.write_json(tmp_path / "card.json", content)
    text = (tmp_path / "card.json").read_text()
    assert json.loads(text) == content and "[0.5, -1e-07, 7]" in text


@pytest.mark.parametrize("name", NAMES)
def test_committed_checkpoints_load_and_tell_where_they_come_from(name):
    """Catches weights without their card, a card without a recipe, a path of the machine on it."""
    model, card = checkpoints.load(name)
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert card["recipe"] in RECIPES
    told = {"name", "data", "source", "seed", "date", "seconds", "torch", "training", "test"}
    assert told <= card.keys()
    text = json.dumps(card)
    assert not re.search(r"(?<![\w.])/(root|home|work|tmp|Users)\b", text), text
    path = checkpoints.DATA / "checkpoints" / f"{name}.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card["sha256"]


@torch.no_grad()
def test_the_committed_judge_is_as_good_as_its_card_says():
    """Catches a change of the network, as of the scale of its input, that its weights do not fit:
    it would load, and every distance of notebook 05 would be another one."""
    data = datasets.load("cifar10")
    model, card = checkpoints.load(f"{prefix(data)}-classifier")
    some = data.test.take(torch.arange(300))
    found = (model(to_float(some.images)).argmax(1) == some.labels).float().mean().item()
    assert found == pytest.approx(card["test"]["accuracy"], abs=0.08)


def test_checkpoints_stay_small():
    """Catches a repository that grows beyond what a class downloads in a minute."""
    files = list((checkpoints.DATA / "checkpoints").iterdir())
    assert sum(path.stat().st_size for path in files) <= LIMIT
    assert {path.stem for path in files} == set(NAMES)
