"""The user's cache: one safetensors file per data set, written beside and renamed when whole."""

import contextlib
import errno
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from course_lib.datasets import mapped
from course_lib.datasets.catalog import notice
from course_lib.datasets.splits import Dataset, Split
from course_lib.errors import CourseError
from course_lib.writing import replacing

FORMAT = 1  # raise it when older files can no longer be read
MAX_IN_MEMORY_BYTES = 2**30  # larger files stay on disk and are memory-mapped
FIELDS = ("images", "labels", "factors")
DISK_FULL_ERRNOS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # no quotas on Windows
DAMAGED = (SafetensorError, KeyError, TypeError, ValueError, CourseError)  # what readers raise


class Part(NamedTuple):
    """One tensor on its way to disk, in blocks, so that it need not fit in memory."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    blocks: Iterable[np.ndarray]

    @property
    def nbytes(self) -> int:
        """Size on disk in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def parts_of(dataset: Dataset) -> list[Part]:
    """A data set in memory as parts: int64 first, so that every tensor is aligned on disk."""
    parts = []
    for key, split in dataset.splits().items():
        for field in FIELDS:
            tensor = getattr(split, field)
            if tensor is not None:
                array = tensor.numpy()
                parts.append(Part(f"{key}.{field}", str(array.dtype), array.shape, [array]))
    return sorted(parts, key=lambda part: -np.dtype(part.dtype).itemsize)


def describe(dataset: Dataset) -> dict:
    """What is kept of a data set beside its tensors."""
    keys = ("name", "source", "stand_in", "label_names", "factor_names")
    return {key: getattr(dataset, key) for key in keys}


def write(path: Path, parts: list[Part], info: dict) -> None:
    """Write one cache file. Whatever goes wrong, no unfinished file stays behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, open(part, "wb") as file:
            _stream(file, parts, info)
    except OSError as error:
        raise disk_error(error, path.parent) from error


def _stream(file: BinaryIO, parts: list[Part], info: dict) -> None:
    """The safetensors format by hand, because its library wants all tensors in memory at once."""
    header, start = {}, 0
    text = json.dumps({"format": FORMAT, "order": [part.name for part in parts], **info})
    header["__metadata__"] = {"crc32": "00000000", "info": text}
    for part in parts:
        span = [start, start := start + part.nbytes]
        header[part.name] = {
            "dtype": mapped.DTYPES[part.dtype],
            "shape": list(part.shape),
            "data_offsets": span,
        }
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    file.write(len(head).to_bytes(8, "little") + head)
    crc = _write_blocks(file, parts)
    file.seek(8 + head.index(b"00000000"))  # the checksum is known only now
    file.write(b"%08x" % crc)


def _write_blocks(file: BinaryIO, parts: list[Part]) -> int:
    crc = 0
    for part in parts:
        written = 0
        for block in part.blocks:
            data = np.ascontiguousarray(block, dtype=part.dtype)
            file.write(data)
            crc = zlib.crc32(data, crc)
            written += data.nbytes
        if written != part.nbytes:
            raise CourseError(f"{part.name}: {written:,} of {part.nbytes:,} bytes came")
    return crc


def read(path: Path, *, made_by: str | None = None) -> tuple[Dataset, dict] | None:
    """The data set in a cache file and its description; None where there is none of use.

    A damaged file is removed and says so in one line; one that an older version of the
    course wrote (`made_by` differs) is silently made again by the caller.
    """
    try:
        return _open(path, made_by)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        notice(f"{path} cannot be read ({error.strerror or error})")
        return None
    except DAMAGED as error:
        notice(f"{path} is damaged and is not used ({str(error).splitlines()[0]})")
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def describe_file(path: Path) -> dict | None:
    """What is kept in a cache file beside its tensors, by its first bytes and its length alone.

    None where `read` would not take it, but for a checksum, which is not looked at.
    """
    try:
        with safe_open(path, "pt") as file:
            info = json.loads(file.metadata()["info"])
            return info if info["format"] == FORMAT and info.get("made_by") is None else None
    except (OSError, *DAMAGED):
        return None


def _open(path: Path, made_by: str | None) -> tuple[Dataset, dict] | None:
    whole = path.stat().st_size <= MAX_IN_MEMORY_BYTES
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        info = json.loads(metadata["info"])
        if info["format"] != FORMAT or info.get("made_by") != made_by:
            return None
        # Without clone() they would be views of a mapped file that is never given back.
        in_memory = {name: file.get_tensor(name).clone() for name in info["order"] if whole}
    tensors = in_memory if whole else mapped.tensors(path)
    crc = 0
    for name in info["order"] if whole else ():
        crc = zlib.crc32(tensors[name].numpy(), crc)
    if whole and crc != int(metadata["crc32"], 16):
        raise ValueError("its checksum is wrong")
    return _assemble(info, tensors), info


def _assemble(info: dict, tensors: dict) -> Dataset:
    def split(key: str) -> Split | None:
        fields = [tensors.get(f"{key}.{field}") for field in FIELDS]
        return None if fields[0] is None else Split(*fields)

    names = {key: tuple(info[key]) for key in ("label_names", "factor_names")}
    plain = {key: info[key] for key in ("name", "source", "stand_in")}
    return Dataset(train=split("train"), test=split("test"), valid=split("valid"), **plain, **names)


def origin(place: Path, file: Path) -> str:
    """Where a cached set comes from, and size and date of a file that tells of changes there."""
    stat = file.stat()
    return f"{place.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def is_from(info: dict, known: str) -> bool:
    """Whether a cache file was made from this `origin`, which a sandbox sees under another path."""
    return info.get("origin", "").split("|")[1:] == known.split("|")[1:]


@contextlib.contextmanager
def alone(path: Path, waiting: str) -> Iterator[bool | None]:
    """The lock of a file that is being made, which one process has at a time.

    Yields whether another one had it first, which the line `waiting` says meanwhile; None without a
    lock: no permission, or a file system that has none.
    """
    file, waited = path.with_suffix(".lock"), False
    lock = FileLock(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            notice(waiting)
            waited = bool(lock.acquire())
    except (OSError, NotImplementedError):
        yield None
        return
    try:
        yield waited
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file
            file.unlink()  # before the release: then whoever waits makes another
        lock.release()


def keep(path: Path, dataset: Dataset, **info: str | bool) -> None:
    """Cache a data set that is in memory; where that cannot be, say so and go on without."""
    try:
        write(path, parts_of(dataset), {**describe(dataset), **info})
    except CourseError as error:
        notice(f"{dataset.name} is kept in memory only, not cached: {error}")


def disk_error(error: OSError, folder: Path) -> CourseError:
    """One line for a file that could not be written."""
    if error.errno in DISK_FULL_ERRNOS:
        return CourseError(
            f"the disk is full at {folder}: free some space, or set COURSE_CACHE to another folder"
        )
    reason = error.strerror or str(error)
    return CourseError(f"cannot write in {folder} ({reason}): set COURSE_CACHE to another folder")


def refuse_full_disk(error: Exception) -> None:
    """CourseError where an archive could not be unpacked for want of room, and not for damage."""
    if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
        raise CourseError(
            f"the disk is full at {tempfile.gettempdir()}: free some space, or set TMPDIR to "
            "another folder"
        ) from error


def fingerprint(*modules: ModuleType) -> str:
    """Checksum of source files, by which generated data are made again when their code changes."""

    def sources() -> Iterator[Path]:
        for module in modules:
            path = Path(module.__file__)
            yield from sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]

    crc = 0
    for path in sources():
        crc = zlib.crc32(path.read_text(encoding="utf-8").encode(), crc)  # with any line ends
    return f"{crc:08x}"
