"""CelebA from files in its own layout: aligned images, attribute list, partition list.

From each aligned image of 178×218 pixels the centre square of 148 is taken (the face without
most of the background) and resized with antialiasing.
"""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from course_lib.datasets import store
from course_lib.datasets.catalog import Spec, cache_file, cache_folder
from course_lib.datasets.files import Archive, Crop, Files, decode_all, open_files
from course_lib.datasets.splits import Dataset, Split
from course_lib.errors import CourseError

ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
IMAGES = "img_align_celeba"
SPLITS = ("train", "valid", "test")  # 0, 1 and 2 in the partition list
CROP = Crop(width=178, height=218, side=148)


@dataclass(frozen=True)
class Layout:
    """CelebA's images by split, with their attributes."""

    images: Files
    names: dict[str, list[str]]  # split -> paths in `images`
    attributes: dict[str, np.ndarray]  # split -> (N, F) int64, 0 or 1
    attribute_names: tuple[str, ...]


def complete(folder: Path) -> bool:
    """Whether a folder holds the two lists and the images, unpacked or not."""
    images = (folder / IMAGES, folder / f"{IMAGES}.zip")
    lists = (folder / ATTRIBUTES, folder / PARTITION)
    return all(path.exists() for path in lists) and any(path.exists() for path in images)


def originals(spec: Spec) -> Path | None:
    """Where the aligned images are known to lie, for sizes that are not cached yet."""
    downloaded = cache_folder() / spec.folder
    if complete(downloaded):
        return downloaded
    for path in sorted(cache_folder().glob(f"{spec.name}-*[0-9].safetensors")):
        found = store.read(path)
        place = Path(found[1]["origin"].split("|")[0]) if found else None
        if place and place.exists():
            return place
    return None


def prepare(spec: Spec, folder: Path, size: int, *, must_keep: bool = False) -> Dataset:
    """The images of a folder (or ZIP) at `size` with their attributes as factors, cached.

    Raises CourseError where files are missing or damaged, or the disk is too small.
    """
    if not folder.exists():
        raise CourseError(f"{folder} does not exist: give a folder in CelebA's layout")
    path, origin = cache_file(spec, size), _stamp(folder)
    if (found := store.read(path)) and found[1].get("origin") == origin:
        return found[0]
    layout = read_layout(open_files(folder))
    source = f"{spec.title} (centre {CROP.side}×{CROP.side} at {size}×{size}, from {folder})"
    parts = _parts(layout, size)
    names = {"label_names": (), "factor_names": layout.attribute_names}
    info = {"name": spec.name, "source": source, "stand_in": False, **names, "origin": origin}
    total = sum(part.nbytes for part in parts)
    if total <= store.MAX_IN_MEMORY_BYTES and not must_keep:
        data = _in_memory(parts, info)
        store.keep(path, data, origin=origin)
        return data
    _need(total, path.parent)
    store.write(path, parts, info)
    return store.read(path)[0]


def read_layout(files: Files) -> Layout:
    """Read both lists and find every image they name. CourseError says what is missing."""
    names, values, header = _table(files, ATTRIBUTES, skip=2)
    if not np.isin(values, (-1, 1)).all() or values.shape[1] != len(header):
        raise CourseError(f"{ATTRIBUTES} in {files.path} must hold −1 or 1 per attribute")
    listed, part, _ = _table(files, PARTITION, skip=0)
    if listed != names or not np.isin(part, (0, 1, 2)).all() or part.shape[1] != 1:
        raise CourseError(f"{PARTITION} in {files.path} does not fit {ATTRIBUTES}")
    images = _images(files)
    paths = {PurePosixPath(name).name: name for name in images.names}
    missing = [name for name in names if name not in paths]
    if missing:
        raise CourseError(
            f"{len(missing):,} of {len(names):,} images are missing in {images.path}, "
            f"the first is {missing[0]}: complete the folder or fetch it again"
        )
    rows = {key: np.flatnonzero(part[:, 0] == code) for code, key in enumerate(SPLITS)}
    rows = {key: index for key, index in rows.items() if len(index)}
    if not {"train", "test"} <= rows.keys():
        raise CourseError(f"{PARTITION} in {files.path} names no training or no test images")
    ordered = {key: [paths[names[i]] for i in index] for key, index in rows.items()}
    factors = {key: (values[index] > 0).astype(np.int64) for key, index in rows.items()}
    return Layout(images, ordered, factors, header)


def _table(files: Files, name: str, *, skip: int) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """(image names, values (N, F), column names) of a list; two header lines, or none."""
    found = [path for path in files.names if PurePosixPath(path).name == name]
    if not found:
        raise CourseError(f"{files.path} lacks {name}: CelebA's layout is {IMAGES}/ and two lists")
    try:
        lines = files.read(min(found, key=len)).decode().splitlines()
        rows = [line for line in lines[skip:] if line.strip()]
        names = [row.split(maxsplit=1)[0] for row in rows]
        header = tuple(lines[1].split()) if skip else ("",)
        columns = range(1, 1 + len(header))
        text = io.StringIO("\n".join(rows))
        values = np.loadtxt(text, dtype=np.int8, usecols=columns, ndmin=2)
        if skip and int(lines[0]) != len(rows):
            raise ValueError(f"{len(rows):,} rows, {lines[0]} announced")
    except (ValueError, IndexError) as error:
        raise CourseError(f"{name} in {files.path} is damaged ({error})") from error
    return names, values, header


def _images(files: Files) -> Files:
    """The images' folder, or the ZIP that they come in."""
    if any(IMAGES in PurePosixPath(name).parts[:-1] for name in files.names):
        return files
    packed = [name for name in files.names if PurePosixPath(name).name == f"{IMAGES}.zip"]
    if packed and files.path.is_dir():
        return Archive(files.path / packed[0])
    raise CourseError(f"{files.path} lacks {IMAGES}/ and {IMAGES}.zip: CelebA's aligned images")


def _parts(layout: Layout, size: int) -> list[store.Part]:
    factors = [
        store.Part(f"{key}.factors", "int64", rows.shape, [rows])
        for key, rows in layout.attributes.items()
    ]
    images = [
        store.Part(
            f"{key}.images",
            "uint8",
            (len(names), 3, size, size),
            decode_all(layout.images, names, size=size, channels=3, crop=CROP),
        )
        for key, names in layout.names.items()
    ]
    return factors + images


def _in_memory(parts: list[store.Part], info: dict) -> Dataset:
    tensors = {part.name: torch.from_numpy(np.concatenate(list(part.blocks))) for part in parts}
    splits = {
        key: Split(tensors[f"{key}.images"], factors=tensors[f"{key}.factors"])
        for key in SPLITS
        if f"{key}.images" in tensors
    }
    keys = ("name", "source", "stand_in", "factor_names")
    return Dataset(**splits, **{key: info[key] for key in keys})


def _need(total: int, folder: Path) -> None:
    """CourseError where the disk has not `total` bytes free."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < total:
        raise CourseError(
            f"CelebA at this size takes {total / 1e9:.1f} GB, {free / 1e9:.1f} GB are free at "
            f"{folder}: choose a smaller size, or set COURSE_CACHE"
        )


def _stamp(folder: Path) -> str:
    """Where the images come from and of what date, by which changed files are noticed."""
    listing = folder / PARTITION
    stat = (listing if listing.exists() else folder).stat()
    return f"{folder.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
