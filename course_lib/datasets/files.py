"""Images in a folder or a ZIP, read and decoded in memory: nothing is ever unpacked to disk."""

import io
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from course_lib import machine
from course_lib.errors import CourseError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MAX_IMAGE_BYTES = 64 * 2**20  # of one file; what is larger is no photograph
CHUNK_IMAGES = 128  # per task of a thread
BLOCK_IMAGES = 4096  # decoded before they are handed on


class Files(Protocol):
    """Names with '/' between folders, and the bytes behind each."""

    path: Path
    names: list[str]

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        ...


class Folder:
    """The files below a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = [
            os.path.relpath(os.path.join(root, name), path).replace(os.sep, "/")
            for root, _, names in os.walk(path)
            for name in names
            if os.path.isfile(os.path.join(root, name))  # a pipe would never end
        ]

    def read(self, name: str) -> bytes:
        """The bytes of one file; ValueError for one too large to be an image."""
        with open(self.path / name, "rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
        if len(data) > MAX_IMAGE_BYTES:
            raise ValueError("larger than 64 MiB")
        return data


class Archive:
    """The files in a ZIP."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise CourseError(f"{path} is no readable ZIP ({error}): is it cut off?") from error
        self.names = [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def read(self, name: str) -> bytes:
        """The bytes of one file; ValueError for one too large to be an image."""
        if self._zip.getinfo(name).file_size > MAX_IMAGE_BYTES:
            raise ValueError("larger than 64 MiB")
        return self._zip.read(name)


def open_files(path: Path) -> Files:
    """A folder or a ZIP. CourseError when it is neither."""
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Archive(path)
    raise CourseError(f"{path} does not exist: give a folder or a ZIP of images")


def image_names(files: Files) -> list[str]:
    """The images among the files in sorted order, without hidden ones."""
    return sorted(
        name
        for name in files.names
        if name.lower().endswith(SUFFIXES)
        and not any(part.startswith(".") for part in name.split("/"))
    )


class Crop(NamedTuple):
    """Cut the centre square of `side` out of images that must be width × height pixels."""

    width: int
    height: int
    side: int


def decode(
    data: bytes, *, size: int, channels: int, crop: Crop | None = None
) -> tuple[np.ndarray, bool]:
    """One image as uint8 (C, size, size), and whether it had to be resized.

    Upright, the largest centre square (or what `crop` says), resized with antialiasing.
    ValueError for an image that does not fit `crop`; Pillow's errors for a damaged one.
    """
    with Image.open(io.BytesIO(data)) as image:
        if crop and image.size != crop[:2]:
            raise ValueError("is {}×{}, not {}×{}".format(*image.size, *crop[:2]))
        resized = image.size != (size, size)
        if resized:
            image = ImageOps.exif_transpose(image)
        image = image.convert("L" if channels == 1 else "RGB")
        if resized:
            side = crop.side if crop else min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            box = (left, top, left + side, top + side)
            image = image.crop(box).resize((size, size), Image.Resampling.LANCZOS)
        array = np.asarray(image)
    return (array[None] if channels == 1 else array.transpose(2, 0, 1)), resized


def decode_all(
    files: Files, names: Sequence[str], *, size: int, channels: int, crop: Crop | None = None
) -> Iterator[np.ndarray]:
    """Blocks of images uint8 (n, C, size, size), in the order of `names`, with a progress bar.

    All are tried; after the last one CourseError counts those that cannot be read. Without
    `crop`, one printed line says how many were resized.
    """
    bad: list[str] = []
    resized: list[str] = []

    def chunk(part: Sequence[str]) -> np.ndarray:
        images = np.zeros((len(part), channels, size, size), dtype=np.uint8)
        for image, name in zip(images, part, strict=True):
            try:
                data = files.read(name)
                image[:], changed = decode(data, size=size, channels=channels, crop=crop)
                resized.extend([name] * changed)
            except Exception as error:  # Pillow's readers raise of every kind on damaged files
                bad.append(f"{name} ({(str(error) or 'damaged').splitlines()[0]})")
        return images

    yield from _in_order(chunk, names)
    if bad:
        raise CourseError(
            f"{len(bad):,} of {len(names):,} images in {files.path} cannot be read, "
            f"the first is {min(bad)}: repair or remove them"
        )
    if resized and not crop:
        print(
            f"{len(resized):,} of {len(names):,} images were not {size}×{size}: "
            "their centre square is taken and resized",
            flush=True,
        )


def _in_order(
    chunk: Callable[[Sequence[str]], np.ndarray], names: Sequence[str]
) -> Iterator[np.ndarray]:
    """Threads work on chunks; no more than BLOCK_IMAGES images wait to be taken."""
    bar = tqdm(
        total=len(names), desc="reading images", unit=" images", leave=False, mininterval=0.5
    )
    with bar, ThreadPoolExecutor(machine.cores()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks about odd metadata, one per image
        for start in range(0, len(names), BLOCK_IMAGES):
            block = names[start : start + BLOCK_IMAGES]
            parts = [block[i : i + CHUNK_IMAGES] for i in range(0, len(block), CHUNK_IMAGES)]
            for images in pool.map(chunk, parts):
                bar.update(len(images))
                yield images
