"""Images in a folder, a ZIP or a tar archive, read and decoded one by one."""

import collections
import contextlib
import lzma
import os
import shutil
import tarfile
import tempfile
import threading
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from course_lib import machine
from course_lib.datasets.catalog import notice
from course_lib.datasets.decoding import Crop, decode, suffixes
from course_lib.datasets.store import refuse_full_disk
from course_lib.errors import CourseError
from course_lib.progress import progress_bar

MAX_IMAGE_BYTES = 64 * 2**20  # of one file; what is larger is no photograph
CHUNK_IMAGES = 128  # per task of a thread
BLOCK_IMAGES = 4096  # decoded before they are handed on
UTF8_FLAG = 0x800  # of a member of a ZIP
# What readers of archives raise on damaged ones.
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
    OSError, EOFError, ValueError, NotImplementedError,
)  # fmt: skip


class Files(Protocol):
    """Names with '/' between folders, and the bytes behind each."""

    path: Path
    names: list[str]

    def read(self, name: str) -> bytes:
        """The bytes of one file; ValueError for one too large to be an image."""
        ...


class Folder:
    """The files below a folder, links to folders included.

    Folders called `closed` are not looked into: those that are not empty stand in a list of
    their own.
    """

    def __init__(self, path: Path, *, closed: str = "") -> None:
        self.path = path
        self.names: list[str] = []
        self.closed: list[str] = []
        seen = {os.path.realpath(path)}  # a link may lead back up
        for root, folders, names in os.walk(path, followlinks=True, onerror=_refuse):
            below = Path(os.path.relpath(root, path))
            if closed in folders:
                folders.remove(closed)
                full = any(os.scandir(os.path.join(root, closed)))
                self.closed += [(below / closed).as_posix()] * full
            real = {name: os.path.realpath(os.path.join(root, name)) for name in folders}
            folders[:] = [name for name in folders if real[name] not in seen]
            seen.update(real.values())
            self.names += [(below / name).as_posix() for name in names if _is_file(root, name)]

    def read(self, name: str) -> bytes:
        """The bytes of one file; ValueError for one too large to be an image."""
        with open(self.path / name, "rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
        _check_size(len(data))
        return data


def _refuse(error: OSError) -> None:
    raise CourseError(f"{error.filename} cannot be read ({error.strerror})") from error


def _is_file(root: str, name: str) -> bool:
    """Also for a link that leads nowhere, which is then counted; a pipe would never end."""
    path = os.path.join(root, name)
    return os.path.isfile(path) or not os.path.exists(path)


def _check_size(n_bytes: int) -> None:
    if n_bytes > MAX_IMAGE_BYTES:
        raise ValueError("larger than 64 MiB")


class Zip:
    """The files in a ZIP."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _readable(path):
            self._zip = zipfile.ZipFile(path)
        named = {_zip_name(info): info for info in self._zip.infolist()}
        self._members = {name: info for name, info in named.items() if not name.endswith("/")}
        self.names = list(self._members)

    def read(self, name: str) -> bytes:
        """The bytes of one file; ValueError for one too large to be an image."""
        _check_size(self._members[name].file_size)
        return self._zip.read(self._members[name])


def _zip_name(info: zipfile.ZipInfo) -> str:
    """macOS writes UTF-8 without saying so, and some programs on Windows backslashes."""
    name = info.filename
    if not info.flag_bits & UTF8_FLAG:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


class Tar:
    """The files in a tar archive, which is uncompressed into a temporary file: files are read in
    any order."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        with _readable(path), tarfile.open(path) as packed:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  (as long as this object)
            packed.fileobj.seek(0)
            shutil.copyfileobj(packed.fileobj, self._file, 2**20)
            self._file.seek(0)
            with tarfile.open(fileobj=self._file) as tar:
                self._members = {member.name: member for member in tar if member.isreg()}
        self.names = list(self._members)

    def read(self, name: str) -> bytes:
        """The bytes of one file; ValueError for one too large to be an image."""
        member = self._members[name]
        _check_size(member.size)
        with self._lock:
            self._file.seek(member.offset_data)
            return self._file.read(member.size)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        refuse_full_disk(error)
        raise CourseError(
            f"{path} is no readable ZIP or tar archive ({error}): is it cut off?"
        ) from error


def open_files(path: Path) -> Files:
    """A folder, a ZIP or a tar archive. CourseError when it is none of them."""
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise CourseError(f"{path} does not exist: give a folder or a ZIP of images")
    refuse_web_page(path)
    return Tar(path) if tarfile.is_tarfile(path) else Zip(path)


def refuse_web_page(path: Path) -> None:
    """CourseError for a web page, which a browser may save under the name of an archive."""
    with open(path, "rb") as file:
        beginning = file.read(64)
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise CourseError(
            f"{path} is a web page that was saved in place of the file, as Google Drive's page on "
            "its quota: remove it and download the file again, tomorrow or from another place"
        )


def unpacked_bytes(path: Path) -> int:
    """The length of what a .gz holds, as its last bytes say (up to 4 GiB); −1 for no gzip file."""
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b" or file.seek(0, os.SEEK_END) < 18:
            return -1
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def image_names(files: Files) -> tuple[list[str], str]:
    """The images among the files in sorted order, and in words how many others there are."""
    images, others = [], collections.Counter()
    for name in files.names:
        path = PurePosixPath(name)
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
            others["hidden"] += 1
        elif path.suffix.lower() in suffixes():
            images.append(name)
        else:
            others[path.suffix.lower() or "without a suffix"] += 1
    return sorted(images), ", ".join(f"{n:,} {kind}" for kind, n in others.most_common())


def decode_all(
    files: Files, names: Sequence[str], *, size: int, channels: int, crop: Crop | None = None
) -> Iterator[np.ndarray]:
    """Blocks of images uint8 (n, C, size, size), in the order of `names`, with a progress bar.

    All are tried; after the last one CourseError counts those that cannot be read. Without
    `crop`, one line says how many were resized.
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
        notice(
            f"{len(resized):,} of {len(names):,} images were not {size}×{size}: "
            "their centre square is taken and resized"
        )


def _in_order(
    chunk: Callable[[Sequence[str]], np.ndarray], names: Sequence[str]
) -> Iterator[np.ndarray]:
    """Threads work on chunks; no more than BLOCK_IMAGES images wait to be taken."""
    bar = progress_bar(total=len(names), desc="reading images", unit=" images")
    with bar, ThreadPoolExecutor(machine.cores()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks about odd metadata, one per image
        for start in range(0, len(names), BLOCK_IMAGES):
            block = names[start : start + BLOCK_IMAGES]
            parts = [block[i : i + CHUNK_IMAGES] for i in range(0, len(block), CHUNK_IMAGES)]
            for images in pool.map(chunk, parts):
                bar.update(len(images))
                yield images
