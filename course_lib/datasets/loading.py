"""`load`: the named folder, the cache, a download, and last the stand-in."""

from pathlib import Path

from course_lib.datasets import celeba, digits, procedural, store
from course_lib.datasets.catalog import (
    SPECS,
    Spec,
    cache_file,
    cache_folder,
    check_size,
    data_folder,
    find,
)
from course_lib.datasets.downloads import download
from course_lib.datasets.folder import present, read_folder
from course_lib.datasets.splits import Dataset
from course_lib.errors import CourseError

DRAW = {
    "mnist": digits.draw_digits,
    "fashion_mnist": digits.draw_digits,
    "cifar10": procedural.faces_for_cifar10,
    "celeba": procedural.faces_for_celeba,
    "sprites": procedural.draw_sprites,
    "faces": procedural.draw_faces,
}


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
    """From the folder that COURSE_DATA names, in torchvision's layout."""
    root = data_folder()
    if root is None or not present(spec, root):
        return None
    folder = root / spec.folder
    if spec.name == "celeba":
        return celeba.prepare(spec, folder, size)
    return read_folder(spec, root, source=f"{spec.title} (torchvision's files in {folder})")


def from_cache(spec: Spec, size: int) -> Dataset | None:
    """What was downloaded or imported earlier."""
    if found := store.read(cache_file(spec, size)):
        return found[0]
    return celeba.from_origin(spec, size) if spec.name == "celeba" else None


def from_network(spec: Spec) -> Dataset:
    """A download now, if it is one that a class can wait for. CourseError if not."""
    if spec.name == "celeba":
        raise CourseError("it is downloaded on request only")
    return download(spec)


def _drawn(spec: Spec, size: int) -> Dataset:
    """Images that the course makes itself, cached until the code that makes them changes."""
    path = cache_file(spec, size, stand_in=not spec.procedural)
    made_by = store.fingerprint(procedural.faces, procedural.sprites, procedural, digits)
    if found := store.read(path, made_by=made_by):
        return found[0]
    data = DRAW[spec.name](spec, size)
    store.keep(path, data, made_by=made_by)
    return data


def _announced(data: Dataset, why: str) -> Dataset:
    print(
        f"{data.name}: no real images ({why}); using a {data.source}; "
        f"get the real ones with: python -m course_lib data get {data.name}",
        flush=True,
    )
    return data


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
    if place is None and spec.name == "celeba" and celeba.complete(cache_folder() / spec.folder):
        place = cache_folder() / spec.folder
    return place and str(place)
