"""Switches that the environment sets: `COURSE_FAST=1` makes every training short."""

from __future__ import annotations

import os
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
