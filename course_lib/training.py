"""`fit`: the training loop, as a generator that the caller drives, plots and stops."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from tqdm.auto import tqdm

from course_lib.datasets import Split
from course_lib.devices import best_device
from course_lib.errors import CourseError
from course_lib.losses import GaussianElboTerms

__all__ = [
    "Data",
    "Objective",
    "Record",
    "best_device",
    "evaluate",
    "fit",
    "keep_log_sigma",
    "steps_of",
    "to_float",
]

Data = Tensor | tuple[Tensor, ...]  # images, uint8 (N, …) in memory; or (images, labels (N,))
# objective(model, x), with labels objective(model, x, y), gives the loss (scalar) and its
# unweighted terms, (B,) each; x is a float batch in [0, 1].
Objective = Callable[..., tuple[Tensor, NamedTuple]]


@dataclass(frozen=True)
class Record:
    """What happened in one step. Terms are means over the batch; `valid` at the end of an epoch."""

    step: int
    epoch: int
    loss: float
    terms: dict[str, float]
    seconds: float
    valid: dict[str, float] | None = None


def to_float(images: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 pixels 0…255 to floats in [0, 1]: x / 255."""
    return images.to(device).float().div_(255)


def fit(
    model: nn.Module,
    objective: Objective,
    train: Data,
    *,
    epochs: int,
    steps: int | None = None,
    batch_size: int = 256,
    lr: float = 2e-3,
    beta2: float = 0.999,
    seed: int = 0,
    valid: Data | None = None,
    patience: int | None = None,
    after_step: Callable[[nn.Module, Any], None] | None = None,
) -> Iterator[Record]:
    """Minimise the objective with Adam and a one-cycle learning rate; yield a record a step.

    steps: ends training, and the schedule with it, in the middle of an epoch; at most `epochs`.
    With `patience`, training ends when the validation loss has not improved for that many epochs,
    and the model ends with its best weights (not where the caller stops earlier: then it keeps its
    last). beta2: Adam's memory of squared gradients; a shorter one helps where gradients shrink by
    a lot, as those of squared errors do. after_step(model, terms) is called after each step.
    The same seed gives the same weights on the same machine, whatever the caller draws in between.
    """
    train, valid = _checked(train, "images"), None if valid is None else _checked(valid, "valid")
    _check_settings(epochs, batch_size, patience=patience, valid=valid)
    model.to(device := best_device())
    optimizer, n_batches = _adam(model, lr=lr, beta2=beta2), -(-len(train[0]) // batch_size)
    total = epochs * n_batches if steps is None else min(steps, epochs * n_batches)
    schedule = OneCycleLR(optimizer, lr, total_steps=max(2, total))
    shuffle = torch.Generator().manual_seed(seed)
    stopping, start, step = _EarlyStopping(patience), time.perf_counter(), 0
    for epoch in range(1, epochs + 1):
        model.train()
        order = torch.randperm(len(train[0]), generator=shuffle).split(batch_size)
        for index in order[: total - step]:
            with _own_noise(seed, step, device):
                loss, terms = objective(model, *_batch(train, index, device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if after_step:
                after_step(model, terms)
            step, scores = step + 1, None
            if valid and step == epoch * n_batches:
                scores = evaluate(model, objective, valid, seed=seed)
                stopping.update(model, scores["loss"])
            seconds = time.perf_counter() - start
            yield Record(step, epoch, loss.item(), _means(terms), seconds, scores)
        if step == total or stopping.is_due():
            break
    stopping.restore_best(model)


def steps_of(
    model: nn.Module,
    objective: Objective,
    data: Split,
    *,
    steps: int,
    batch_size: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
) -> Iterator[Record]:
    """The records of exactly `steps` training steps, under a progress bar: see `fit`.

    data: a split, with its labels where it has them. Fewer images than fill a batch are repeated.
    """
    images = _repeated(data, batch_size)
    train = images.images if images.labels is None else (images.images, images.labels)
    epochs = -(-steps * batch_size // len(images)) + 1
    records = fit(
        model, objective, train,
        epochs=epochs, steps=steps, batch_size=batch_size, lr=lr, seed=seed,
    )  # fmt: skip
    yield from tqdm(records, total=steps, leave=False)


def _repeated(data: Split, batch_size: int) -> Split:
    """The same split, or so many of its images over and over that one batch is full."""
    n = len(data)
    return data if n >= batch_size else data.take(torch.arange(batch_size) % n)


def keep_log_sigma(vae: nn.Module, terms: GaussianElboTerms) -> None:
    """The log σ of the last batch becomes the model's: an `after_step` of `fit`."""
    vae.log_sigma.copy_(terms.log_sigma.detach())


def _adam(model: nn.Module, *, lr: float, beta2: float) -> torch.optim.Adam:
    """Fused where there is such a kernel; the schedule moves β₁ between 0.95 and 0.85."""
    fused = next(model.parameters()).device.type != "mps"
    return torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, beta2), fused=fused)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    objective: Objective,
    data: Data,
    *,
    seed: int = 0,
    batch_size: int = 1000,
) -> dict[str, float]:
    """Mean of the loss and of its terms over all images, without training. Nats per image."""
    data = _checked(data, "images")
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    sums: dict[str, float] = {}
    n = len(data[0])
    for i, index in enumerate(torch.arange(n).split(batch_size)):
        with _own_noise(seed, i, device):
            loss, terms = objective(model, *_batch(data, index, device))
        for name, value in {"loss": loss.item(), **_means(terms)}.items():
            sums[name] = sums.get(name, 0.0) + value * len(index) / n
    model.train(was_training)
    return sums


def _batch(data: tuple[Tensor, ...], index: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """What an objective gets after the model: x, and y where there are labels."""
    images, *labels = (part[index] for part in data)
    return to_float(images, device), *(y.to(device) for y in labels)


def _means(terms: NamedTuple) -> dict[str, float]:
    return {name: value.mean().item() for name, value in terms._asdict().items()}


@contextlib.contextmanager
def _own_noise(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Random numbers from (seed, step) alone; the caller's own (CPU, CUDA) stay as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed * 1_000_003 + step)
        yield


class _EarlyStopping:
    """The best weights so far, and how many epochs ago that was."""

    def __init__(self, patience: int | None) -> None:
        self.patience, self.best_loss, self.epochs_since = patience, float("inf"), 0
        self.weights: dict[str, Tensor] | None = None

    def update(self, model: nn.Module, loss: float) -> None:
        self.epochs_since += 1
        if self.patience is not None and loss < self.best_loss:
            self.best_loss, self.epochs_since = loss, 0
            self.weights = copy.deepcopy(model.state_dict())

    def is_due(self) -> bool:
        return self.patience is not None and self.epochs_since >= self.patience

    def restore_best(self, model: nn.Module) -> None:
        if self.weights is not None:
            model.load_state_dict(self.weights)


def _checked(data: Data, what: str) -> tuple[Tensor, ...]:
    """(images,) or (images, labels); CourseError where these cannot be trained with."""
    images, *labels = data = (data,) if isinstance(data, Tensor) else data
    if images.dtype != torch.uint8:
        raise CourseError(f"{what} must be uint8, not {images.dtype}: pass the data as loaded")
    if len(images) == 0:
        raise CourseError(f"{what}: there are no images")
    if labels and len(labels[0]) != len(images):
        raise CourseError(f"{what}: there are {len(images)} of them, and {len(labels[0])} labels")
    return data


def _check_settings(
    epochs: int, batch_size: int, *, patience: int | None, valid: tuple[Tensor, ...] | None
) -> None:
    if epochs < 0 or batch_size < 1:
        raise CourseError(f"epochs={epochs}, batch_size={batch_size}: at least 0 and 1")
    if patience is not None and valid is None:
        raise CourseError("patience needs validation images: pass valid=…")
