"""`fit`: the training loop, as a generator that the caller drives, plots and stops."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib.errors import CourseError

# A model and a float batch, with its labels if there are any, to the loss (scalar) and its
# unweighted terms, (B,) each.
Objective = Callable[..., tuple[Tensor, tuple]]


@dataclass(frozen=True)
class Record:
    """What happened in one step. Terms are means over the batch; `valid` at the end of an epoch."""

    step: int
    epoch: int
    loss: float
    terms: dict[str, float]
    seconds: float
    valid: dict[str, float] | None = None


def best_device() -> torch.device:
    """CUDA if there is one, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def to_float(images: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 pixels 0…255 to floats in [0, 1]: x / 255."""
    return images.to(device).float().div_(255)


def fit(
    model: nn.Module,
    objective: Objective,
    images: Tensor,
    *,
    epochs: int,
    batch_size: int = 256,
    lr: float = 2e-3,
    beta2: float = 0.999,
    seed: int = 0,
    labels: Tensor | None = None,
    valid: Tensor | None = None,
    valid_labels: Tensor | None = None,
    patience: int | None = None,
    device: torch.device | None = None,
) -> Iterator[Record]:
    """Minimise the objective with Adam and a one-cycle learning rate; yield a record a step.

    images, valid: uint8 (N, …), in memory. With `labels`, (N,), the objective is called with
    (model, x, y), else with (model, x). With `patience`, training ends when the validation loss
    has not improved for that many epochs, and the model ends with its best weights (not where the
    caller stops earlier: then it keeps its last). beta2: Adam's memory of squared gradients; a
    shorter one helps where gradients shrink by a lot, as those of squared errors do.
    The same seed gives the same weights on the same machine, whatever the caller draws in between.
    """
    _refuse_bad_data(images, labels, what="images")
    _refuse_bad_data(images if valid is None else valid, valid_labels, what="valid")
    _refuse_bad_sizes(epochs, batch_size, patience=patience, valid=valid)
    device = device or best_device()
    model.to(device)
    optimizer = _adam(model, lr=lr, beta2=beta2)
    steps = -(-len(images) // batch_size)
    total = max(2, epochs * steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=total)
    shuffle = torch.Generator().manual_seed(seed)
    best, start, step = _Best(patience), time.perf_counter(), 0
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in torch.randperm(len(images), generator=shuffle).split(batch_size):
            data = _batch(images, labels, index=batch, device=device)
            with _own_noise(seed, step, device):
                loss, terms = objective(model, *data)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            held = None
            if step == epoch * steps and valid is not None:
                held = evaluate(model, objective, valid, labels=valid_labels, seed=seed)
                best.update(model, held["loss"])
            yield Record(step, epoch, loss.item(), _means(terms), time.perf_counter() - start, held)
        if best.exhausted():
            break
    best.restore(model)


def _adam(model: nn.Module, *, lr: float, beta2: float) -> torch.optim.Adam:
    """Fused where there is such a kernel; the schedule moves β₁ between 0.95 and 0.85."""
    fused = next(model.parameters()).device.type != "mps"
    return torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, beta2), fused=fused)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    objective: Objective,
    images: Tensor,
    *,
    labels: Tensor | None = None,
    seed: int = 0,
    batch_size: int = 1000,
) -> dict[str, float]:
    """Mean of the loss and of its terms over all images, without training. Nats per image."""
    _refuse_bad_data(images, labels, what="images")
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    sums: dict[str, float] = {}
    for i, batch in enumerate(torch.arange(len(images)).split(batch_size)):
        data = _batch(images, labels, index=batch, device=device)
        with _own_noise(seed, i, device):
            loss, terms = objective(model, *data)
        for name, value in {"loss": loss.item(), **_means(terms)}.items():
            sums[name] = sums.get(name, 0.0) + value * len(batch) / len(images)
    model.train(was_training)
    return sums


def _batch(
    images: Tensor, labels: Tensor | None, *, index: Tensor, device: torch.device
) -> tuple[Tensor, ...]:
    """What an objective gets after the model: x, and y where there are labels."""
    x = to_float(images[index], device)
    return (x,) if labels is None else (x, labels[index].to(device))


def _means(terms: tuple) -> dict[str, float]:
    return {name: value.mean().item() for name, value in terms._asdict().items()}


@contextlib.contextmanager
def _own_noise(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Random numbers from (seed, step) alone; the caller's own (CPU, CUDA) stay as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed * 1_000_003 + step)
        yield


class _Best:
    """The best weights so far, and how many epochs ago that was."""

    def __init__(self, patience: int | None) -> None:
        self.patience, self.loss, self.age = patience, float("inf"), 0
        self.weights: dict[str, Tensor] | None = None

    def update(self, model: nn.Module, loss: float) -> None:
        self.age += 1
        if self.patience is not None and loss < self.loss:
            self.loss, self.age = loss, 0
            self.weights = copy.deepcopy(model.state_dict())

    def exhausted(self) -> bool:
        return self.patience is not None and self.age >= self.patience

    def restore(self, model: nn.Module) -> None:
        if self.weights is not None:
            model.load_state_dict(self.weights)


def _refuse_bad_data(images: Tensor, labels: Tensor | None, *, what: str) -> None:
    if images.dtype != torch.uint8:
        raise CourseError(f"{what}: fit wants uint8, got {images.dtype}: pass the data as loaded")
    if len(images) == 0:
        raise CourseError(f"{what}: fit got no images")
    if labels is not None and len(labels) != len(images):
        raise CourseError(f"{what}: there are {len(images)} of them, and {len(labels)} labels")


def _refuse_bad_sizes(
    epochs: int, batch_size: int, *, patience: int | None, valid: Tensor | None
) -> None:
    if epochs < 0 or batch_size < 1:
        raise CourseError(f"epochs={epochs}, batch_size={batch_size}: at least 0 and 1")
    if patience is not None and valid is None:
        raise CourseError("patience needs validation images: pass valid=…")
