"""Train what lies in data/ again: a recipe, or the recipe on the card of a checkpoint.

Several processes train together where `torchrun` starts the command, see `course_lib.parallel`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import tempfile
from pathlib import Path
from types import ModuleType

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
    parser.add_argument(
        "--epochs", type=arguments.positive, metavar="N",
        help="train so many in place of the recipe's; without --out into trained/, not data/"
    )  # fmt: skip


def check(args: argparse.Namespace) -> None:
    """Refuse a recipe that nobody knows, and a place that is no folder. CourseError."""
    from course_lib.recipes import RECIPES

    # Not by `checkpoints.names`, which needs the packages.
    cards = {path.stem for path in (args.root / "data" / "checkpoints").glob("*.json")}
    if args.recipe not in RECIPES and args.recipe not in cards:
        near = arguments.closest(args.recipe, RECIPES)
        raise CourseError(f"no recipe and no checkpoint {args.recipe!r}{near}")
    arguments.require_folder(_out(args))


def run(args: argparse.Namespace) -> int:
    """Trains, and writes each checkpoint with its card when it is done."""
    from course_lib import parallel
    from course_lib.recipes import RECIPES

    name = args.recipe if args.recipe in RECIPES else _of_checkpoint(args.recipe, args.root)
    recipe, out = importlib.import_module(f"course_lib.recipes.{name}"), _out(args)
    if args.epochs:
        _shorten(recipe, args.epochs)
    with parallel.group() as rank, contextlib.ExitStack() as aside:
        if rank:  # the first process tells and writes
            out = Path(aside.enter_context(tempfile.TemporaryDirectory()))
            nowhere = aside.enter_context(open(os.devnull, "w", encoding="utf-8"))
            aside.enter_context(contextlib.redirect_stdout(nowhere))
            aside.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CourseError(f"{out} cannot be made: {error.strerror}") from error
        print(f"train {name}: {RECIPES[name]}, into {out}", flush=True)
        recipe.run(out)
    return 0


def _out(args: argparse.Namespace) -> Path:
    """Where results go: a training cut short does not replace the course's models."""
    return args.out or own_copy("trained" if args.epochs else "data")


def _shorten(recipe: ModuleType, epochs: int) -> None:
    """Another number of epochs, of all that a recipe trains. CourseError where it counts steps."""
    own = getattr(recipe, "EPOCHS", None)
    if own is None:
        raise CourseError(
            f"{recipe.__name__.rpartition('.')[2]} counts no epochs: leave --epochs out"
        )
    recipe.EPOCHS = dict.fromkeys(own, epochs) if isinstance(own, dict) else epochs


def _of_checkpoint(name: str, root: Path) -> str:
    """The recipe that the card of this checkpoint names."""
    from course_lib import checkpoints
    from course_lib.recipes import RECIPES

    recipe = checkpoints.card(name, folder=root / "data").get("recipe")
    if recipe not in RECIPES:
        raise CourseError(f"the card of {name} names no recipe of this course: {recipe!r}")
    return recipe
