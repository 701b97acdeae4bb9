"""One training in several processes, as `torchrun` starts them: the same steps as in one.

Each process computes its part of each batch. Gradients, losses and σ are those of the whole batch,
and so is the random noise, of which each process keeps its part: the number of processes changes
the time alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def is_on() -> bool:
    """Whether this process is one of several that train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@contextlib.contextmanager
def group() -> Iterator[int]:
    """Joins the processes that `torchrun` started; gives this one's number, 0 where it is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or is_on():
        yield dist.get_rank() if is_on() else 0
        return
    on_gpus = torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpus else "gloo")
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def part_of(index: Tensor) -> Tensor:
    """This process's part of the batch: a run of it, or all where there is less than one each."""
    start, stop = _span(len(index))
    return index[start:stop]


def _span(n: int) -> tuple[int, int]:
    """Where this process's part of n images begins and ends."""
    if not is_on() or n < dist.get_world_size():
        return 0, n
    rank, size = dist.get_rank(), dist.get_world_size()
    return rank * n // size, (rank + 1) * n // size


def _weight(n: int) -> float:
    """By which a mean over this process's part enters that over all n images."""
    start, stop = _span(n)
    return (stop - start) / n if n >= dist.get_world_size() else 1 / dist.get_world_size()


def average_gradients(model: nn.Module, n: int) -> None:
    """Each gradient becomes the one of the whole batch of n images, in every process."""
    if is_on():
        own = [p.grad for p in model.parameters() if p.grad is not None]
        whole = torch.cat([gradient.flatten() for gradient in own]) * _weight(n)
        dist.all_reduce(whole)
        parts = whole.split([gradient.numel() for gradient in own])
        for gradient, of_all in zip(own, parts, strict=True):
            gradient.copy_(of_all.view_as(gradient))


def average(means: dict[str, Tensor], n: int) -> dict[str, Tensor]:
    """Means over this process's part of n images become those over all of them."""
    if not is_on():
        return means
    whole = torch.stack([value.float() for value in means.values()]) * _weight(n)
    dist.all_reduce(whole)
    return dict(zip(means, whole, strict=True))


def mean(values: Tensor) -> Tensor:
    """The mean of all values, in several processes over all of theirs, then without a gradient."""
    if not is_on():
        return values.mean()
    total = torch.stack([values.detach().sum(), values.new_tensor(values.numel())])
    dist.all_reduce(total)
    return total[0] / total[1]


@contextlib.contextmanager
def noise_of(n: int) -> Iterator[None]:
    """Random numbers for a part of a batch of n images are drawn for all and cut."""
    if is_on():
        with _WholeNoise(n):
            yield
    else:
        yield


class _WholeNoise(TorchDispatchMode):
    """Where the first size is that of the part, what is drawn is drawn for the whole batch."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n, (self.start, self.stop) = n, _span(n)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs, own = kwargs or {}, slice(self.start, self.stop)
        sized = [i for i, a in enumerate(args) if isinstance(a, (Tensor, list, tuple))]
        if torch.Tag.nondeterministic_seeded not in func.tags or not sized:
            return func(*args, **kwargs)
        like, before, after = args[sized[0]], args[: sized[0]], args[sized[0] + 1 :]
        shape = like.shape if isinstance(like, Tensor) else like
        if list(shape[:1]) != [self.stop - self.start]:
            return func(*args, **kwargs)
        if not isinstance(like, Tensor):  # randn((b, d))
            return func(*before, [self.n, *shape[1:]], *after, **kwargs)[own]
        whole = like.new_zeros((self.n, *shape[1:]))
        drawn = func(whole, *after, **kwargs)
        return like.copy_(whole[own]) if func._schema.is_mutable else drawn[own]  # x.normal_()
