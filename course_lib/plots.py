"""Arrays to matplotlib Axes: every function takes arrays and `ax`, draws, and returns `ax`.

Palette and sizes stand here and nowhere else, so that every figure of the course looks alike.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image

# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILION, SKY, YELLOW, BLACK = "#D55E00", "#56B4E9", "#F0E442", "#000000"
PALETTE = [BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, YELLOW, BLACK]
# Ten classes: the eight above, a grey and a brown.
CLASS_COLOURS = [*PALETTE, "#999999", "#8C510A"]
# Colour alone never carries the meaning: each class has a marker of its own as well.
CLASS_MARKERS = ["o", "s", "^", "v", "D", "P", "X", "*", "<", ">"]
LINE_STYLES = ["-", "--", "-.", ":"]

STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}


def use_course_style() -> None:
    """Set the course's figure style for this kernel, together with its colours."""
    plt.rcParams.update(STYLE)
    plt.rcParams["axes.prop_cycle"] = plt.cycler(color=PALETTE)


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


def curves(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]], ax: Axes, *, x_label: str, y_label: str
) -> Axes:
    """Draw named (x, y) series, each with its own colour, dash and marker."""
    for i, (name, (x, y)) in enumerate(series.items()):
        marker = CLASS_MARKERS[i] if len(np.atleast_1d(x)) <= 20 else None
        style = LINE_STYLES[i % len(LINE_STYLES)]
        ax.plot(x, y, color=PALETTE[i], linestyle=style, marker=marker, label=name)
    ax.set(xlabel=x_label, ylabel=y_label)
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(series) > 3 else {}
    ax.legend(**beside)
    return ax


def doubling_axis(ax: Axes, values: Sequence[int]) -> Axes:
    """Sizes on a logarithmic x axis, written as plain numbers: 1, 2, 8, 32."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(values, [str(value) for value in values])
    return ax


def code_map(
    codes: ArrayLike, labels: ArrayLike, ax: Axes, *, names: Sequence[str], size: float = 12
) -> Axes:
    """Scatter of two-dimensional codes, one colour and marker a class, with each class named.

    codes: (N, 2); labels: (N,) integers into `names`.
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    middles = {}
    for i, name in enumerate(names):
        points = codes[labels == i]
        ax.scatter(*points.T, s=size, c=CLASS_COLOURS[i], marker=CLASS_MARKERS[i], linewidths=0)
        if len(points):
            middles[i] = (name, np.median(points, axis=0))
    ax.set(xlabel="z₁", ylabel="z₂")
    if middles:
        _name_classes(ax, middles, span=np.ptp(codes, axis=0) + 1e-9)
    return ax


def _name_classes(
    ax: Axes, middles: dict[int, tuple[str, np.ndarray]], *, span: np.ndarray
) -> None:
    """A name at each class's middle, or beside it with a line where names would overlap."""
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.9}
    style = {"ha": "center", "va": "center", "fontsize": 12, "fontweight": "bold"}
    spots = _apart(np.array([middle for _, middle in middles.values()]), span=span)
    for (i, (name, middle)), spot in zip(middles.items(), spots, strict=True):
        colour = CLASS_COLOURS[i]
        line = {"arrowstyle": "-", "color": colour}
        patch = {**box, "edgecolor": colour}
        ax.annotate(name, middle, xytext=spot, bbox=patch, arrowprops=line, **style)


def _apart(spots: np.ndarray, *, span: np.ndarray, gap: float = 0.075) -> np.ndarray:
    """Push points apart until all are `gap` of the axes' span from each other, (n, 2)."""
    spots = spots / span
    for _ in range(200):
        delta = spots[:, None] - spots[None]
        distance = np.linalg.norm(delta, axis=-1, keepdims=True) + 1e-9
        push = np.where(distance < gap, (gap - distance) * delta / distance, 0).sum(1)
        spots = spots + 0.5 * push
    return spots * span


def signed_image(values: ArrayLike, ax: Axes) -> Axes:
    """A picture of signed values, zero in white, on a scale of its own. values: (H, W)."""
    values = np.asarray(values)
    span = float(np.abs(values).max())
    ax.imshow(values, cmap="PuOr", vmin=-span, vmax=span)
    ax.set_axis_off()
    return ax
