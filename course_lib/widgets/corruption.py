"""Damage images more and more, and see what each way of restoring them makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets import image_rows
from course_lib.widgets.controls import choice, nearest_stop, slider
from course_lib.widgets.outputs import call, given, to_batch, to_bytes, to_number
from course_lib.widgets.panel import Frame, Panel, Values

Corrupt = Callable[[Tensor, str, float, torch.Generator], Tensor]
LEVELS = {"low": 0.0, "high": 1.0, "step": 0.05}
ROWS_WIDTH = 720  # page pixels
IMAGES, ORIGINAL, CORRUPTED = "images", "original", "corrupted"


def corruption(
    images: Tensor,
    corrupt: Corrupt,
    restore: Mapping[str, Callable[[Tensor], Tensor]],
    *,
    kinds: Sequence[str] = ("gaussian", "mask", "salt_pepper"),
    start: tuple[str, float] = ("gaussian", 0.4),
    shape: tuple[int, ...] = (1, 28, 28),
    seed: int = 0,
) -> Panel:
    """A kind and a level of corruption: originals, corrupted images, and one row per restorer.

    images: (N, C, H, W) or (N, D), uint8 or float in [0, 1]; six to eight look well.
    corrupt: corrupt(x, kind, level, generator) for x (N, C, H, W); the generator starts from `seed`
    for each picture, so that the same noise grows with the level.
    restore: name to a function from the corrupted (N, C, H, W) to (N, C, H, W) or (N, D).
    start: kind and level to begin with. Raises CourseError where these do not fit each other.
    """
    kind, level = _start(kinds, start)
    _check_names(restore)
    originals = given(images, shape=shape, what="images")
    names = {str(kind).replace("_", " "): kind for kind in kinds}
    return Panel(
        _drawer(originals, corrupt, restore, seed=seed),
        controls={
            "kind": choice("kind", kind, options=names),
            "level": slider(
                "level", nearest_stop(level, **LEVELS), **LEVELS, width=ROWS_WIDTH // 2
            ),
        },
        widths={IMAGES: ROWS_WIDTH},
    )


def _start(kinds: Sequence[str], start: tuple[str, float]) -> tuple[str, float]:
    try:
        kind, level = start
    except (TypeError, ValueError) as error:
        raise CourseError(f"start must be a kind and a level, not {start!r}") from error
    if kind not in kinds:
        raise CourseError(f"start must be one of the kinds {list(kinds)}, not {kind!r}")
    level = to_number(level, source="the level of start")
    if not 0 <= level <= 1:
        raise CourseError(f"the level of start must be between 0 and 1, not {level}")
    return kind, level


def _check_names(restore: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
    if not isinstance(restore, Mapping) or not all(map(callable, restore.values())):
        raise CourseError("restore must be names with functions, such as {'model': model}")
    if taken := {ORIGINAL, CORRUPTED} & set(restore):
        raise CourseError(
            f"restore must name its rows otherwise: {sorted(taken)} are there already"
        )


def _drawer(
    originals: Tensor,
    corrupt: Corrupt,
    restore: Mapping[str, Callable[[Tensor], Tensor]],
    *,
    seed: int,
) -> Callable[[Values], Frame]:
    """The function that a step of a control calls."""
    count, shape = len(originals), tuple(originals.shape[1:])

    def draw(values: Values) -> Frame:
        kind, level = values["kind"], values["level"]
        generator = torch.Generator().manual_seed(seed)
        # A copy each time: a function that writes into its input must not spoil the next picture.
        damaged = call(corrupt, originals.clone(), kind, level, generator)
        damaged = to_batch(damaged, count=count, shape=shape, source="corrupt")
        batches = {CORRUPTED: damaged}
        for name, function in restore.items():
            output = call(function, damaged.clone())
            batches[name] = to_batch(output, count=count, shape=shape, source=name)
        told = ", ".join(
            f"{name} {((batch - originals) ** 2).sum().item() / count:.1f}"
            for name, batch in batches.items()
        )
        rows = {name: to_bytes(batch) for name, batch in {ORIGINAL: originals, **batches}.items()}
        text = f"{kind.replace('_', ' ')}, level {level:.2f}: squared error per image {told}."
        return Frame({IMAGES: image_rows.draw_rows(rows, width=ROWS_WIDTH)}, text)

    return draw
