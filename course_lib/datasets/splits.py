"""What `load` returns: splits of uint8 images in memory, and where they came from."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course_lib.errors import CourseError


@dataclass(frozen=True)
class Split:
    """Images with what is known about them.

    images: (N, C, H, W) uint8; labels: (N,) int64 or None; factors: (N, F) or None.
    Raises CourseError where the shapes do not fit together.
    """

    images: Tensor
    labels: Tensor | None = None
    factors: Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4 or shape[1] not in (1, 3):
            raise CourseError(
                f"images must be uint8 of shape (N, 1 or 3, H, W), not {self.images.dtype} {shape}"
            )
        for what, tensor, dims in (("labels", self.labels, 1), ("factors", self.factors, 2)):
            if tensor is not None and (tensor.ndim != dims or len(tensor) != shape[0]):
                raise CourseError(f"{shape[0]} images have {what} of shape {tuple(tensor.shape)}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: Tensor) -> "Split":
        """The images at `index` (K,) int64, with their labels and factors, copied."""
        parts = (self.images, self.labels, self.factors)
        return Split(*(None if part is None else part[index] for part in parts))


@dataclass(frozen=True)
class Dataset:
    """A named data set. `source` says in words where the images come from."""

    name: str
    source: str
    train: Split
    test: Split
    valid: Split | None = None  # only where there is an official one
    stand_in: bool = False
    label_names: tuple[str, ...] = ()
    factor_names: tuple[str, ...] = ()

    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {key: split for key, split in named.items() if split is not None}

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.train.images.shape[1:]))
        sizes = ", ".join(f"{len(split):,} {key}" for key, split in self.splits().items())
        return f"Dataset({self.name}: {sizes}, {shape}, from {self.source})"

    def renamed(self, **changes: object) -> "Dataset":
        """A copy with some fields changed."""
        return replace(self, **changes)


def hold_out(split: Split, n: int, *, seed: int = 0) -> tuple[Split, Split]:
    """Set n random images apart for validation: (the rest, the n held out), disjoint.

    Both keep the order of `split`; the same seed always draws the same images.
    """
    total = len(split)
    if isinstance(n, bool) or not isinstance(n, int) or not 0 < n < total:
        raise CourseError(f"cannot hold out {n!r} of {total:,} images: take 1 to {total - 1:,}")
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    return split.take(order[n:].sort().values), split.take(order[:n].sort().values)
