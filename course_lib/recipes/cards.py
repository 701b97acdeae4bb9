"""What every card says beside the model: recipe, data, date, seconds."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import checkpoints
from course_lib.datasets import Dataset
from course_lib.training import Objective, Record, fit


def card(recipe: str, data: Dataset, *, seed: int, seconds: float, **more: object) -> dict:
    """The fields that all cards and metrics share, and `more` after them."""
    return {
        "recipe": recipe,
        "data": data.name,
        "source": re.sub(r" in [^)]*", "", data.source),  # without the folder on this machine
        "stand_in": data.stand_in,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "seconds": round(seconds, 1),
        "torch": torch.__version__.split("+")[0],
    } | more


def rounded(values: Tensor) -> list:
    """Numbers with four decimals: a card or a page has to carry them."""
    return values.cpu().double().round(decimals=4).tolist()  # Apple's GPUs have no float64


def keep(model: nn.Module, name: str, arguments: dict, card: dict, *, out: Path) -> None:
    """Save a model whose class and arguments go on the card."""
    described = {"class": type(model).__name__, "arguments": arguments}
    checkpoints.save(model, name, card=card | {"model": described}, folder=out)


def train(
    model: nn.Module,
    objective: Objective,
    data: Dataset,
    *,
    n_valid: int,
    title: str,
    **recipe: Any,
) -> tuple[list[Record], float]:
    """`fit` on labelled images under a progress bar: records with validation figures, and seconds.

    recipe: epochs, batch_size, lr, seed, after_step. The first n_valid test images are looked at
    after each epoch, for the card's curve; nothing is chosen by them.
    """
    images, test = data.train.images, data.test
    valid = (test.images[:n_valid], test.labels[:n_valid]) if n_valid else None
    labelled = images, data.train.labels
    return run(
        lambda: fit(model, objective, labelled, valid=valid, bfloat16=True, **recipe),
        title=title, steps=recipe["epochs"] * -(-len(images) // recipe["batch_size"]),
    )  # fmt: skip


def run(records: Callable[[], Iterator[Record]], *, title: str, steps: int) -> tuple[list, float]:
    """Drive a training under a progress bar: the records with validation figures, and seconds."""
    kept, start = [], time.perf_counter()
    for record in tqdm(records(), desc=title, total=steps, mininterval=1.0):
        if record.valid is not None:
            kept.append(record)
    return kept, time.perf_counter() - start
