"""CIFAR-10 in its official files: the folder of batches, or the archive that it comes in."""

import contextlib
import math
import shutil
import tarfile
import tempfile
from pathlib import Path

from course_lib.datasets import store
from course_lib.datasets.catalog import Spec, cache_file
from course_lib.datasets.files import refuse_web_page, unpacked_bytes
from course_lib.datasets.folder import UNREADABLE, damaged, image_shape, read_folder
from course_lib.datasets.splits import Dataset
from course_lib.errors import CourseError

ARCHIVE = "cifar-10-python.tar.gz"
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
META = "batches.meta"


def find(spec: Spec, root: Path) -> Path | None:
    """The batches' folder or the archive at or below `root`, by names and lengths.

    `root` itself may be either, under any name.
    """
    if root.is_file():
        return root if _holds_batches(spec, root) else None
    problem = None
    for place in (root / spec.folder, root):
        if any((place / name).is_file() for name in BATCHES):
            try:
                return _checked_folder(spec, place)
            except CourseError as error:
                problem = error
    if (root / ARCHIVE).is_file():  # also where unpacking it was interrupted
        return _checked_archive(spec, root / ARCHIVE)
    if problem:
        raise problem
    return None


def _checked_folder(spec: Spec, place: Path) -> Path:
    """The folder, after a look whether every file is long enough for its images."""
    counts = [spec.counts[0] // 5] * 5 + [spec.counts[1], 0]
    for name, count in zip((*BATCHES, META), counts, strict=True):
        path = place / name
        if not path.is_file() or path.stat().st_size <= count * math.prod(image_shape(spec)):
            reason = "is cut off" if path.is_file() else "is missing"
            raise damaged(spec, place, f"{name} {reason}")
    return place


def _checked_archive(spec: Spec, path: Path) -> Path:
    """The archive, after a look at its first name and at the length that its end tells."""
    refuse_web_page(path)
    n_bytes = sum(spec.counts) * math.prod(image_shape(spec))
    if not _holds_batches(spec, path):
        raise damaged(spec, path, "it is no archive of CIFAR-10's batches")
    if not n_bytes < unpacked_bytes(path) < n_bytes * 1.02 + 2**16:
        raise damaged(spec, path, "it is cut off")
    return path


def _holds_batches(spec: Spec, path: Path) -> bool:
    with contextlib.suppress(*UNREADABLE), tarfile.open(path) as tar:
        return Path(tar.next().name).parts[0] == spec.folder
    return False


def prepare(spec: Spec, place: Path, size: int, *, source: str = "") -> Dataset:
    """Both splits from the folder or the archive. CourseError where a checksum is wrong.

    Without a `source` in words, the cache keeps what was in the archive.
    """
    if place.is_dir():
        source = source or f"{spec.title} (torchvision's files in {place})"
        return read_folder(spec, place, source=source)
    if source:
        return _read_archive(spec, place, source=source)
    path, origin = cache_file(spec, size), store.origin(place, place)
    if (found := store.read(path)) and store.is_from(found[1], origin):
        return found[0]
    data = _read_archive(spec, place, source=f"{spec.title} ({place})")
    if not found or found[1].get("official"):  # somebody's own images stay there
        store.keep(path, data, official=True, origin=origin)
    return data


def _read_archive(spec: Spec, path: Path, *, source: str) -> Dataset:
    """Both splits from the archive, unpacked in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    name = Path(member.name).name
                    if member.isreg() and name in (*BATCHES, META):
                        with open(Path(temporary, name), "wb") as file:
                            shutil.copyfileobj(tar.extractfile(member), file)
        except UNREADABLE as error:
            store.refuse_full_disk(error)
            raise damaged(spec, path, f"{error or 'it is cut off'}") from error
        try:
            return read_folder(spec, Path(temporary), source=source)
        except CourseError as error:
            raise damaged(
                spec, path, "a file in it is missing or has the wrong checksum"
            ) from error
