"""Two small pictures on the card of a wrong answer: its first image that looks otherwise than the
course's, and the course's.

Made where a notebook checks, of records that are judged anyway: neither a verdict nor what graded
students get back knows of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.exercises.diagnosis import differing_parts
from course_lib.exercises.records import Record, finite, is_array, same_record, usual_settings
from course_lib.exercises.spec import Exercise

SIDE_PX = 84  # of a picture, at most; each pixel becomes a square of whole pixels
LARGEST_PX = 256  # of an image that is shown at all
FLAT = {784: (28, 28), 196: (14, 14)}  # rows and columns of images that come as rows of numbers


@dataclass(frozen=True)
class Thumbnails:
    """PNG files; about: which image they show, and its size."""

    yours: bytes
    expected: bytes
    about: str


def thumbnails_of(exercise: Exercise, records: list[Record], seed: int) -> Thumbnails | None:
    """The pictures for the case that the card tells, or None where no picture shows its fault."""
    if not exercise.pictures:
        return None
    right = exercise.records(exercise.reference, seed)
    with usual_settings():
        for i, pair in enumerate(zip(records, right, strict=True)):
            got, want = (exercise.judged(record, seed, i) for record in pair)
            if same_record(got, want, rtol=exercise.rtol, atol=exercise.atol):
                continue
            if got["outcome"] != "value":
                return None
            values = got["value"], want["value"]
            differing = differing_parts(*values, rtol=exercise.rtol, atol=exercise.atol)
            part = exercise.pictures.get(next(differing, ("",))[0])
            return _of_images(*(record["value"][part] for record in pair)) if part else None
    return None


def images(array: Any) -> np.ndarray | None:
    """(B, C, H, W) of what was observed as one or several images, None where it is none.

    array: a plain value of shape (H, W), (C, H, W), (B, H, W) or (B, C, H, W) with C = 1 or 3, or
    rows of as many numbers as `FLAT` knows.
    """
    if not is_array(array) or not array["numbers"] or not finite(array):
        return None
    shape = array["shape"]
    numbers = np.array(array["numbers"]).reshape(shape)
    if len(shape) in (1, 2) and shape[-1] in FLAT:
        return numbers.reshape(-1, 1, *FLAT[shape[-1]])
    if len(shape) == 2 or (len(shape) == 3 and shape[0] not in (1, 3)):
        return numbers.reshape(-1, 1, *shape[-2:])
    if len(shape) == 3 or (len(shape) == 4 and shape[1] in (1, 3)):
        return numbers.reshape(-1, *shape[-3:])
    return None


def _of_images(got: Any, want: Any) -> Thumbnails | None:
    from course_lib import plots  # brings matplotlib, which no check needs without a picture

    obtained, right = images(got), images(want)
    if obtained is None or right is None or got["shape"] != want["shape"]:
        return None
    yours, expected = plots.to_uint8(obtained), plots.to_uint8(right)
    differ = (yours != expected).any((1, 2, 3))
    B, _, H, W = yours.shape
    if not differ.any() or max(H, W) > LARGEST_PX:
        return None
    i, scale = int(differ.argmax()), max(1, SIDE_PX // max(H, W))
    about = f"image {i + 1} of {B}, {H} × {W} pixels"
    pictures = [plots.to_png(x[i], scale=scale) for x in (yours, expected)]
    return Thumbnails(pictures[0], pictures[1], about)
