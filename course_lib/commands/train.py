"""Train what lies in data/ again: a recipe, or the recipe on the card of a checkpoint."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from course_lib.commands import arguments
from course_lib.errors import CourseError
from course_lib.place import own_copy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`train RECIPE [--out DIR]`."""
    from course_lib.recipes import RECIPES

    told = "; ".join(f"{name}: {what}" for name, what in RECIPES.items())
    parser.add_argument("recipe", metavar="RECIPE", help=f"{told}; or the name of a checkpoint")
    parser.add_argument(
        "--out", type=arguments.path, metavar="DIR",
        help="where checkpoints/ and metrics/ go, not data/"
    )  # fmt: skip


def check(args: argparse.Namespace) -> None:
    """Refuse a recipe that nobody knows, and a place that is no folder. CourseError."""
    from course_lib.recipes import RECIPES

    # Not by `checkpoints.names`, which needs the packages.
    cards = {path.stem for path in (args.root / "data" / "checkpoints").glob("*.json")}
    if args.recipe not in RECIPES and args.recipe not in cards:
        near = arguments.closest(args.recipe, RECIPES)
        raise CourseError(f"no recipe and no checkpoint {args.recipe!r}{near}")
    arguments.require_folder(args.out or own_copy("data"))


def run(args: argparse.Namespace) -> int:
    """Trains, and writes each checkpoint with its card when it is done."""
    from course_lib.recipes import RECIPES

    name = args.recipe if args.recipe in RECIPES else _of_checkpoint(args.recipe, args.root)
    out = args.out or own_copy("data")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CourseError(f"{out} cannot be made: {error.strerror}") from error
    print(f"train {name}: {RECIPES[name]}, into {out}", flush=True)
    importlib.import_module(f"course_lib.recipes.{name}").run(out)
    return 0


def _of_checkpoint(name: str, root: Path) -> str:
    """The recipe that the card of this checkpoint names."""
    from course_lib import checkpoints
    from course_lib.recipes import RECIPES

    recipe = checkpoints.card(name, folder=root / "data").get("recipe")
    if recipe not in RECIPES:
        raise CourseError(f"the card of {name} names no recipe of this course: {recipe!r}")
    return recipe
