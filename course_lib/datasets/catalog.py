"""What is known of a data set, and the folders that data sets are looked for in."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from course_lib.datasets.splits import Dataset
from course_lib.errors import CourseError
from course_lib.settings import named_folder

StandIn = Callable[["Spec", int], Dataset]


def find_folder(spec: "Spec", root: Path) -> Path | None:
    """The data set's folder below `root`, if it is there."""
    place = root / spec.folder
    return place if spec.folder and place.is_dir() else None


@dataclass(frozen=True)
class Spec:
    """One entry of the table of data sets. `sizes[0]` is the default side of the square images.

    stand_in(spec, size) draws images; of a set without a `folder` these are the images themselves.
    A set with a folder has three more. find(spec, root) is the place of the real ones at or below
    `root`, a folder or an archive: None where there is none, CourseError where a quick look tells
    that `prepare` would fail. prepare(spec, place, size) reads them; source=… says in words where
    they come from. download(spec) brings them on request and says in one line where they are.
    """

    name: str
    title: str
    channels: int
    sizes: tuple[int, ...]
    stand_in: StandIn
    label_names: tuple[str, ...] = ()
    folder: str = ""  # torchvision's folder below its root; "" for what the course draws itself
    loader: str = ""  # the class in torchvision.datasets
    servers: tuple[str, ...] = ()  # what torchvision's class asks, known without importing it
    counts: tuple[int, int] = (0, 0)  # official numbers of training and test images
    find: Callable[["Spec", Path], Path | None] = find_folder
    prepare: Callable[..., Dataset] | None = None
    download: Callable[["Spec"], str] | None = None
    download_in_load: Callable[["Spec"], Dataset] | None = None  # None: on request only
    import_files: Callable[["Spec", Path, int], Dataset] | None = None  # None: any images
    originals: Callable[["Spec"], Path | None] | None = None  # of an earlier import

    def place_in(self, root: Path) -> Path | None:
        """What `find` finds; CourseError also for files that cannot be looked at."""
        try:
            return self.find(self, root)
        except OSError as error:
            what, reason = error.filename or root, error.strerror or error
            raise CourseError(f"{what} cannot be read ({reason}): see to it, or move it") from error

    @property
    def procedural(self) -> bool:
        """Whether the course draws these images itself, so that they are always at hand."""
        return not self.folder


def check_size(spec: Spec, size: int | None) -> int:
    """The side of the images in pixels: `size`, or the data set's default for None."""
    if size is None:
        return spec.sizes[0]
    if isinstance(size, bool) or size not in spec.sizes:
        choices = ", ".join(map(str, sorted(spec.sizes)))
        raise CourseError(f"{spec.name} has no size {size!r}: choose {choices}")
    return int(size)


def data_folder() -> Path | None:
    """The folder that COURSE_DATA names, or None when it is not set."""
    path = named_folder("COURSE_DATA")
    if path is not None and not path.is_dir():
        raise CourseError(
            f"COURSE_DATA names {path}, which is not a folder: correct it, or unset it"
        )
    return path


def cache_folder() -> Path:
    """Where prepared data sets are kept: COURSE_CACHE, or the platform's cache folder."""
    path = named_folder("COURSE_CACHE")
    return path or Path(platformdirs.user_cache_dir("autoencoder-course", appauthor=False))


def cache_file(spec: Spec, size: int, *, stand_in: bool = False) -> Path:
    """The cache's file for one data set at one size; stand-ins have a name of their own."""
    kind = "-stand-in" if stand_in else ""
    return cache_folder() / f"{spec.name}-{size}{kind}.safetensors"


def offline() -> bool:
    """Whether COURSE_OFFLINE forbids the network."""
    return os.environ.get("COURSE_OFFLINE", "") not in ("", "0")


def notice(line: str) -> None:
    """A line for the reader that is no result: on stderr, so that a pipe gets results alone."""
    print(line, file=sys.stderr, flush=True)
