"""The files that were handed in, in a folder or a ZIP: listed and read, never unpacked by name."""

from __future__ import annotations

import io
import itertools
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from course_lib.errors import CourseError

MAX_ZIP_FILES = 100_000  # a class of a thousand hands in a few thousand
MAX_DEPTH, MAX_FOLDER_FILES = 12, 5_000  # of one student's folder: a whole course fits
MAX_UNPACKED_BYTES, MAX_RATIO = 2**30, 200  # notebooks that exceed both of these are a bomb
RENAMED = (".ipynb.txt", ".ipynb.json")  # endings that programs give to notebooks they save
IGNORED = {"__MACOSX", "__pycache__", "node_modules", "site-packages"}
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError)
DAMAGED += (RuntimeError, NotImplementedError)  # zipfile's, for encryption and odd compression


@dataclass(frozen=True)
class Entry:
    """A file, or a folder without files, by its path below the submissions.

    read(n) gives at most n bytes of it, ValueError where it is damaged; `problem` says why it must
    not be read at all; `place` is its path on disk, if it has one.
    """

    parts: tuple[str, ...]
    size: int = 0
    read: Callable[[int], bytes] = lambda n: b""
    problem: str = ""
    place: Path | None = None
    is_folder: bool = False

    @property
    def name(self) -> str:
        return "/".join(self.parts)

    def is_a(self, *suffixes: str) -> bool:
        """Whether it is a file of one of these kinds, in small letters or capitals."""
        return not self.is_folder and self.parts[-1].lower().endswith(suffixes)


def read_entries(source: Path, *, limit: int) -> list[Entry]:
    """All that lies in a folder or a ZIP, without hidden files. CourseError where it is neither.

    limit: the size of the largest notebook that anybody will read, bytes.
    """
    if source.is_dir():
        return sorted(_folder_entries(source), key=lambda entry: entry.parts)
    if not source.is_file():
        raise CourseError(f"there is no folder or ZIP {source}")
    try:
        archive = _archive(source)
        return _zip_entries(lambda: archive, size=source.stat().st_size, limit=limit)
    except ValueError as error:
        raise CourseError(f"{source} is {error}") from error


def _folder_entries(root: Path) -> Iterator[Entry]:
    """Links are not followed: they would lead out of the folder, or to other students' files."""
    for top in root.iterdir():
        if _is_ignored(top.name):
            continue
        is_folder = top.is_dir() and not top.is_symlink()
        files = itertools.islice(_files_below(top), MAX_FOLDER_FILES) if is_folder else [top]
        entries = [_file_entry(path, path.relative_to(root).parts) for path in files]
        yield from entries or [Entry((top.name,), is_folder=True)]


def _files_below(top: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(top):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in [*files, *links] if not _is_ignored(name))
        is_deep = len(here.relative_to(top).parts) >= MAX_DEPTH
        folders[:] = sorted(name for name in folders if not is_deep and not _is_ignored(name))


def _file_entry(path: Path, parts: tuple[str, ...]) -> Entry:
    def read(n: int) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read(n)
        except OSError as error:
            raise ValueError(f"cannot be read ({error.strerror})") from error

    info = path.lstat()
    if stat.S_ISREG(info.st_mode):
        return Entry(parts, info.st_size, read, place=path)
    is_link = stat.S_ISLNK(info.st_mode)
    return Entry(parts, problem="is a link" if is_link else "is no regular file")


def _archive(file: Path | BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except DAMAGED as error:
        raise ValueError(f"no readable ZIP ({error}): is it cut off?") from error


def nested_entries(outer: Entry, *, limit: int) -> list[Entry]:
    """The entries of a ZIP that a student handed in. ValueError where it is no sound one."""

    def opened() -> zipfile.ZipFile:  # again for each file: many of these are not kept in memory
        return _archive(io.BytesIO(outer.read(outer.size)))

    if outer.size > limit:
        raise ValueError(f"a ZIP of {outer.size / 2**20:,.0f} MB")
    inner = _zip_entries(opened, size=outer.size, limit=limit)
    return [replace(entry, parts=(*outer.parts, *entry.parts)) for entry in inner]


def _zip_entries(opened: Callable[[], zipfile.ZipFile], *, size: int, limit: int) -> list[Entry]:
    members = opened().infolist()
    if len(members) > MAX_ZIP_FILES:
        raise ValueError(f"a ZIP of {len(members):,} files, more than {MAX_ZIP_FILES:,}")
    entries = [_zip_entry(opened, member) for member in members]
    notebooks = (entry.size for entry in entries if entry.parts and entry.is_a(".ipynb", *RENAMED))
    if sum(n for n in notebooks if n <= limit) > max(MAX_UNPACKED_BYTES, MAX_RATIO * size):
        raise ValueError(f"a ZIP bomb: it unpacks to more than {MAX_RATIO} times its size")
    return sorted((entry for entry in entries if entry.parts), key=lambda entry: entry.parts)


def _zip_entry(opened: Callable[[], zipfile.ZipFile], member: zipfile.ZipInfo) -> Entry:
    def read(n: int) -> bytes:
        try:
            with opened().open(member) as data:
                return data.read(n)
        except DAMAGED as error:
            raise ValueError(f"is damaged in the ZIP ({error})") from error

    path = member.filename
    if not member.flag_bits & 0x800:  # many programs write UTF-8 and do not say so
        try:
            path = path.encode("cp437").decode("utf-8")
        except UnicodeError:
            path = member.filename
    path = path.replace("\\", "/")
    parts = tuple(part for part in path.split("/") if part not in ("", ".", ".."))
    shown = tuple(itertools.takewhile(lambda part: not _is_ignored(part), parts))
    if shown != parts:  # a hidden file: its folder may have nothing else in it
        return Entry(shown, is_folder=True)
    problem = "is encrypted" if member.flag_bits & 1 else ""
    if stat.S_ISLNK(member.external_attr >> 16):
        problem = "is a link"
    if path.startswith("/") or path[1:2] == ":" or ".." in path.split("/"):
        problem = "has a path that leads out of the ZIP"
    return Entry(parts or ("(no name)",), member.file_size, read, problem,
                 is_folder=member.is_dir())  # fmt: skip


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name in IGNORED
