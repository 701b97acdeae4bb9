"""Epochs of three models: `fit`, a bare loop, a DataLoader loop, pythae and Lightning.

All of them train the same network on the same images with the same objective, batch and Adam, in
single precision, in turns. The bound is what the network's own matrix products and convolutions
take, forward and backward, at the step's shapes, and nothing else.
"""

from __future__ import annotations

import bisect
import math
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from tqdm import tqdm

from course_lib import datasets, precision
from course_lib.benchmarks import peers
from course_lib.benchmarks.machine import described, load_per_core
from course_lib.benchmarks.products import layer_products
from course_lib.benchmarks.report_models import ReportAutoencoder, ReportVAE
from course_lib.datasets import Split
from course_lib.losses import autoencoder_objective, vae_objective
from course_lib.models import MLPVAE
from course_lib.training import Objective, adam, best_device, evaluate, fit, to_float

ROUNDS = 5  # after a first one that warms up
GOAL = 105.0  # −ELBO of test images, nats
LARGER = (512, 1024)  # batches of `fit`: faster epochs, but after 16 of them still above the goal
FIT_RATES = {128: 2e-3, 256: 4e-3}  # batches on the way to the goal; 256 ends higher at 2e-3, 6e-3
LOOP_RATES = (1e-3, 2e-3)  # at one rate: the best of these and of the same batches counts
MOST_EPOCHS = 16


class Task(NamedTuple):
    """What is trained, and on how many images a timed epoch is."""

    name: str
    model: Callable[[], nn.Module]
    objective: Objective
    images: Callable[[], Split]
    batch: int
    n: int


MLP = Task("MLP VAE 784-256-256-64, digits", lambda: MLPVAE(64), vae_objective,
           lambda: datasets.load("mnist").train, 256, 20_000)  # fmt: skip
TASKS = (
    MLP, MLP._replace(name=f"{MLP.name}, small batches", batch=128),
    Task("conv AE of report 003, digits", ReportAutoencoder, autoencoder_objective,
         lambda: datasets.load("mnist").train, 128, 5_120),
    Task("conv VAE of report 000, faces 64×64", lambda: ReportVAE(128), vae_objective,
         lambda: datasets.load("celeba", size=64).train, 128, 1_280),
)  # fmt: skip


def own_loop(task: Task, data: Split, *, bfloat16: bool = False) -> Callable[[], None]:
    """The course's loop, as notebooks call it, or as recipes do with bfloat16."""

    def epoch() -> None:
        settings = {"epochs": 1, "batch_size": task.batch, "bfloat16": bfloat16}
        for _ in fit(task.model(), task.objective, data.images, **settings):
            pass

    return epoch


def bare_loop(task: Task, data: Split) -> Callable[[], None]:
    """The least that trains from memory: no records, no schedule, no care for random numbers."""

    def epoch() -> None:
        adam_epoch(task.model().to(best_device()), task.objective, data, batch=task.batch)

    return epoch


def adam_epoch(
    model: nn.Module, objective: Objective, data: Split, *, batch: int, optimizer: Any = None
) -> None:
    """One epoch of Adam at a constant rate over images in memory."""
    optimizer = optimizer or adam(model, lr=2e-3, beta2=0.999)
    for index in torch.randperm(len(data)).split(batch):
        loss, _ = objective(model, to_float(data.images.index_select(0, index), best_device()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def ways(task: Task, data: Split, root: Path) -> dict[str, Callable[[], None]]:
    """Each way to train, by its name; packages that are not installed are left out, with a line."""
    found = {"fit": own_loop(task, data), "bare loop": bare_loop(task, data)}
    found["DataLoader loop"] = peers.loader_loop(task, peers.as_dataset(data, root))
    for name, (module, make) in peers.PACKAGES.items():
        if peers.is_there(module):
            found[name] = make(task, data, root)
        else:
            print(f"  {name} is left out: pip install {module}")
    found["bound"] = layer_products(task.model(), to_float(data.images[: task.batch]), len(data))
    return found


def measured(task: Task) -> dict:
    """Seconds per epoch of each way, in turns, and of the models of `fit` with larger batches."""
    data = task.images()
    data = data.take(torch.arange(min(task.n, len(data))))
    with tempfile.TemporaryDirectory() as root:
        todo = ways(task, data, Path(root))
        if task is MLP:
            for batch in LARGER:
                larger = task._replace(batch=batch)
                x = to_float(data.images[:batch])
                todo[f"fit, batch {batch}"] = own_loop(larger, data)
                todo[f"bound, batch {batch}"] = layer_products(task.model(), x, len(data))
            largest = task._replace(batch=max(LARGER))
            if precision.is_offered(best_device()):
                name = f"in bfloat16, batch {largest.batch}"
                todo[name] = own_loop(largest, data, bfloat16=True)
        times: dict[str, list[float]] = {name: [] for name in todo}
        for name in tqdm([*todo] * (1 + ROUNDS), desc=task.name, leave=False):
            times[name].append(seconds(todo[name]))
    return report(task, {name: values[1:] for name, values in times.items()}, n=len(data))


def seconds(epoch: Callable[[], None]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    epoch()
    if best_device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def report(task: Task, times: dict[str, list[float]], *, n: int) -> dict:
    """Print and return medians, and how many times `fit` or the bound each one takes.

    Ratios are those of neighbouring runs: their median, least and largest.
    """
    print(f"  {task.name}, batch {task.batch}: seconds per epoch of {n:,} images")
    rows = {}
    for name, values in times.items():
        base = "fit" if "fit" not in name else name.replace("fit", "bound")
        ratios = sorted(a / b for a, b in zip(values, times[base], strict=True))
        row = {"seconds": statistics.median(values), "ratio": statistics.median(ratios)}
        row |= {"least": ratios[0], "most": ratios[-1], "all": values}
        rows[name] = row | {"of": base}
        print(f"    {name:16s} {row['seconds']:7.2f} s   {row['ratio']:5.2f} times {base} "
              f"({row['least']:.2f} to {row['most']:.2f})")  # fmt: skip
    return {"images": n, "batch": task.batch, "ways": rows}


def time_to_goal(figures: dict) -> dict:
    """Minutes until −ELBO of the test images is at most GOAL: each way at its own best batch, rate.

    Epochs to the goal times what an epoch takes at that batch. `fit` is run for several numbers of
    epochs in all, since its rate falls over the whole training. The others go on at one rate: their
    epochs are counted once, on images in memory.
    """
    data = datasets.load("mnist")
    tables = {task.batch: figures[task.name] for task in TASKS if task.model is MLP.model}
    ends = {(b, r): epochs_of_fit(data, batch=b, rate=r) for b, r in FIT_RATES.items()}
    of_loop = {(b, r): epochs_of_loop(data, batch=b, rate=r) for b in tables for r in LOOP_RATES}
    print(f"  {MLP.name}: time until −ELBO of test images is at most {GOAL:g}")
    found = {}
    for way in tables[MLP.batch]["ways"]:
        if way != "bare loop" and not re.search("bound|batch", way):
            of_image = {b: x["ways"][way]["seconds"] / x["images"] for b, x in tables.items()}
            found[way] = min(
                (told(epochs, of_image[batch] * len(data.train), batch, rate)
                 for (batch, rate), epochs in (ends if way == "fit" else of_loop).items()),
                key=lambda row: row["minutes"] or math.inf,
            )  # fmt: skip
            line = (
                "{minutes:5.2f} min, {epochs} epochs of batches of {batch}, rate {rate:g}"
                if found[way]["epochs"]
                else f"not reached in {MOST_EPOCHS} epochs"
            )
            print(f"    {way:16s} {line.format(**found[way])}")
    return found


def told(epochs: int | None, per_epoch: float, batch: int, rate: float) -> dict:
    """One line of the table; without the goal reached no time."""
    minutes = None if epochs is None else epochs * per_epoch / 60
    return {"minutes": minutes, "epochs": epochs, "batch": batch, "rate": rate}


def epochs_of_fit(data: datasets.Dataset, *, batch: int, rate: float) -> int | None:
    """How long the shortest training by `fit` is that reaches the goal; None: none does."""

    def reaches(epochs: int) -> bool:
        torch.manual_seed(0)
        model = MLPVAE(64)
        train = {"epochs": epochs, "batch_size": batch, "lr": rate}
        list(fit(model, vae_objective, data.train.images, **train))
        return evaluate(model, vae_objective, data.test.images)["loss"] <= GOAL

    tried = range(2, MOST_EPOCHS + 1)  # a longer training ends lower
    found = bisect.bisect_left(tried, True, key=reaches)
    return tried[found] if found < len(tried) else None


def epochs_of_loop(data: datasets.Dataset, *, batch: int, rate: float) -> int | None:
    """After how many epochs of Adam at one rate the goal is reached; None: after none of them."""
    torch.manual_seed(0)
    model = MLPVAE(64).to(best_device())
    optimizer = adam(model, lr=rate, beta2=0.999)
    for epoch in range(1, MOST_EPOCHS + 1):
        adam_epoch(model, vae_objective, data.train, batch=batch, optimizer=optimizer)
        if evaluate(model, vae_objective, data.test.images)["loss"] <= GOAL:
            return epoch
    return None


def run() -> dict:
    """Time all tasks, and the way to the goal; print tables, return figures."""
    load = load_per_core()
    figures: dict[str, Any] = {"machine": described(), "load per core": load}
    figures["data"] = {name: datasets.load(name).source for name in ("mnist", "celeba")}
    print("  " + ", ".join(f"{key} {value}" for key, value in figures["machine"].items()))
    for task in TASKS:
        figures[task.name] = measured(task)
    figures["time to goal"] = time_to_goal(figures)
    return figures
