"""Draw quickly on a picture with a palette: shaded areas, hatched boxes and smooth text."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageColor, ImageDraw

from course_lib.widgets.pictures import DENSITY, GREYS, Chart, font

MIN_PAPER_LEVEL = 190  # mean of red, green and blue from which a colour counts as paper: grids do
STRIPES = np.add.outer(np.arange(14), np.arange(14)) % 14 < 5
SHADES = 8  # from paper to ink: enough for text to look smooth


class Area:
    """A chart on which the area under a moving curve is tinted and the curve is drawn.

    Both go under what is painted: each colour of the palette gets a twin that is multiplied by the
    tint, and the curve colours light pixels only. A chart has few enough for that.
    """

    def __init__(self, chart: Chart, *, colour: str, tint: str) -> None:
        self.chart = chart
        palette = np.reshape(chart.picture.getpalette(), (-1, 3))
        twins, line = palette * ImageColor.getrgb(tint) // 255, ImageColor.getrgb(colour)
        self.palette = np.concatenate([palette, twins, [line]]).astype(np.uint8).tobytes()
        self.base = np.asarray(chart.picture)
        self.twin, self.ink = np.uint8(len(palette)), 2 * len(palette)
        self.light = (palette.mean(1) > MIN_PAPER_LEVEL)[self.base]

    def under(self, x: np.ndarray, y: np.ndarray, *, width: int = 4) -> Image.Image:
        """Tint what lies between the curve and the axis; what is above the axes is cut off."""
        left, top, right, bottom = map(round, self.chart.frame)
        columns, heights = np.maximum(self.chart.pixels(x, y), [0, top]).T
        middle = np.interp(np.arange(left, right) + 0.5, columns, heights)
        near = np.interp(np.arange(left - 1, right + 2), columns, heights)
        near = sliding_window_view(near, 4)  # a column's edges, and those of its neighbours
        high, low = near.min(1) - width / 2, near.max(1) + width / 2  # where the line ends
        rows = np.arange(top, bottom, dtype=np.int16)[:, None]
        indices, axes = self.base.copy(), np.s_[top:bottom, left:right]
        middle, high, low = (v.round().astype(np.int16) for v in (middle, high, low))
        indices[axes] += self.twin * (rows >= middle)
        line = (rows >= high) & (rows < low) & self.light[axes]
        np.copyto(indices[axes], np.uint8(self.ink), where=line)
        picture = Image.fromarray(indices)
        picture.putpalette(self.palette)
        return picture


def hatch(picture: Image.Image, box: tuple[int, int, int, int], *, colour: str) -> None:
    """Fill a box (left, top, right, bottom) with slanted stripes of a colour, and frame it."""
    left, top, right, bottom = box
    if bottom <= top:
        return
    draw = ImageDraw.Draw(picture)
    stripe, paper = _inks(picture, [ImageColor.getrgb(colour), (255, 255, 255)])
    size = bottom - top, right - left
    striped = np.tile(STRIPES, [n // len(STRIPES) + 1 for n in size])[: size[0], : size[1]]
    picture.paste(_indexed(np.where(striped, stripe, paper)), (left, top))
    draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=3)


def write(picture: Image.Image, place: tuple[float, float], text: str, *, size: float = 15) -> None:
    """Text in black on white; place: its left end at half height, size in page pixels.

    Pillow alone writes on a palette without smoothing.
    """
    spot = Image.new("L", (picture.width, round(2 * size * DENSITY)))
    letters = font(size * DENSITY)
    ImageDraw.Draw(spot).text((0, spot.height // 2), text, 255, letters, anchor="lm")
    spot = spot.crop((0, 0, spot.getbbox()[2], spot.height))
    inks = _inks(picture, [(255 - round(255 * i / SHADES),) * 3 for i in range(SHADES + 1)])
    levels = (np.asarray(spot).astype(int) * SHADES + 127) // 255
    corner = round(place[0]), round(place[1]) - spot.height // 2
    picture.paste(_indexed(inks[levels]), corner, Image.fromarray((levels > 0) * np.uint8(255)))


def _inks(picture: Image.Image, colours: list[tuple[int, ...]]) -> np.ndarray:
    """Where these colours stand in the picture's palette; those that do not are added to it."""
    return np.array([picture.palette.getcolor(colour, picture) for colour in colours], np.uint8)


def _indexed(indices: np.ndarray) -> Image.Image:
    """Indices into a palette as a picture that can be pasted into the one with the palette."""
    picture = Image.fromarray(indices)
    picture.putpalette(GREYS)
    return picture
