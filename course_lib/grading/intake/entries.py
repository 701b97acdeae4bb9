"""The files that were handed in, in a folder or a ZIP: listed and read, never unpacked by name."""

from __future__ import annotations

import io
import itertools
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from course_lib.errors import CourseError

MOST = 100_000  # files in a ZIP; a class of a thousand hands in a few thousand
DEEPEST, MOST_OF_FOLDER = 12, 5_000  # of one student's folder: a whole course fits
UNPACKED, RATIO = 2**30, 200  # notebooks that unpack to more than both of these are a bomb
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

    def is_a(self, suffix: str | tuple[str, ...]) -> bool:
        """Whether it is a file of this kind, or one of these, in small letters or capitals."""
        return not self.is_folder and self.parts[-1].lower().endswith(suffix)


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
        return zip_entries(lambda: archive, size=source.stat().st_size, limit=limit)
    except ValueError as error:
        raise CourseError(f"{source} is {error}") from error


def _folder_entries(root: Path) -> Iterator[Entry]:
    """Links are not followed: they would lead out of the folder, or to other students' files."""
    with os.scandir(root) as found:
        tops = [item for item in found if not _is_ignored([item.name])]
    for top in tops:
        if not top.is_dir(follow_symlinks=False):
            yield _file_entry(Path(top.path), (top.name,))
            continue
        files = [*_files_below(top.path)]
        for path in files:
            yield _file_entry(path, path.relative_to(root).parts)
        if not files:
            yield Entry((top.name,), is_folder=True)


def _files_below(top: str) -> Iterator[Path]:
    count = 0
    for folder, folders, files in os.walk(top):
        depth = len(Path(folder).relative_to(top).parts)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            count += 1
            if count > MOST_OF_FOLDER:
                return
            if not _is_ignored([name]):
                yield Path(folder, name)
        folders[:] = [n for n in sorted(folders) if depth < DEEPEST and not _is_ignored([n])]


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
    problem = "is a link" if stat.S_ISLNK(info.st_mode) else "is no regular file"
    return Entry(parts, problem=problem)


def _archive(file: Path | BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except DAMAGED as error:
        raise ValueError(f"no readable ZIP ({error}): is it cut off?") from error


def zip_entries(opened: Callable[[], zipfile.ZipFile], *, size: int, limit: int) -> list[Entry]:
    """The entries of a ZIP of `size` bytes. ValueError where it is no sound one."""
    members = opened().infolist()
    if len(members) > MOST:
        raise ValueError(f"a ZIP of {len(members):,} files, more than {MOST:,}")
    read = (m.file_size for m in members if m.file_size <= limit and _is_notebook(m.filename))
    if sum(read) > max(UNPACKED, RATIO * size):
        raise ValueError(f"a ZIP bomb: it unpacks to more than {RATIO} times its size")
    entries = (_without_hidden(_zip_entry(opened, member)) for member in members)
    return sorted((entry for entry in entries if entry.parts), key=lambda entry: entry.parts)


def nested_entries(outer: Entry, *, limit: int) -> list[Entry]:
    """The entries of a ZIP that a student handed in. ValueError where it is no sound one."""

    def opened() -> zipfile.ZipFile:  # again for each file: many of these are not kept in memory
        return _archive(io.BytesIO(outer.read(outer.size)))

    if outer.size > limit:
        raise ValueError(f"a ZIP of {outer.size / 2**20:,.0f} MB")
    inner = zip_entries(opened, size=outer.size, limit=limit)
    return [replace(entry, parts=(*outer.parts, *entry.parts)) for entry in inner]


def _without_hidden(entry: Entry) -> Entry:
    """In place of a hidden file the folder that it lies in: a student may have nothing else."""
    shown = tuple(itertools.takewhile(lambda part: not _is_ignored([part]), entry.parts))
    return entry if shown == entry.parts else Entry(shown, is_folder=True)


def _zip_entry(opened: Callable[[], zipfile.ZipFile], member: zipfile.ZipInfo) -> Entry:
    def read(n: int) -> bytes:
        try:
            with opened().open(member) as data:
                return data.read(n)
        except DAMAGED as error:
            raise ValueError(f"is damaged in the ZIP ({error})") from error

    path = _decoded(member).replace("\\", "/")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    problem = _problem(path, member)
    if ".." in parts:
        parts = tuple(part for part in parts if part != "..") or ("(no name)",)
    return Entry(parts, member.file_size, read, problem, is_folder=member.is_dir())


def _problem(path: str, member: zipfile.ZipInfo) -> str:
    if path.startswith("/") or path[1:2] == ":" or ".." in path.split("/"):
        return "has a path that leads out of the ZIP"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    return "is encrypted" if member.flag_bits & 1 else ""


def _decoded(member: zipfile.ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 and do not say so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _is_notebook(name: str) -> bool:
    return name.lower().endswith((".ipynb", *RENAMED))


def _is_ignored(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") or part in IGNORED for part in parts)
