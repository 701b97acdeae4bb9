"""An animated picture of a walk through the two-dimensional code of the digits, for the README."""

from __future__ import annotations

import io
import itertools
import math
from pathlib import Path

import torch
from PIL import Image

from course_lib import checkpoints, widgets
from course_lib.widgets.fallback import side_by_side
from course_lib.writing import check_target, write_whole

MODEL = "mnist-decoder-2"
STOPS = (1, 7, 4, 6, 0, 2, 3, 8, 1)  # digits whose codes are visited, and back to the first
FRAMES_PER_STOP, FRAME_MS = 10, 110  # from one stop to the next; a frame


def write_walk(data: Path, target: Path) -> int:
    """Write the GIF, whole or not at all; its size in bytes. CourseError where it cannot be."""
    check_target(target)
    frames, buffer = walk(data), io.BytesIO()
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], loop=0,
        duration=FRAME_MS, optimize=True,
    )  # fmt: skip
    write_whole(target, buffer.getvalue())
    return len(buffer.getvalue())


def walk(data: Path) -> list[Image.Image]:
    """The pad of notebook 03 on its way from digit to digit, with one palette for all frames."""
    decoder, card = checkpoints.load(MODEL, folder=data)
    codes = torch.tensor(card["codes"])  # (N, 3): z₁, z₂, label
    z, labels = codes[:, :2], codes[:, 2].long()
    pad = widgets.pad(
        lambda z: decoder.decode(z).mean, codes=z, labels=labels, extent=(-3, 3, -3, 3)
    )
    medians = [z[labels == digit].median(0).values for digit in STOPS]
    frames = []
    for start, end in itertools.pairwise(medians):
        for i in range(FRAMES_PER_STOP):
            t = (1 - math.cos(math.pi * i / FRAMES_PER_STOP)) / 2  # slow near the digits
            place = ((1 - t) * start + t * end).tolist()
            pad.set(
                {name: round(value, 1) for name, value in zip(pad.controls, place, strict=True)}
            )
            shown = pad.frame
            frames.append(side_by_side(shown.pictures, widths=pad.widths, lines=[shown.text]))
    palette = _palette(frames[0].crop((0, 0, frames[0].width // 2, frames[0].height)))
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _palette(chart: Image.Image) -> Image.Image:
    """The colours of the map, and greys enough for the digits."""
    found = chart.quantize(128, method=Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * 128]
    palette = Image.new("P", (1, 1))
    palette.putpalette(found + [grey for grey in range(0, 256, 3) for _ in "RGB"])
    return palette
