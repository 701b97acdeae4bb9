"""`load`: the named folder, the cache, a download, and last the stand-in; and `data get`."""

import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from course_lib import synthetic
from course_lib.datasets import store
from course_lib.datasets.catalog import (
    Spec,
    cache_file,
    cache_folder,
    check_size,
    data_folder,
    notice,
)
from course_lib.datasets.registry import SPECS, find
from course_lib.datasets.splits import Dataset
from course_lib.errors import CourseError

_announced_names: set[str] = set()  # stand-ins that this process has spoken of


def load(name: str, *, size: int | None = None) -> Dataset:
    """A data set as uint8 tensors in memory (above 1 GiB: memory-mapped).

    name: mnist, fashion_mnist, cifar10, celeba, sprites or faces. size: side of the images in
    pixels, 64, 128 or 256 for celeba and faces (faces also 32).
    Looks in the folder COURSE_DATA, in the cache, on the network (not for celeba, which is
    1.4 GB; never with COURSE_OFFLINE=1), and last takes a stand-in, of which one line tells once.
    Raises CourseError for an unknown name or size, and for damaged files in COURSE_DATA.
    """
    spec = find(name)
    size = check_size(spec, size)
    if spec.procedural:
        return _drawn(spec, size)
    problems: list[str] = []
    for place in places(spec, size, problems):
        if (data := _read(spec, place, size)) is not None:
            return data
    try:
        return from_network(spec)
    except CourseError as error:
        problems.append(str(error))
    if root := data_folder():
        problems.insert(0, f"{root}, which COURSE_DATA names, has no {spec.folder}")
    return _announced(_drawn(spec, size), "; ".join(problems))


def places(spec: Spec, size: int, problems: list[str]) -> Iterator[Path]:
    """Where real images lie, in the order in which `load` takes them: by a quick look.

    Raises CourseError for files in COURSE_DATA that cannot be used: they hide the cache. What is
    wrong with files in the cache goes into `problems`: half a download is none.
    """
    root = data_folder()
    if root is not None and (place := spec.place_in(root)):
        yield place
        return
    kept = cache_file(spec, size)
    if store.describe_file(kept):
        yield kept
    elif kept.exists():
        problems.append(f"{kept} is cut off or was written by another version of the course")
    for look in (_in_cache, spec.originals):  # of `data get` or by hand; of other sizes
        try:
            place = look(spec) if look else None
        except (CourseError, OSError) as error:
            problems.append(str(error))
        else:
            if place:
                yield place


def _in_cache(spec: Spec) -> Path | None:
    return spec.place_in(cache_folder())


def _read(spec: Spec, place: Path, size: int) -> Dataset | None:
    if place == cache_file(spec, size):
        found = store.read(place)
        return found and found[0]
    return spec.prepare(spec, place, size)


def from_network(spec: Spec) -> Dataset:
    """A download now, if it is one that a class can wait for. CourseError if not."""
    if spec.download_in_load is None:
        raise CourseError("it is downloaded on request only")
    return spec.download_in_load(spec)


def _drawn(spec: Spec, size: int) -> Dataset:
    """Images that the course makes itself, cached until the code that makes them changes."""
    path = cache_file(spec, size, stand_in=not spec.procedural)
    made_by = store.fingerprint(inspect.getmodule(spec.stand_in), synthetic)
    if found := store.read(path, made_by=made_by):
        return found[0]
    with store.alone(path, f"{spec.name}: another process is drawing it; waiting") as waited:
        if waited and (found := store.read(path, made_by=made_by)):
            return found[0]
        data = spec.stand_in(spec, size)
        store.keep(path, data, made_by=made_by)
    return data


def _announced(data: Dataset, why: str) -> Dataset:
    if data.name not in _announced_names:
        _announced_names.add(data.name)
        notice(
            f"{data.name}: no real images ({why}); using a {data.source}; "
            f"get the real ones with: {_how_to_get(data.name)}"
        )
    return data


def _how_to_get(name: str) -> str:
    """A command that works where it is read: in a terminal, or in a notebook's cell."""
    command = f"python -m course_lib data get {name}"
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return command
    folders = [".", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    if any(os.path.isdir(os.path.join(folder, "course_lib")) for folder in folders if folder):
        return f"!{command}"
    return f'datasets.get("{name}")'  # a Python started from here would not find the course


def get(name: str) -> str:
    """Download a data set into the cache, if it is not at hand; one line on where it is.

    Raises CourseError with what to do: no network, wrong checksum, full disk, full quota.
    """
    spec = find(name)
    if spec.procedural:
        return f"{spec.name} is drawn by the course itself: nothing to download"
    return spec.download(spec)


class Status(NamedTuple):
    """Where the images of a data set lie; `problem` says why files that are there do not count."""

    spec: Spec
    real: Path | None  # what `load` takes at the default size
    drawn: Path  # the cache's file of those that the course draws, there or not
    problem: str = ""
    fails: bool = False  # whether `load` stops there, and takes no stand-in


def survey() -> list[Status]:
    """What `load` would find of every data set, by what it looks at first; nothing is read."""
    return [_status(spec) for spec in SPECS.values()]


def _status(spec: Spec) -> Status:
    drawn = cache_file(spec, spec.sizes[0], stand_in=not spec.procedural)
    problems: list[str] = []
    try:
        for size in () if spec.procedural else spec.sizes:
            if place := next(places(spec, size, problems), None):
                if size == spec.sizes[0]:
                    return Status(spec, place, drawn)
                problems.insert(0, f"only at size {size}, in {place}")
    except CourseError as error:
        return Status(spec, None, drawn, str(error), fails=True)
    return Status(spec, None, drawn, problems[0] if problems else "")


def at_hand() -> list[tuple[str, str | None]]:
    """(name, where its real images lie, or None) for every data set: see `survey`."""
    return [
        (status.spec.name, "drawn by the course")
        if status.spec.procedural
        else (status.spec.name, status.real and str(status.real))
        for status in survey()
    ]
