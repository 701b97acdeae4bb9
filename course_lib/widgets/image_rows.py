"""A picture of images: named rows under each other, each pixel enlarged to whole pixels."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from course_lib.widgets.pictures import DENSITY, font

NAME_SIZE = 14 * DENSITY  # size of the names of rows


@dataclass(frozen=True)
class Layout:
    """Where the images of a sheet lie, in picture pixels; each is `scale` times its own size."""

    size: tuple[int, int]  # width and height of an image on the sheet
    margin: int  # left of the first image, for the names
    gap: int = 6

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Left and top of an image."""
        width, height = self.size
        return self.margin + column * (width + self.gap), row * (height + self.gap)


def layout(names: Iterable[str], images: np.ndarray, *, width: int) -> Layout:
    """Room for the names, then a row of images as large as fit into `width` page pixels."""
    n, h, w = images.shape[:3]
    margin = 12 + math.ceil(max(map(_length, names)))
    scale = max(1, ((round(width * DENSITY) - margin) // n - Layout.gap) // w)
    return Layout((w * scale, h * scale), margin)


@functools.lru_cache
def _length(name: str) -> float:
    return font(NAME_SIZE).getlength(name)


def draw_rows(images: Mapping[str, np.ndarray | str], *, width: int) -> Image.Image:
    """Named rows of images under each other; a row that is a text shows that text instead.

    images: name to (N, H, W) or (N, H, W, 3) bytes, N may differ; width: page pixels, each image
    pixel is enlarged to as many whole picture pixels as fit.
    """
    stacks = [a for a in images.values() if not isinstance(a, str)]
    cells = layout(images, max(stacks, key=len), width=width)
    mode = "RGB" if any(a.ndim == 4 for a in stacks) else "L"
    sheet = _named(tuple(images), cells, mode, round(width * DENSITY)).copy()
    for row, content in enumerate(images.values()):
        left, top = cells.corner(row, 0)
        if isinstance(content, str):
            middle = left, top + cells.size[1] // 2
            ImageDraw.Draw(sheet).text(middle, content, "black", font(NAME_SIZE), anchor="lm")
        else:
            sheet.paste(Image.fromarray(_strip(content, cells)), (left, top))
    return sheet


@functools.lru_cache
def _named(names: tuple[str, ...], cells: Layout, mode: str, width: int) -> Image.Image:
    """The sheet with names alone: letters take longer to draw than images."""
    sheet = Image.new(mode, (width, cells.corner(len(names), 0)[1] - cells.gap), "white")
    for row, name in enumerate(names):
        middle = cells.corner(row, 0)[1] + cells.size[1] // 2
        ImageDraw.Draw(sheet).text((0, middle), name, "black", font(NAME_SIZE), anchor="lm")
    return sheet


def _strip(images: np.ndarray, cells: Layout) -> np.ndarray:
    """(N, H, W, …) bytes enlarged and side by side, with white gaps after each: (H', W', …)."""
    (width, height), scale = cells.size, cells.size[0] // images.shape[2]
    strip = np.full((height, len(images), width + cells.gap, *images.shape[3:]), 255, np.uint8)
    strip[:, :, :width] = np.moveaxis(images, 0, 1).repeat(scale, 0).repeat(scale, 2)
    return strip.reshape(height, -1, *images.shape[3:])
