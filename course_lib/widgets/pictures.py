"""Pictures for the panels: drawn once with matplotlib, marked and encoded with Pillow.

matplotlib takes tens of milliseconds a figure and Pillow less than one, so no slider waits for it.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.transforms import Transform
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from course_lib import plots

DENSITY = 1.5  # picture pixels to one pixel of the page: sharp when a lecture is zoomed
CHART_COLOURS = 110  # of 256 for a chart: the rest is for tints and for what is drawn on it later
PNG_SUB, PNG_UP = 1, 2  # filters: differences along a row, and from the row above
GREYS = bytes(grey for grey in range(256) for _ in "RGB")


def encode(picture: Image.Image) -> bytes:
    """PNG bytes, packed lightly: encoding is most of what a slider's step costs.

    Grey is written as a palette of greys: the encoder then tries no filters, which takes half the
    time and loses nothing. A chart is flat, so that run lengths are all there is to find.
    """
    if picture.mode == "RGB":
        return _encode_colour(np.asarray(picture))
    packing = zlib.Z_RLE if picture.mode == "P" else zlib.Z_DEFAULT_STRATEGY
    if picture.mode == "L":
        picture = picture.copy()
        picture.putpalette(GREYS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1, compress_type=packing)
    return buffer.getvalue()


def _encode_colour(pixels: np.ndarray) -> bytes:
    """PNG bytes of (H, W, 3) bytes, in half of Pillow's time where pixels are enlarged.

    A row like the one above is written as the difference from it, which is zeros, and any other
    one as the differences along it, which are zeros between the edges of enlarged pixels.
    """
    height, width, _ = pixels.shape
    flat = pixels.reshape(height, -1)
    new = np.append(True, (flat[1:] != flat[:-1]).any(1))
    rows = np.zeros((height, 1 + flat.shape[1]), np.uint8)
    rows[:, 0] = np.where(new, PNG_SUB, PNG_UP)
    rows[new, 1:4] = flat[new, :3]
    rows[new, 4:] = flat[new, 3:] - flat[new, :-3]  # modulo 256
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, red, green and blue
    chunks = {b"IHDR": header, b"IDAT": packer.compress(rows) + packer.flush(), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


def scale_to(side: int, *, shape: tuple[int, ...]) -> int:
    """How many pixels wide a pixel of (…, H, W) may become, for the longer side to fit `side`."""
    return max(1, side // max(shape[-2:]))


@functools.cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """The font of the figures, which has z₁ and σ; size in picture pixels."""
    with plots.course_style():  # what a name leaves open, such as the weight, is set there
        return ImageFont.truetype(findfont("DejaVu Sans"), size)


Line = tuple[float, float, float, float]  # from x, y to x, y


@dataclass(frozen=True)
class Marks:
    """Lines on a picture, polygons, rings (x, y, colour): the browser lays them over it.

    All in picture pixels. What moves is then a few letters, and no picture.
    """

    size: tuple[int, int]
    rings: list[tuple[float, float, str]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    polygons: list[tuple[list[tuple[float, float]], str]] = field(default_factory=list)

    def svg(self) -> str:
        """For the browser: as large as what it lies over."""
        parts = [
            f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" stroke="#000"/>'
            for a, b, c, d in self.lines
        ]
        for points, colour in self.polygons:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polygon points="{corners}" fill="{colour}"/>')
        for x, y, colour in self.rings:
            for radius, width, ink in ((10, 8, "#fff"), (10, 4, colour)):
                parts.append(
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="none" '
                    f'stroke="{ink}" stroke-width="{width}"/>'
                )
        box = f'viewBox="0 0 {self.size[0]} {self.size[1]}" aria-hidden="true"'
        style = 'style="display: block; width: 100%; height: 100%"'
        return f"<svg {box} {style}>{''.join(parts)}</svg>"

    def on(self, picture: Image.Image) -> Image.Image:
        """A copy of the picture with them."""
        picture = picture.convert("RGB")
        draw = ImageDraw.Draw(picture)
        for line in self.lines:
            draw.line([round(v - 0.5) for v in line], fill="black", width=1)
        for points, colour in self.polygons:
            draw.polygon([(round(x), round(y)) for x, y in points], fill=colour)
        for x, y, colour in self.rings:
            # The middle of Pillow's pixel i lies i + ½ from the edge.
            centre = round(x - 0.5), round(y - 0.5)
            draw.circle(centre, 14, outline="white", width=8)
            draw.circle(centre, 12, outline=colour, width=4)
        return picture


@dataclass(frozen=True)
class Chart:
    """A drawn figure that knows where a point of its axes lies in its pixels."""

    picture: Image.Image
    to_display: Transform
    frame: tuple[float, float, float, float]  # left, top, right, bottom of the axes

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Where the data point (x, y) lies: pixels from the left and from the top."""
        ((column, row),) = self.pixels([x], [y]).tolist()
        return column, row

    def pixels(self, x: ArrayLike, y: ArrayLike) -> np.ndarray:
        """The same for many points: (N,) and (N,) to (N, 2)."""
        found = self.to_display.transform(np.stack([x, y], axis=1))
        return found * [1, -1] + [0, self.picture.height]

    def marks(self, points: Mapping[str, tuple[float, float]], *, lines: str = "") -> Marks:
        """A ring on each point, keyed by its colour, and lines through it.

        lines: "|", vertical ones, "+", both, or "", none.
        """
        left, top, right, bottom = self.frame
        rings = [(*self.pixel(*point), colour) for colour, point in points.items()]
        drawn: list[Line] = [(x, top, x, bottom) for x, _, _ in rings if lines]
        drawn += [(left, y, right, y) for _, y, _ in rings if lines == "+"]
        return Marks(self.picture.size, rings, drawn)


def chart(paint: Callable[[Axes], object], *, width: int, height: int) -> Chart:
    """Draw a figure of width × height page pixels once; `paint` draws on its axes.

    The picture has a palette: it encodes five times as fast.
    """
    with plots.course_style():
        figure = Figure(figsize=(width / 100, height / 100), dpi=100 * DENSITY)
        canvas = FigureCanvasAgg(figure)
        ax = figure.subplots()
        paint(ax)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    box = ax.bbox
    frame = (box.x0, picture.height - box.y1, box.x1, picture.height - box.y0)
    picture = picture.quantize(CHART_COLOURS, dither=Image.Dither.NONE)
    return Chart(picture, ax.transData.frozen(), frame)
