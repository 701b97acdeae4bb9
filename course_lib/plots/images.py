"""Images on Axes, and as bytes."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike
from PIL import Image

from course_lib.plots.page import own_page, page
from course_lib.plots.style import BLUE, PAGE_WIDTH, VERMILION

LETTER = 0.085  # inches: the width of one, on average
MOST = 0.9  # inches: the side of an image on a page of its own
VALUES = 0.22  # the share of the images' width that bars and numbers beside them take


def to_uint8(image: ArrayLike) -> np.ndarray:
    """Image values as bytes: round(255·x) for floats in [0, 1], uint8 left as it is."""
    array = np.asarray(image)
    if array.dtype == np.uint8:
        return array
    return np.rint(255 * np.clip(np.nan_to_num(array), 0, 1)).astype(np.uint8)


def to_png(image: ArrayLike, *, scale: int = 1) -> bytes:
    """PNG of one image, each pixel enlarged to `scale` × `scale`.

    image: (H, W), (1, H, W) or (3, H, W); uint8, or float in [0, 1].
    """
    array = to_uint8(image)
    if array.ndim == 3:
        array = array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1)
    picture = Image.fromarray(array)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def tile(images: ArrayLike, *, columns: int, gap: int = 1) -> np.ndarray:
    """Images side by side in rows of `columns`, with a white gap.

    images: (N, C, H, W) or (N, H, W), uint8 or float in [0, 1]; returns (H', W') or (H', W', 3).
    """
    array = to_uint8(images)
    if array.ndim == 3:
        array = array[:, None]
    n, c, h, w = array.shape
    rows = -(-n // columns)
    sheet = np.full((c, rows * (h + gap) - gap, columns * (w + gap) - gap), 255, np.uint8)
    for i, image in enumerate(array):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[:, top : top + h, left : left + w] = image
    return sheet[0] if c == 1 else np.moveaxis(sheet, 0, -1)


def image_grid(images: ArrayLike, ax: Axes, *, columns: int, title: str = "") -> Axes:
    """Draw images in a grid. images: (N, C, H, W) or (N, H, W), uint8 or float in [0, 1]."""
    ax.imshow(tile(images, columns=columns), cmap="gray", vmin=0, vmax=255)
    ax.set_title(title)
    ax.set_axis_off()
    return ax


def image_rows(
    rows: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    columns: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    value_label: str = "",
    apart: Collection[str] = (),
    marks: Collection[tuple[str, int]] = (),
    title: str = "",
) -> Axes:
    """Draw named rows of images under each other, each with its name on the left.

    rows: name to (N, C, H, W) or (N, H, W); a row of fewer ends earlier. Without `ax` they have a
    page of their own, as high as they need.
    columns: N headings. values: a number and a bar at the right of these rows, under the heading
    value_label. apart: rows with more space above them. marks: (name, column) of images to frame.
    """
    if ax is None:
        heads = bool(columns) + bool(title or (value_label and not columns))
        ax = own_page(None, height=_height(rows, apart, beside=bool(values), heads=heads))
    strips = [tile(images, columns=len(images)) for images in rows.values()]
    colour = max(strip.ndim for strip in strips)
    strips = [s if s.ndim == colour else np.repeat(s[..., None], 3, 2) for s in strips]
    height, width = strips[0].shape[0], max(strip.shape[1] for strip in strips)
    side = (width + 1) / max(map(len, rows.values()))  # of an image and the gap after it
    gaps = [1 + (height // 4 if name in apart else 0) for name in rows]
    gaps[0] = 0
    tops = np.cumsum(gaps) + height * np.arange(len(rows))
    sheet = np.full((tops[-1] + height, width, *strips[0].shape[2:]), 255, np.uint8)
    for top, strip in zip(tops, strips, strict=True):
        sheet[top : top + height, : strip.shape[1]] = strip
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    centres = dict(zip(rows, tops + height / 2 - 0.5, strict=True))
    ax.set_yticks(list(centres.values()), list(rows))
    ax.set_xticks([i * side + side / 2 - 1 for i in range(len(columns))], list(columns))
    ax.tick_params(length=0, labeltop=bool(columns), labelbottom=False)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    for name, column in marks:
        corner = column * side - 0.5, centres[name] - height / 2
        look = {"fill": False, "edgecolor": VERMILION, "linewidth": 3}
        ax.add_patch(Rectangle(corner, side - 1, height, **look))
    if values:
        _values_beside(values, centres, height, ax, label=value_label)
    ax.set_title(title, loc="left")
    return ax


def image_blocks(
    blocks: Mapping[str, Mapping[str, ArrayLike]],
    *,
    values: Mapping[str, Mapping[str, float]] | None = None,
    value_label: str = "",
) -> np.ndarray:
    """Blocks of the same named rows of images beside each other on a page, each with its title.

    blocks: title to rows, as `image_rows` takes them, all of the same names. values: title to the
    numbers at the right of that block's rows, under value_label. Returns the Axes.
    """
    first = next(iter(blocks.values()))
    widths = [max(map(len, rows.values())) for rows in blocks.values()]
    count = sum(widths) * (1 + VALUES * bool(values)) + 0.5 * (len(blocks) - 1)
    names = max(len(line) for name in first for line in name.split("\n"))
    side = min((PAGE_WIDTH - 0.2 - LETTER * names) / count, MOST)
    height = side * len(first) + 0.5 + 0.3 * bool(value_label)
    _, axes = page(1, len(blocks), height=height, squeeze=False)
    for ax, (title, rows) in zip(axes[0], blocks.items(), strict=True):
        beside = (values or {}).get(title)
        image_rows(rows, ax, values=beside, value_label=value_label, title=title)
        if ax is not axes[0, 0]:
            ax.set_yticks([])
    return axes[0]


def _height(
    rows: Mapping[str, ArrayLike], apart: Collection[str], *, beside: bool, heads: int
) -> float:
    """Inches that the rows need on a page, where an image is at most MOST wide."""
    names = max(len(line) for name in rows for line in name.split("\n"))
    shapes = [np.shape(images) for images in rows.values()]
    most = max(shape[0] for shape in shapes)
    room = (PAGE_WIDTH - 0.2 - LETTER * names) / (1 + VALUES * beside)
    side = min(room / most, MOST) * shapes[0][-2] / shapes[0][-1]
    return side * (len(rows) + len(apart) / 4) + 0.3 * heads + 0.15


def _values_beside(
    values: Mapping[str, float], centres: Mapping[str, float], height: int, ax: Axes, *, label: str
) -> None:
    """A bar and a number at the right of each row that has one, on a common scale from 0."""
    beside = ax.inset_axes((1.02, 0, VALUES - 0.02, 1))
    beside.set(xlim=(0, 1.6 * max(values.values())), ylim=ax.get_ylim(), xticks=[], yticks=[])
    beside.spines[["top", "right", "bottom"]].set_visible(False)
    for name, value in values.items():
        beside.barh(centres[name], value, 0.3 * height, color=BLUE)
        told, place = f"{value:,.0f}" if value >= 100 else f"{value:.3g}", (value, centres[name])
        beside.annotate(told, place, xytext=(5, 0), textcoords="offset points", va="center")
    beside.set_title(label, fontsize="medium", loc="left")


def signed_image(values: ArrayLike, ax: Axes) -> Axes:
    """A picture of signed values, zero in white, on a scale of its own. values: (H, W)."""
    values = np.asarray(values)
    span = float(np.abs(values).max())
    ax.imshow(values, cmap="PuOr", vmin=-span, vmax=span)
    ax.set_axis_off()
    return ax


def signed_rows(rows: Mapping[str, ArrayLike], ax: Axes | None = None, *, title: str = "") -> Axes:
    """Named rows of signed pictures, zero in white, each picture on a scale of its own.

    rows: name to (N, H, W); every row has the same N. Without `ax`, on a page of their own.
    """
    scaled = {}
    for name, values in rows.items():
        values = np.asarray(values, dtype=float)
        spans = np.abs(values).max((1, 2), keepdims=True)
        scaled[name] = mpl.colormaps["PuOr"](0.5 + values / (2 * spans + 1e-12))[..., :3]
    pictures = {name: np.moveaxis(x, -1, 1) for name, x in scaled.items()}
    return image_rows(pictures, ax, title=title)
