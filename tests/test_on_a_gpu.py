"""Recipes and notebooks on a GPU that is not there: no mixing of devices, no float64 on MPS."""

import ast
import importlib
import itertools
import time
from functools import partial

import data_tools
import matplotlib
import numpy as np
import pytest
import small_runs
import torch
from fake_device import CPU, FakeDevice, device_of
from matplotlib import pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.manifold import TSNE

from course_lib import devices, exercises, metrics, precision
from course_lib.authoring.source import read_source
from course_lib.losses import vae_objective
from course_lib.models import MLPVAE
from course_lib.place import ROOT
from course_lib.recipes import RECIPES
from course_lib.training import fit

STEMS = sorted(path.stem for path in (ROOT / "solutions").glob("[0-9][0-9]_*.py"))
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
    data_tools.cut_images(monkeypatch, FEW)
    monkeypatch.setattr(precision, "is_offered", lambda device: False)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_on_a_gpu(name, gpu, few_images, monkeypatch, tmp_path):
    """Catches a recipe that after minutes of training ends with tensors on two devices."""
    recipe = importlib.import_module(f"course_lib.recipes.{name}")
    if hasattr(recipe, "EPOCHS"):
        epochs = dict.fromkeys(recipe.EPOCHS, 1) if isinstance(recipe.EPOCHS, dict) else 1
        monkeypatch.setattr(recipe, "EPOCHS", epochs)
    few_steps = {"latent": 3, "pixels": 2}
    for few, value in {"STEPS": 2, "SEEDS": (0,), "SAMPLING_STEPS": few_steps, "N": 64}.items():
        if hasattr(recipe, few):
            monkeypatch.setattr(recipe, few, value)
    recipe.run(tmp_path)
    assert list(tmp_path.rglob("*.json"))


ROUNDS = 50  # of a `for` statement: notebook 01 takes means over 50 steps
SECONDS = itertools.count(0, 0.2)  # a clock that every look moves on: loops end after a few rounds


class Cutter(ast.NodeTransformer):
    """Loops of a few rounds, comprehensions of at most 256, and drawn batches of 8."""

    def visit_For(self, node):
        return self.cut(node, ROUNDS)

    def visit_comprehension(self, node):
        return self.cut(node, 256)

    def cut(self, node, most):
        node.iter = ast.Call(ast.Name("__cut__", ast.Load()), [node.iter, ast.Constant(most)], [])
        return self.generic_visit(node)

    def visit_Call(self, node):
        size = node.args[-1] if ast.unparse(node.func) == "torch.randint" else None
        if isinstance(size, ast.Tuple) and len(size.elts) in (1, 2):
            size.elts[-1] = ast.Constant(8)
        return self.generic_visit(node)


@pytest.fixture
def short_work(gpu, monkeypatch):
    """What a notebook imports, with the same devices and less work."""
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.setattr(time, "perf_counter", lambda: next(SECONDS))
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    monkeypatch.setattr(exercises, "check", lambda name, candidate: candidate)
    monkeypatch.setattr(metrics, "factor_vae_score", partial(metrics.factor_vae_score, votes=20))
    monkeypatch.setattr(TSNE, "fit_transform", lambda self, X: np.asarray(X)[:, :2])
    fit, few = RandomForestClassifier.fit, {"n_estimators": 10, "n_jobs": 1}
    monkeypatch.setattr(
        RandomForestClassifier, "fit", lambda self, *data: fit(self.set_params(**few), *data)
    )
    plt.switch_backend("Agg")
    with matplotlib.rc_context():
        yield
    plt.close("all")


def run_notebook(stem, monkeypatch, *, old="", new=""):
    """Every cell of the solution, cut short, with `new` in place of its `old`."""
    path = ROOT / "solutions" / f"{stem}.py"
    small_runs.cut(stem, monkeypatch)
    names = {"__cut__": itertools.islice}
    for cell in read_source(path):
        if cell.kind == "code":
            tree = Cutter().visit(ast.parse(cell.source.replace(old, new) if old else cell.source))
            ast.increment_lineno(ast.fix_missing_locations(tree), cell.line)
            exec(compile(tree, path, "exec"), names)


@pytest.mark.notebook
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("gpu", ["mps"], indirect=True)
@pytest.mark.parametrize("stem", STEMS)
def test_a_notebook_runs_on_a_gpu(stem, short_work, monkeypatch):
    """Catches a cell that on a GPU meets tensors of two devices, or float64 on a Mac.

    MPS refuses all that CUDA does, and float64; what the course does otherwise on CUDA, bfloat16
    and a fused Adam, is in `fit`, which recipes run on both.
    """
    run_notebook(stem, monkeypatch)


SPOILED = {  # a GPU, a line of notebook 01, what it becomes, what the GPU says of it
    "a model left there": ("cuda", "    model.cpu()\n", "", "two devices"),
    "a batch left here": ("mps", "(images[batch], device)", "(images[batch])", "two devices"),
    "float64": ("mps", "to_float(images[batch], device)", "X_pca[batch].to(device)", "float64"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("gpu", "old", "new", "said"), SPOILED.values(), ids=SPOILED, indirect=["gpu"]
)
def test_a_spoiled_notebook_fails(old, new, said, short_work, monkeypatch):
    """Catches cuts after which nothing in a notebook can fail."""
    with pytest.raises((RuntimeError, TypeError), match=said):
        run_notebook("01_autoencoder_basics", monkeypatch, old=old, new=new)


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
    "a gradient, asked for": lambda x: (
        torch.ones(3) + torch.autograd.grad((x.requires_grad_() ** 2).sum(), x)[0]
    ),
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


class Waits(FakeDevice):
    """The device, and what is asked of it that waits for its answer or sends it data."""

    NAMES = ("item", "tolist", "__bool__", "__float__", "__int__", "__index__", "nonzero", "cpu")

    def __init__(self, kind):
        super().__init__(kind)
        self.waited, self.sent = [], []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, first = self.name_of(func), args[0] if args else None
        there = isinstance(first, torch.Tensor) and device_of(first) == self.device
        result = super().__torch_function__(func, types, args, kwargs)
        if isinstance(first, torch.Tensor) and name in ("to", "cuda", "copy_", *self.NAMES):
            comes_back = there and (name in self.NAMES or device_of(result) != self.device)
            if comes_back:
                self.waited.append(name)
            elif not there and isinstance(result, torch.Tensor) and device_of(result) != CPU:
                self.sent.append(tuple(first.shape))
        return result


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_step_neither_waits_for_the_gpu_nor_sends_it_images(kind):
    """Catches `.item()` in a step, images that stay behind, a mean that is read each time."""
    devices.best_device.cache_clear()
    images = torch.randint(0, 256, (70, 1, 28, 28), dtype=torch.uint8)
    labels = torch.arange(70)
    torch.manual_seed(0)
    with Waits(kind) as device:
        vae, objective = MLPVAE(2, hidden=16), lambda vae, x, y: vae_objective(vae, x)
        records = fit(
            vae,
            objective,
            (images, labels),
            epochs=2,
            batch_size=20,
            valid=(images[:8], labels[:8]),
        )
        steps = [next(records) for _ in range(3)]
        device.waited.clear(), device.sent.clear()
        steps += [next(records) for _ in range(2)]  # over the end of an epoch
        assert device.sent == [(70,)]  # the next epoch's order
        evaluated, device.waited = device.waited, []
        assert len(evaluated) == 3  # loss and two terms, once an epoch
        assert steps[0].loss == steps[0].loss and steps[0].terms.keys() == {"log_lik", "kl"}
        assert device.waited == ["item"] * 4
    devices.best_device.cache_clear()


def test_images_that_do_not_fit_stay_where_they_are(monkeypatch):
    """Catches a data set that fills the GPU's memory."""
    devices.best_device.cache_clear()
    images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
    with Waits("cuda") as device:
        monkeypatch.setattr(devices, "_free_bytes", lambda device: 2 * images.nbytes - 1)
        assert device_of(devices.resident((images,), device.device)[0]) == CPU
        list(fit(MLPVAE(2, hidden=16), vae_objective, images, epochs=1, batch_size=20))
        assert device.sent.count((20, 1, 28, 28)) == 2
        monkeypatch.setattr(devices, "_free_bytes", lambda device: 2 * images.nbytes)
        assert device_of(devices.resident((images,), device.device)[0]) == device.device
    devices.best_device.cache_clear()
