"""Figures as wide as the page."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.plots.style import MIDDLE, PAGE_WIDTH


def page(
    rows: int = 1, columns: int = 1, *, height: float = MIDDLE, **more: object
) -> tuple[Figure, np.ndarray]:
    """A figure of the page's width and its Axes, as `plt.subplots`; height: in inches."""
    return plt.subplots(rows, columns, figsize=(PAGE_WIDTH, height), **more)


def own_page(ax: Axes | None, *, height: float = MIDDLE) -> Axes:
    """The Axes given, or those of a page of their own."""
    return page(height=height)[1] if ax is None else ax
