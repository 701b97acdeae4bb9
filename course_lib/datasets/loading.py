"""`load`: the named folder, the cache, a download, and last the stand-in; and `data get`."""

import inspect
from pathlib import Path

from course_lib import synthetic
from course_lib.datasets import store
from course_lib.datasets.catalog import Spec, cache_file, check_size, data_folder
from course_lib.datasets.folder import in_data_folder, present
from course_lib.datasets.registry import SPECS, find
from course_lib.datasets.splits import Dataset
from course_lib.errors import CourseError


def load(name: str, *, size: int | None = None) -> Dataset:
    """A data set as uint8 tensors in memory (above 1 GiB: memory-mapped).

    name: mnist, fashion_mnist, cifar10, celeba, sprites or faces. size: side of the images in
    pixels, 64, 128 or 256 for celeba and faces (faces also 32).
    Looks in the folder COURSE_DATA, in the cache, on the network (not for celeba, which is
    1.4 GB; never with COURSE_OFFLINE=1), and last takes a stand-in, which it says in one line.
    Raises CourseError for an unknown name or size, and for damaged files in COURSE_DATA.
    """
    spec = find(name)
    size = check_size(spec, size)
    if spec.procedural:
        return _drawn(spec, size)
    real = from_folder(spec, size) or from_cache(spec, size)
    if real:
        return real
    try:
        return from_network(spec)
    except CourseError as error:
        why = str(error)
    if root := data_folder():
        why = f"{root}, which COURSE_DATA names, has no {spec.folder}; {why}"
    return _announced(_drawn(spec, size), why)


def from_folder(spec: Spec, size: int) -> Dataset | None:
    """From the folder that COURSE_DATA names, in the data set's own layout."""
    place = in_data_folder(spec)
    return None if place is None else spec.prepare(spec, place, size)


def from_cache(spec: Spec, size: int) -> Dataset | None:
    """What was downloaded or imported earlier, prepared now where this size was not."""
    if found := store.read(cache_file(spec, size)):
        return found[0]
    place = spec.originals(spec) if spec.originals else None
    return None if place is None else spec.prepare(spec, place, size)


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
    data = spec.stand_in(spec, size)
    store.keep(path, data, made_by=made_by)
    return data


def _announced(data: Dataset, why: str) -> Dataset:
    print(
        f"{data.name}: no real images ({why}); using a {data.source}; "
        f"get the real ones with: python -m course_lib data get {data.name}",
        flush=True,
    )
    return data


def get(name: str) -> str:
    """Download a data set into the cache, if it is not at hand; one line on where it is.

    Raises CourseError with what to do: no network, wrong checksum, full disk, full quota.
    """
    spec = find(name)
    if spec.procedural:
        return f"{spec.name} is drawn by the course itself: nothing to download"
    return spec.download(spec)


def at_hand() -> list[tuple[str, str | None]]:
    """(name, where its real images lie, or None) for every data set; opens no file.

    A folder COURSE_DATA that does not exist counts as none.
    """
    try:
        root = data_folder()
    except CourseError:
        root = None
    return [(spec.name, _where(spec, root)) for spec in SPECS.values()]


def _where(spec: Spec, root: Path | None) -> str | None:
    if spec.procedural:
        return "drawn by the course"
    if root is not None and present(spec, root):
        return str(root / spec.folder)
    cached = (cache_file(spec, size) for size in spec.sizes)
    place = next((path for path in cached if path.exists()), None)
    if place is None and spec.originals:
        place = spec.originals(spec)
    return place and str(place)
