"""Images on Axes, and as bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image


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


def image_rows(rows: Mapping[str, ArrayLike], ax: Axes) -> Axes:
    """Draw named rows of images under each other, each with its name on the left.

    rows: name to (N, C, H, W) or (N, H, W); every row has the same N.
    """
    stacked = np.concatenate([to_uint8(images) for images in rows.values()])
    count, height = len(next(iter(rows.values()))), stacked.shape[-2]
    ax.imshow(tile(stacked, columns=count), cmap="gray", vmin=0, vmax=255)
    centres = [height / 2 + i * (height + 1) for i in range(len(rows))]
    ax.set_yticks(centres, list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


def signed_image(values: ArrayLike, ax: Axes) -> Axes:
    """A picture of signed values, zero in white, on a scale of its own. values: (H, W)."""
    values = np.asarray(values)
    span = float(np.abs(values).max())
    ax.imshow(values, cmap="PuOr", vmin=-span, vmax=span)
    ax.set_axis_off()
    return ax


def signed_rows(rows: Mapping[str, ArrayLike], ax: Axes) -> Axes:
    """Named rows of signed pictures, zero in white, each picture on a scale of its own.

    rows: name to (N, H, W); every row has the same N.
    """
    scaled = {}
    for name, values in rows.items():
        values = np.asarray(values, dtype=float)
        spans = np.abs(values).max((1, 2), keepdims=True)
        scaled[name] = mpl.colormaps["PuOr"](0.5 + values / (2 * spans + 1e-12))[..., :3]
    return image_rows({name: np.moveaxis(x, -1, 1) for name, x in scaled.items()}, ax)
