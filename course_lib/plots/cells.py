"""The cells of a codebook in the plane."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from numpy.typing import ArrayLike

from course_lib.plots.style import BLACK, CLASS_COLOURS, VERMILION

PLACES = 240  # of the picture of cells, a side


def nearest_cells(codebook: ArrayLike, points: ArrayLike, ax: Axes, *, title: str = "") -> Axes:
    """The cell of each vector of a codebook, tinted: the places to which no other one is nearer.

    codebook: (K, 2), stars, and crosses for vectors to which none of the points, (N, 2), belongs;
    the view is that of the points.
    """
    codebook, points = np.asarray(codebook, float), np.asarray(points, float)
    low, high = points.min(0), points.max(0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    sides = [np.linspace(a, b, PLACES) for a, b in zip(low, high, strict=True)]
    cells = _nearest(np.stack(np.meshgrid(*sides), -1).reshape(-1, 2), codebook)
    tints = ListedColormap([CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(len(codebook))])
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(
        cells.reshape(PLACES, PLACES), cmap=tints, vmin=-0.5, vmax=len(codebook) - 0.5,
        alpha=0.25, origin="lower", extent=extent, aspect="auto",
    )  # fmt: skip
    ax.scatter(*points.T, s=3, color="0.35", linewidths=0)
    used = np.isin(np.arange(len(codebook)), _nearest(points, codebook))
    ax.scatter(*codebook[used].T, s=90, marker="*", color=BLACK, label="in use")
    ax.scatter(*codebook[~used].T, s=50, marker="x", color=VERMILION, label="never nearest")
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="z₁", ylabel="z₂", title=title)
    ax.grid(False)
    return ax


def _nearest(points: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """The index of the nearest vector, (N, 2) and (K, 2) to (N,)."""
    return ((points[:, None] - codebook) ** 2).sum(-1).argmin(1)
