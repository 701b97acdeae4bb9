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

from course_lib import devices, parallel, precision
from course_lib.datasets import Split, mapped
from course_lib.devices import best_device
from course_lib.errors import CourseError
from course_lib.losses import GaussianElboTerms
from course_lib.progress import progress_bar

__all__ = [
    "Data",
    "Objective",
    "Record",
    "adam",
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
    """What happened in one step; `valid` at the end of an epoch, where there are such images.

    Loss and terms, means over the batch, are read from the device when they are asked for: a step
    on a GPU waits for nothing. `seconds` since the start, on a GPU until the step was asked for.
    """

    step: int
    epoch: int
    means: dict[str, Tensor]
    seconds: float
    valid: dict[str, float] | None = None

    @property
    def loss(self) -> float:
        """What was minimised, mean over the batch."""
        return self.means["loss"].item()

    @property
    def terms(self) -> dict[str, float]:
        """The objective's terms, unweighted, means over the batch."""
        return {name: value.item() for name, value in self.means.items() if name != "loss"}


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
    bfloat16: bool = False,
) -> Iterator[Record]:
    """Minimise the objective with Adam and a one-cycle learning rate; yield a record a step.

    steps: ends training, and the schedule with it, in the middle of an epoch; at most `epochs`.
    With `patience`, training ends when the validation loss has not improved for that many epochs,
    and the model ends with its best weights (not where the caller stops earlier: then it keeps its
    last). beta2: Adam's memory of squared gradients; a shorter one helps where gradients shrink by
    a lot, as those of squared errors do. after_step(model, terms) is called after each step.
    bfloat16: matrix products in it where that is faster here, see `precision`.
    The same seed gives the same weights on the same machine, whatever the caller draws in between,
    and nearly the same in several processes, see `parallel`.
    """
    train, valid = _checked(train, "images"), None if valid is None else _checked(valid, "valid")
    _check_settings(epochs, batch_size, patience=patience, valid=valid)
    model.to(device := best_device())
    train, valid = devices.resident(train, device), valid and devices.resident(valid, device)
    optimizer, n_batches = adam(model, lr=lr, beta2=beta2), -(-len(train[0]) // batch_size)
    total = epochs * n_batches if steps is None else min(steps, epochs * n_batches)
    schedule = OneCycleLR(optimizer, lr, total_steps=max(2, total))
    shuffle = torch.Generator().manual_seed(seed)
    goal = _in_bfloat16(objective, model, train, batch_size) if bfloat16 else objective
    stopping, start, step = _EarlyStopping(patience), time.perf_counter(), 0
    for epoch in range(1, epochs + 1):
        model.train()
        order = torch.randperm(len(train[0]), generator=shuffle).to(train[0].device)
        for index in order.split(batch_size)[: total - step]:
            with _own_noise(seed, step, device, len(index)):
                loss, terms = goal(model, *_batch(train, index, device))
            _descend(model, loss, optimizer, n=len(index))
            schedule.step()
            if after_step:
                after_step(model, terms)
            step, scores = step + 1, None
            if valid and step == epoch * n_batches:
                scores = evaluate(model, objective, valid, seed=seed)
                stopping.update(model, scores["loss"])
            means = _means(loss, terms, len(index))
            yield Record(step, epoch, means, time.perf_counter() - start, scores)
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
    yield from progress_bar(records, total=steps)


def _repeated(data: Split, batch_size: int) -> Split:
    """The same split, or so many of its images over and over that one batch is full."""
    n = len(data)
    return data if n >= batch_size else data.take(torch.arange(batch_size) % n)


def keep_log_sigma(vae: nn.Module, terms: GaussianElboTerms) -> None:
    """The log σ of the last batch becomes the model's: an `after_step` of `fit`."""
    vae.log_sigma.copy_(terms.log_sigma.detach())


def adam(model: nn.Module, *, lr: float, beta2: float) -> torch.optim.Adam:
    """Fused where there is such a kernel; the schedule moves β₁ between 0.95 and 0.85."""
    fused = next(model.parameters()).device.type != "mps"
    return torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, beta2), fused=fused)


def _descend(model: nn.Module, loss: Tensor, optimizer: torch.optim.Adam, *, n: int) -> None:
    """One step of the optimiser, down the gradient of a batch of n images."""
    optimizer.zero_grad()
    loss.backward()
    parallel.average_gradients(model, n)
    optimizer.step()


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
    was_training, device = model.training, next(model.parameters()).device
    data = devices.resident(_checked(data, "images"), device)
    model.eval()
    n, batches = len(data[0]), []
    for i, index in enumerate(torch.arange(n, device=data[0].device).split(batch_size)):
        with _own_noise(seed, i, device, len(index)):
            loss, terms = objective(model, *_batch(data, index, device))
        batches.append((_means(loss, terms, len(index)), len(index)))
    model.train(was_training)
    return {key: sum(means[key].item() * k for means, k in batches) / n for key in batches[0][0]}


def _batch(data: tuple[Tensor, ...], index: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """What an objective gets after the model: x, and y where there are labels."""
    # Rows are copied whole: `part[…]` takes ten times as long.
    images, *labels = (part.index_select(0, parallel.part_of(index)) for part in data)
    mapped.release(data[0])
    return to_float(images, device), *(y.to(device) for y in labels)


def _means(loss: Tensor, terms: NamedTuple, n: int) -> dict[str, Tensor]:
    """The loss and the mean of each term over a batch of n images; they stay on the device."""
    means = {name: value.detach().mean() for name, value in terms._asdict().items()}
    return parallel.average({"loss": loss.detach()} | means, n)


def _in_bfloat16(
    objective: Objective, model: nn.Module, train: tuple[Tensor, ...], batch_size: int
) -> Objective:
    """The objective as `precision.cheaper` has it, by a trial on the first images."""
    device = next(model.parameters()).device
    first = torch.arange(min(batch_size, len(train[0])), device=train[0].device)
    with _own_noise(0, 0, device, len(first)):
        return precision.cheaper(objective, model, _batch(train, first, device))


@contextlib.contextmanager
def _own_noise(seed: int, step: int, device: torch.device, n: int) -> Iterator[None]:
    """Random numbers for n images, from (seed, step) alone; the caller's own stay as they were."""
    with devices.seeded(seed * 1_000_003 + step, device), parallel.noise_of(n):
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
