"""Data sets in their official files, read by torchvision's own classes."""

from __future__ import annotations

import pickle
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from course_lib.datasets.catalog import Spec
from course_lib.datasets.splits import Dataset, Split
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from torchvision.datasets import VisionDataset

# What torchvision's and Python's readers raise on files that are missing, cut off or not what
# they should be.
UNREADABLE = (
    RuntimeError, ValueError, AssertionError, IndexError, KeyError, TypeError, EOFError, OSError,
    pickle.UnpicklingError, tarfile.TarError, zlib.error, CourseError,
)  # fmt: skip


def loader_class(spec: Spec) -> type[VisionDataset]:
    """The torchvision class of a data set; torchvision is imported only here."""
    import torchvision.datasets

    return getattr(torchvision.datasets, spec.loader)


def read_folder(spec: Spec, place: Path, *, source: str) -> Dataset:
    """Both splits from `place`, the folder of the official files, by torchvision.

    Raises CourseError where files are missing, cut off, or of the wrong number and shape.
    """
    loader = loader_class(spec)
    here = {"raw_folder": str(place), "base_folder": place.name}  # MNIST's class, CIFAR10's
    loader = type(loader.__name__, (loader,), here)
    try:
        splits = [_split(loader(place.parent, train=train)) for train in (True, False)]
    except UNREADABLE as error:
        raise damaged(spec, place, _reason(error)) from error
    for split, count in zip(splits, spec.counts, strict=True):
        shape, expected = tuple(split.images.shape), (count, *image_shape(spec))
        if shape != expected or split.labels is None:
            raise damaged(spec, place, f"images are {shape}, not {expected}")
    return Dataset(spec.name, source, *splits, label_names=spec.label_names)


def image_shape(spec: Spec) -> tuple[int, int, int]:
    """(C, H, W) of the official images."""
    return spec.channels, spec.sizes[0], spec.sizes[0]


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


def damaged(spec: Spec, place: Path, reason: str) -> CourseError:
    """One line for files of a data set that cannot be used."""
    return CourseError(f"{spec.title} in {place} is damaged or incomplete ({reason}): replace it")
