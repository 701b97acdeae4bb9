"""List, download or import data sets."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.datasets.loading import Status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list (also without any argument), get NAME, import FOLDER NAME."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="which data sets are at hand, where, and how large")
    get = actions.add_parser("get", help="download one into the cache")
    get.add_argument("name", metavar="NAME", help="for example mnist")
    take = actions.add_parser("import", help="take images of your own")
    take.add_argument("path", type=existing, metavar="FOLDER", help="folder, ZIP or tar of images")
    take.add_argument("name", metavar="NAME", help="the data set that they become, say cifar10")
    take.add_argument("--size", type=int, help="side in pixels, for celeba: 64, 128 or 256")


def run(args: argparse.Namespace) -> int:
    """Prints one line for each data set and one on the cache, or one on what was done."""
    from course_lib import datasets
    from course_lib.datasets.catalog import cache_folder, data_folder

    if args.action == "get":
        print(datasets.get(args.name))
    elif args.action == "import":
        print(datasets.import_images(args.path, args.name, size=args.size))
    else:
        data_folder()  # refuses a COURSE_DATA that is none
        for status in datasets.survey():
            place = status.real or status.drawn
            size = f"{size_on_disk(place) / 1e6:,.0f} MB" if place.exists() else "-"
            print(f"{status.spec.name:14} {size:>9}  {described(status)}")
        print(f"cache: {cache_folder()}")
    return 0


def described(status: Status) -> str:
    """Where the real images of a data set lie, or how to get them."""
    if status.spec.procedural:
        return "drawn by the course"
    get = f"a stand-in; the real images: python -m course_lib data get {status.spec.name}"
    return str(status.real or status.problem or get)


def size_on_disk(place: str | os.PathLike[str]) -> int:
    """Bytes of a file, or of all files below a folder."""
    if not os.path.isdir(place):
        return os.path.getsize(place)
    with os.scandir(place) as entries:
        return sum(
            size_on_disk(entry)
            if entry.is_dir(follow_symlinks=False)
            else entry.stat(follow_symlinks=entry.is_file()).st_size  # a link may lead nowhere
            for entry in entries
        )


def existing(text: str) -> Path:
    """A path, refused before anything is installed if it is not there."""
    path = Path(os.path.expanduser(text))
    if not os.path.exists(path):
        raise CourseError(f"there is no folder or file {text}")
    return path
