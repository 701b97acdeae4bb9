"""What the environment sets: `COURSE_FAST=1` makes every training short, others name folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
BANNER = "COURSE_FAST=1: short training on few images. Everything runs; the figures are rough."


def is_fast() -> bool:
    """Whether `COURSE_FAST` asks for short training."""
    return os.environ.get("COURSE_FAST", "") not in ("", "0")


def shortened(full: tuple[T, ...], fast: tuple[T, ...]) -> tuple[T, ...]:
    """The sizes of a run: `full`, or under `COURSE_FAST=1` `fast`, with a banner that says so."""
    if not is_fast():
        return full
    print(BANNER)
    return fast


def short_run_note(what: str) -> None:
    """In a short run say that `what` needs the full one, in a line; else nothing."""
    if is_fast():
        print(f"Short run: {what} as described below need the full run, without COURSE_FAST.")


def named_folder(variable: str) -> Path | None:
    """The folder that `COURSE_DATA` or `COURSE_CACHE` names; None where it is empty or not set.

    Without the blanks and quotes around it that `set COURSE_DATA="C:\\x" ` keeps on Windows.
    """
    value = os.environ.get(variable, "").strip()
    while len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return Path(os.path.abspath(os.path.expanduser(value))) if value.strip("\"'") else None
