"""Recipes on a GPU that is not there: no mixing of devices, no float64 on MPS."""

import importlib

import numpy as np
import pytest
import torch
from fake_device import FakeDevice

from course_lib import datasets, devices
from course_lib.recipes import RECIPES, cards

FEW = {"train": 160, "test": 64, "valid": 64}


@pytest.fixture(params=["cuda", "mps"])
def gpu(request):
    """All of PyTorch with a GPU of this kind, which the course finds and tries by itself."""
    devices.best_device.cache_clear()
    with FakeDevice(request.param):
        assert devices.best_device() == torch.device(request.param)
        yield request.param
    devices.best_device.cache_clear()


@pytest.fixture
def few_images(monkeypatch):
    """Data sets with a few of their images."""
    load = datasets.load

    def cut(name, **options):
        data = load(name, **options)
        parts = {
            key: split.take(torch.linspace(0, len(split) - 1, FEW[key]).long())  # all factors vary
            for key, split in data.splits().items()
        }
        return data.renamed(**parts)

    monkeypatch.setattr(datasets, "load", cut)
    monkeypatch.setattr(cards, "bfloat16_pays", lambda: False)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_on_a_gpu(name, gpu, few_images, monkeypatch, tmp_path):
    """Catches a recipe that after minutes of training ends with tensors on two devices."""
    recipe = importlib.import_module(f"course_lib.recipes.{name}")
    if hasattr(recipe, "EPOCHS"):
        epochs = dict.fromkeys(recipe.EPOCHS, 1) if isinstance(recipe.EPOCHS, dict) else 1
        monkeypatch.setattr(recipe, "EPOCHS", epochs)
    if name == "sprites":
        monkeypatch.setattr(recipe, "SEEDS", (0,))
    recipe.run(tmp_path)
    assert list(tmp_path.rglob("*.json"))


def test_the_trial_of_bfloat16_runs_on_a_gpu(gpu):
    """Catches a trial on the CPU that decides for a GPU."""
    assert cards.bfloat16_pays.__wrapped__() in (True, False)


MIXED = {
    "sum": lambda x: x + torch.ones(3),
    "sum, the other way round": lambda x: torch.ones(3) + x,
    "product": lambda x: torch.ones(2, 3) @ x,
    "in place": lambda x: torch.zeros(()).add_(x.sum()),
    "row by row": lambda x: torch.cat([x, torch.ones(1)]),
    "numbers side by side": lambda x: torch.stack([x.sum(), torch.tensor(1.0)]),
    "index": lambda x: torch.ones(3)[x > 0],
    "a model left behind": lambda x: torch.nn.Linear(3, 2)(x),
    "a batch left behind": lambda x: torch.nn.Linear(3, 2).to(x.device)(torch.ones(1, 3)),
    "labels": lambda x: torch.nn.functional.cross_entropy(x[None], torch.tensor([1])),
    "a generator": lambda x: torch.rand(3, generator=torch.Generator(), device=x.device),
    "numpy": lambda x: x.numpy(),
    "numpy, unseen": lambda x: np.asarray(x),
    "a gradient": lambda x: (x.requires_grad_() ** 2).sum().backward() or x.grad + torch.ones(3),
    "a distribution": lambda x: torch.distributions.Normal(x, torch.ones(3)).rsample(),
    "a buffer": lambda x: torch.nn.BatchNorm1d(3).to(x.device).eval()(x[None]) + torch.ones(1, 3),
}


@pytest.mark.parametrize("mix", MIXED.values(), ids=MIXED)
def test_the_fake_sees_what_a_gpu_would(mix, gpu):
    """Catches a fake under which everything passes."""
    with pytest.raises((RuntimeError, TypeError), match=r"two devices|convert|generator"):
        mix(torch.ones(3).to(devices.best_device()))


WELL = {
    "a number": lambda x: x + torch.tensor(2.0),
    "a number on the left": lambda x: torch.tensor(2.0) * x,
    "an index from the CPU": lambda x: x[torch.tensor([0, 1])],
    "a part": lambda x: x.clone().__setitem__(slice(0, 2), torch.ones(2)),
    "back": lambda x: x.cpu() + torch.ones(3),
    "as numbers": lambda x: torch.tensor(x.tolist()) + torch.ones(3),
    "copied": lambda x: torch.empty(3).copy_(x).numpy(),
    "like": lambda x: torch.zeros_like(x) + x.new_ones(3) + torch.ones(3, device=x.device),
    "a model": lambda x: torch.nn.Linear(3, 2).to(x.device)(x[None]),
}


@pytest.mark.parametrize("use", WELL.values(), ids=WELL)
def test_the_fake_allows_what_a_gpu_does(use, gpu):
    """Catches a fake that asks for more than PyTorch does."""
    there = torch.ones(3)
    x = there.to(devices.best_device())
    use(x)
    assert x.device.type == gpu and there.device.type == "cpu" and x is not there


def test_only_mps_refuses_float64(gpu):
    """Catches float64 that nobody notices before it meets a Mac."""
    x = torch.ones(3).to(devices.best_device())
    for make in (lambda: x.double(), lambda: torch.ones(2, dtype=torch.float64).to(x.device),
                 lambda: torch.ones(2, dtype=torch.float64, device=x.device)):  # fmt: skip
        if gpu == "mps":
            with pytest.raises(TypeError, match="float64"):
                make()
        else:
            assert make().dtype == torch.float64
