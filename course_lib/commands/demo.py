"""The lecture demo: walks through the codes of committed models, in a browser, without a kernel."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_lib.commands import arguments, environment
from course_lib.writing import check_target

NEEDS_PACKAGES = False
WALK = Path("data", "walk.gif")  # the picture in README


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`demo [--no-browser] [--export FILE.html] [--gif [FILE.gif]]`."""
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--export", type=arguments.path, metavar="FILE.html",
        help="write one page that works from anywhere",
    )  # fmt: skip
    one.add_argument(
        "--gif", type=arguments.path, nargs="?", const=WALK, metavar="FILE.gif",
        help="write an animated picture of a walk, by default the one of README",
    )  # fmt: skip


def check(args: argparse.Namespace) -> None:
    """Refuse a file that cannot be written, or whose name says something else. CourseError."""
    for target, endings in ((args.export, (".html", ".htm")), (args.gif, (".gif",))):
        if target is not None and target is not WALK:
            check_target(target)
            arguments.require_ending(target, *endings)


def run(args: argparse.Namespace) -> int:
    """Opens the page, or writes it, or writes the picture."""
    from course_lib import demo

    data = args.root / "data"
    if args.gif is not None:
        return _gif(args, data)
    if args.export is None:
        demo.serve(demo.page(data), browser=not args.no_browser)
    else:
        size = demo.export(data, args.export)
        print(f"wrote {args.export}, {size / 1e6:.1f} MB: open it with a double click")
    return 0


def _gif(args: argparse.Namespace, data: Path) -> int:
    """The one that draws, and therefore needs the packages."""
    from course_lib.place import own_copy

    target = own_copy(str(WALK)) if args.gif is WALK else args.gif
    environment.ensure(args.root, needs=(), torch=None, argv=["demo", "--gif", str(target)])
    from course_lib.demo.gif import write_walk

    size = write_walk(data, target)
    print(f"wrote {target}, {size / 1e6:.2f} MB")
    return 0
