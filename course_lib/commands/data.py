"""List, download or import data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_lib.errors import CourseError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list (also without any argument), get NAME, import FOLDER NAME."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="which data sets are at hand, and where")
    get = actions.add_parser("get", help="download one into the cache")
    get.add_argument("name", metavar="NAME", help="for example mnist")
    take = actions.add_parser("import", help="take images of your own")
    take.add_argument("path", type=existing, metavar="FOLDER", help="folder or ZIP of images")
    take.add_argument("name", metavar="NAME", help="the data set that they become, say cifar10")
    take.add_argument("--size", type=int, help="side in pixels, for celeba: 64, 128 or 256")


def run(args: argparse.Namespace) -> int:
    """Prints one line for each data set, or one on what was done."""
    from course_lib import datasets
    from course_lib.datasets.catalog import data_folder

    if args.action == "get":
        print(datasets.get(args.name))
    elif args.action == "import":
        print(datasets.import_images(args.path, args.name, size=args.size))
    else:
        data_folder()  # refuses a COURSE_DATA that is none, which at_hand passes over
        for name, where in datasets.at_hand():
            real = f"a stand-in; the real images: python -m course_lib data get {name}"
            print(f"{name:14} {where or real}")
    return 0


def existing(text: str) -> Path:
    """A path, refused before anything is installed if it is not there."""
    path = Path(text).expanduser()
    if not path.exists():
        raise CourseError(f"there is no folder or file {text}")
    return path
