"""Data sets in torchvision's own layout, read by torchvision's own classes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from course_lib.datasets.catalog import Spec, data_folder
from course_lib.datasets.splits import Dataset, Split
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from torchvision.datasets import VisionDataset

# What torchvision's readers raise on files that are missing, cut off or not what they should be.
UNREADABLE = (
    RuntimeError, ValueError, AssertionError, IndexError, KeyError,
    TypeError, EOFError, OSError, pickle.UnpicklingError, CourseError,
)  # fmt: skip


def loader_class(spec: Spec) -> type[VisionDataset]:
    """The torchvision class of a data set; torchvision is imported only here."""
    import torchvision.datasets

    return getattr(torchvision.datasets, spec.loader)


def present(spec: Spec, root: Path) -> bool:
    """Whether `root` holds (or seems to hold) the data set in torchvision's layout."""
    return bool(spec.folder) and (root / spec.folder).is_dir()


def in_data_folder(spec: Spec) -> Path | None:
    """The data set's folder below the one that COURSE_DATA names, if it is there."""
    root = data_folder()
    return root / spec.folder if root is not None and present(spec, root) else None


def prepare(spec: Spec, place: Path, size: int) -> Dataset:
    """Both splits from `place`, the data set's folder below a root in torchvision's layout."""
    root = place.parents[len(Path(spec.folder).parts) - 1]
    return read_folder(spec, root, source=f"{spec.title} (torchvision's files in {place})")


def read_folder(spec: Spec, root: Path, *, source: str) -> Dataset:
    """Both splits from `root`, by torchvision.

    Raises CourseError where files are missing, cut off, or of the wrong number and shape.
    """
    loader = loader_class(spec)
    try:
        splits = [_split(loader(root, train=train, download=False)) for train in (True, False)]
    except UNREADABLE as error:
        raise CourseError(_complaint(spec, root, _reason(error))) from error
    for split, count in zip(splits, spec.counts, strict=True):
        shape, expected = tuple(split.images.shape), _shape(spec, count)
        if shape != expected or split.labels is None:
            raise CourseError(_complaint(spec, root, f"images are {shape}, not {expected}"))
    return Dataset(spec.name, source, *splits, label_names=spec.label_names)


def _shape(spec: Spec, count: int) -> tuple[int, int, int, int]:
    return count, spec.channels, spec.sizes[0], spec.sizes[0]


def _split(data: VisionDataset) -> Split:
    """MNIST's class holds a tensor (N, H, W), CIFAR10's an array (N, H, W, C)."""
    if isinstance(data.data, torch.Tensor):
        images = data.data[:, None]
    else:
        images = torch.from_numpy(np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)))
    return Split(images, torch.as_tensor(data.targets, dtype=torch.int64))


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0].split(". You can use")[0]
    return text or "a file is cut off or not what it should be"


def _complaint(spec: Spec, root: Path, reason: str) -> str:
    folder = root / spec.folder
    return f"{spec.title} in {folder} is damaged or incomplete ({reason}): replace that folder"
