"""MNIST and Fashion-MNIST in their four official files, unpacked or as the .gz they come in."""

import contextlib
import gzip
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from course_lib.datasets import store
from course_lib.datasets.catalog import Spec
from course_lib.datasets.files import refuse_web_page, unpacked_bytes
from course_lib.datasets.folder import UNREADABLE, damaged, image_shape, read_folder
from course_lib.datasets.splits import Dataset

IMAGES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
LABELS = ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")
# The file names are MNIST's in both sets; so begin the test labels of the other.
FASHION = bytes((9, 2, 1, 1, 6, 1, 4, 6, 5, 7))


def find(spec: Spec, root: Path) -> Path | None:
    """The folder of the four files at or below `root`, by their names and lengths."""
    official = Path(spec.folder)  # MNIST/raw
    for below in (official, official.parent, Path("raw"), Path()):
        place = root / below
        if not any(_forms(place, name) for name in IMAGES + LABELS):
            continue
        if official.parent in (below, below.parent) or _belongs(spec, place):
            chosen(spec, place)
            return place
    return None


def prepare(spec: Spec, place: Path, size: int, *, source: str = "") -> Dataset:
    """Both splits from the folder of the four files. CourseError where they are damaged."""
    source = source or f"{spec.title} (torchvision's files in {place})"
    files = chosen(spec, place)
    if all(not path.suffix for path in files):
        return read_folder(spec, place, source=source)
    with tempfile.TemporaryDirectory() as temporary:
        try:
            for path in files:
                with _opened(path) as packed, open(Path(temporary, path.stem), "wb") as file:
                    shutil.copyfileobj(packed, file)
        except UNREADABLE as error:
            store.refuse_full_disk(error)
            raise damaged(spec, place, f"{path.name}: {error}") from error
        return read_folder(spec, Path(temporary), source=source)


def chosen(spec: Spec, place: Path) -> list[Path]:
    """Of each of the four files the form that has the right length. CourseError if none has."""
    pixels = image_shape(spec)[1] * image_shape(spec)[2]
    lengths = [16 + n * pixels for n in spec.counts] + [8 + n for n in spec.counts]
    files = []
    for name, length in zip(IMAGES + LABELS, lengths, strict=True):
        forms = _forms(place, name)
        fitting = [path for path in forms if _length(path) == length]
        if not fitting:
            for path in forms:
                refuse_web_page(path)
            reason = f"{forms[0].name} has the wrong length" if forms else f"{name} is missing"
            raise damaged(spec, place, reason)
        files.append(fitting[0])
    return files


def _forms(place: Path, name: str) -> list[Path]:
    return [path for path in (place / name, place / f"{name}.gz") if path.is_file()]


def _length(path: Path) -> int:
    return unpacked_bytes(path) if path.suffix else path.stat().st_size


def _belongs(spec: Spec, place: Path) -> bool:
    """Whether files in a folder of any name are this set's, by the first test labels."""
    labels = b""
    for path in _forms(place, LABELS[1])[:1]:
        with contextlib.suppress(*UNREADABLE), _opened(path) as file:
            labels = file.read(8 + len(FASHION))[8:]
    return (labels == FASHION) == (spec.name == "fashion_mnist")


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix else open(path, "rb")
