"""CelebA from files in its own layout: aligned images, attribute list, partition list.

The files may lie flat, in the authors' folders (Anno, Eval, Img) or as Kaggle packs them, with
lists as CSV. From each aligned image of 178×218 pixels the centre square of 148 is taken (the
face without most of the background) and resized with antialiasing.
"""

import functools
import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from course_lib.datasets import store
from course_lib.datasets.catalog import Spec, cache_file, cache_folder
from course_lib.datasets.decoding import Crop
from course_lib.datasets.files import Files, Folder, Zip, decode_all, open_files, refuse_web_page
from course_lib.datasets.splits import Dataset, Split
from course_lib.errors import CourseError

ATTRIBUTES, PARTITION = "list_attr_celeba", "list_eval_partition"
ENDINGS = (".txt", ".csv")  # the authors', Kaggle's
IMAGES = "img_align_celeba"
SPLITS = ("train", "valid", "test")  # 0, 1 and 2 in the partition list
CROP = Crop(width=178, height=218, side=148)


@dataclass(frozen=True)
class Parts:
    """CelebA's three parts, found but not read."""

    lists: Files
    attributes: str  # names in `lists`
    partition: str
    images: Callable[[], Files]


@dataclass(frozen=True)
class Layout:
    """CelebA's images by split, with their attributes."""

    images: Files
    names: dict[str, list[str]]  # split -> paths in `images`
    attributes: dict[str, np.ndarray]  # split -> (N, F) int64, 0 or 1
    attribute_names: tuple[str, ...]


def find(spec: Spec, root: Path) -> Path | None:
    """The folder celeba (or CelebA) below `root`, or `root` itself if the lists are in it.

    CourseError where a part is missing. The lists and the images are not read.
    """
    if not root.is_dir():
        return None
    named = [path for path in root.iterdir() if path.name.lower() == spec.folder and path.is_dir()]
    own = [root] * any((root / f"{PARTITION}{end}").is_file() for end in ENDINGS)
    for place in (*named, *own):
        if any(place.iterdir()):
            find_parts(place)
            return place
    return None


def find_parts(path: Path) -> Parts:
    """The two lists and the images in a folder, at any depth, or in an archive.

    CourseError says what is missing.
    """
    if not path.exists():
        raise CourseError(f"{path} does not exist: give a folder in CelebA's layout")
    files = Folder(path, closed=IMAGES) if path.is_dir() else open_files(path)
    return Parts(files, _list(files, ATTRIBUTES), _list(files, PARTITION), _images(files))


def _list(files: Files, name: str) -> str:
    names = [f"{name}{end}" for end in ENDINGS]
    if found := _ends(files.names, *names):
        if isinstance(files, Folder):
            refuse_web_page(files.path / found)
        return found
    raise CourseError(f"{files.path} lacks {names[0]}: CelebA's layout is {IMAGES}/ and two lists")


def _ends(paths: list[str], *names: str) -> str | None:
    """The shortest of the paths that end in one of these names."""
    return min((p for p in paths if PurePosixPath(p).name in names), key=len, default=None)


def _images(files: Files) -> Callable[[], Files]:
    """What opens the images' folder, or the ZIP that they come in."""
    packed = _ends(files.names, f"{IMAGES}.zip")
    if isinstance(files, Folder):
        if files.closed:
            return functools.partial(Folder, files.path / min(files.closed, key=len))
        if packed:
            return functools.partial(Zip, _checked_zip(files.path / packed))
    elif any(IMAGES in PurePosixPath(name).parts[:-1] for name in files.names):
        return lambda: files
    elif packed:
        raise CourseError(f"{packed} is packed once more in {files.path}: unpack that first")
    raise CourseError(f"{files.path} lacks {IMAGES}/ and {IMAGES}.zip: CelebA's aligned images")


def _checked_zip(path: Path) -> Path:
    refuse_web_page(path)
    if not zipfile.is_zipfile(path):
        raise CourseError(f"{path} is no readable ZIP, it is cut off: download it again")
    return path


def originals(spec: Spec) -> Path | None:
    """What was imported earlier, for sizes that are not cached yet, if it is still there."""
    for path in sorted(cache_folder().glob(f"{spec.name}-*[0-9].safetensors")):
        info = store.describe_file(path) or {}
        place = Path(info.get("origin", "").split("|")[0])
        if info.get("origin") and place.exists():
            find_parts(place)
            return place
    return None


def prepare(spec: Spec, folder: Path, size: int, *, must_keep: bool = False) -> Dataset:
    """The images of a folder (or archive) at `size` with their attributes as factors, cached.

    Raises CourseError where files are missing or damaged, or the disk is too small.
    """
    found_parts = find_parts(folder)
    listing = folder / found_parts.partition if folder.is_dir() else folder
    path, origin = cache_file(spec, size), store.origin(folder, listing)
    if (found := store.read(path)) and store.is_from(found[1], origin):
        return found[0]
    layout = read_layout(found_parts)
    source = f"{spec.title} (centre {CROP.side}×{CROP.side} at {size}×{size}, from {folder})"
    parts = _tensors(layout, size)
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


def read_layout(parts: Parts) -> Layout:
    """Read both lists and find every image they name. CourseError says what is missing."""
    where = parts.lists.path
    names, values, header = _table(parts.lists, parts.attributes)
    if not np.isin(values, (-1, 1)).all() or values.shape[1] != len(header) or not header:
        raise CourseError(f"{parts.attributes} in {where} must hold −1 or 1 per attribute")
    listed, part, _ = _table(parts.lists, parts.partition)
    if listed != names or not np.isin(part, (0, 1, 2)).all() or part.shape[1] != 1:
        raise CourseError(f"{parts.partition} in {where} does not fit {parts.attributes}")
    images = parts.images()
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
        raise CourseError(f"{parts.partition} in {where} names no training or no test images")
    ordered = {key: [paths[names[i]] for i in index] for key, index in rows.items()}
    factors = {key: (values[index] > 0).astype(np.int64) for key, index in rows.items()}
    return Layout(images, ordered, factors, header)


def _table(files: Files, name: str) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """(image names, values (N, F), column names) of a list, with or without lines above."""
    try:
        lines = files.read(name).decode("utf-8-sig").replace(",", " ").splitlines()
        lines = [line for line in lines if line.strip()]
        first = next(i for i, line in enumerate(lines) if ".jpg" in line.split()[0])
        rows = lines[first:]
        header = tuple(lines[first - 1].split()) if first else ()
        if header[:1] == ("image_id",):  # Kaggle's
            header = header[1:]
        elif first and int(lines[0]) != len(rows):
            raise ValueError(f"{len(rows):,} rows, {lines[0]} announced")
        columns = range(1, len(rows[0].split()))
        text = io.StringIO("\n".join(rows))
        values = np.loadtxt(text, dtype=np.int8, usecols=columns, ndmin=2)
    except (ValueError, IndexError, StopIteration) as error:
        reason = str(error) or "it names no image"
        raise CourseError(f"{name} in {files.path} is damaged ({reason})") from error
    return [row.split(maxsplit=1)[0] for row in rows], values, header


def _tensors(layout: Layout, size: int) -> list[store.Part]:
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
