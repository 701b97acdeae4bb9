"""A strip of images: rows of steps from start to end, with a mark that runs below them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from course_lib.widgets import image_rows
from course_lib.widgets.pictures import Marks, font

AXIS_HEIGHT = 58  # picture pixels below the rows: the mark, a line, and the numbers
LINE_TOP = 24  # of those, from the rows to the line


@dataclass(frozen=True)
class Strip:
    """The strip, and where on it the middles of its first and last column are."""

    picture: Image.Image
    first: float
    last: float

    def at(self, t: float) -> Marks:
        """A triangle at t in [0, 1], below the rows."""
        x = self.first + t * (self.last - self.first)
        y = self.picture.height - AXIS_HEIGHT + LINE_TOP
        triangle = [(x, y - 18), (x - 11, y), (x + 11, y)], "#000"
        return Marks(self.picture.size, polygons=[triangle])


def make_strip(images: Mapping[str, np.ndarray], *, width: int) -> Strip:
    """A strip of the named rows, (N, H, W) or (N, H, W, 3) bytes each; width: page pixels."""
    sheet = image_rows.draw_rows(images, width=width)
    cells = image_rows.layout(images, next(iter(images.values())), width=width)
    count = len(next(iter(images.values())))
    first, last = (cells.corner(0, i)[0] + cells.size[0] / 2 for i in (0, count - 1))
    strip = Image.new(sheet.mode, (sheet.width, sheet.height + AXIS_HEIGHT), "white")
    strip.paste(sheet, (0, 0))
    draw, y = ImageDraw.Draw(strip), sheet.height + LINE_TOP
    draw.line((first, y, last, y), fill="black", width=2)
    for t in (0, 0.5, 1):
        x, letters = first + t * (last - first), font(image_rows.NAME_SIZE)
        draw.line((x, y, x, y + 6), fill="black", width=2)
        draw.text((x, y + 8), f"{t:g}", "black", letters, anchor="ma")
    draw.text((0, y), "t", "black", font(image_rows.NAME_SIZE), anchor="lm")
    return Strip(strip, first, last)
