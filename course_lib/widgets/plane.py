"""The plane of a two-dimensional code: its points, its edges and the sliders' stops on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets.controls import nearest_stop
from course_lib.widgets.outputs import numbers, to_array

Extent = tuple[float, float, float, float]  # left, right, bottom, top, as matplotlib has it
AXES = ("z₁", "z₂")
MAX_POINTS = 4000  # more points make the map no clearer
MIN_SPREAD = 1e-4  # codes that are closer together have no spread that sliders could walk through


@dataclass(frozen=True)
class Plane:
    """codes: (N, 2); labels: (N,) integers into names, −1 for none; step: of the sliders."""

    codes: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    extent: Extent
    step: float

    def paint(self, ax: Axes) -> None:
        """Draw the codes in the colours and with the markers of their classes."""
        some = np.random.default_rng(0).permutation(len(self.codes))[:MAX_POINTS]
        codes, labels = self.codes[some], self.labels[some]
        ax.scatter(*codes[labels < 0].T, s=6, c=plots.BLUE, linewidths=0)
        plots.code_map(codes, labels, ax, names=self.names, size=8)
        ax.set(xlim=self.extent[:2], ylim=self.extent[2:], xlabel=AXES[0], ylabel=AXES[1])
        ax.locator_params(nbins=6)

    def range(self, axis: str) -> tuple[float, float]:
        """The slider's ends on this axis."""
        return self.extent[:2] if axis == AXES[0] else self.extent[2:]

    def stops(self, z: ArrayLike) -> dict[str, float]:
        """The sliders' stops nearest to z; they count from the lower end."""
        found = {}
        for axis, value in zip(AXES, np.asarray(z, dtype=float), strict=True):
            low, high = self.range(axis)
            found[axis] = nearest_stop(value, low=low, high=high, step=self.step)
        return found

    def middle(self) -> np.ndarray:
        """The median code, or the middle of the plane where there are no codes: (2,)."""
        return np.median(self.codes, axis=0) if len(self.codes) else self.draw(np.full(2, 0.5))

    def draw(self, u: ArrayLike) -> np.ndarray:
        """The place whose fractions of the way from lower to upper end are u: (2,) in [0, 1]."""
        low, high = np.reshape(self.extent, (2, 2)).T
        return low + np.asarray(u) * (high - low)

    def nearest(self, z: Sequence[float]) -> str:
        """How far the nearest code is, and of which class: far means a hole in the map."""
        if not len(self.codes):
            return ""
        across, up = self.codes[:, 0] - z[0], self.codes[:, 1] - z[1]
        squared = across * across + up * up
        i = int(squared.argmin())
        whose = f" (class {self.names[self.labels[i]]})" if self.labels[i] >= 0 else ""
        return f"; the nearest code{whose} is {math.sqrt(squared[i]):.2f} away"


def make_plane(
    codes: ArrayLike | None,
    labels: ArrayLike | None,
    *,
    names: Sequence[str] | None,
    extent: Extent | None,
) -> Plane:
    """Check the arguments of a pad and fill in what is left out."""
    codes = np.zeros((0, 2)) if codes is None else to_array(codes, what="codes")
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise CourseError(f"codes must have the shape (N, 2), not {codes.shape}: a pad is flat")
    if not np.isfinite(codes).all():
        raise CourseError("codes has nan or inf: did the model's training diverge?")
    labels, names = _classes(labels, names=names, count=len(codes))
    return Plane(codes, labels, names, *_extent(codes, extent))


def _classes(
    labels: ArrayLike | None, *, names: Sequence[str] | None, count: int
) -> tuple[np.ndarray, Sequence[str]]:
    """Labels, (count,) whole numbers, and a name for each class up to the highest."""
    labels = np.full(count, -1) if labels is None else to_array(labels, what="labels")
    if labels.shape != (count,):
        raise CourseError(f"labels must have the shape ({count},), not {labels.shape}")
    if count and labels.dtype.kind not in "iu":
        raise CourseError(f"labels must be whole numbers, not {labels.dtype}: labels.long()?")
    needed, most = int(labels.max(initial=-1)) + 1, len(plots.CLASS_COLOURS)
    names = [str(i) for i in range(needed)] if names is None else names
    if not needed <= len(names) <= most:
        raise CourseError(f"names must be {needed} or more for these labels, and at most {most}")
    return labels, names


def _extent(codes: np.ndarray, extent: Extent | None) -> tuple[Extent, float]:
    """The extent, and the sliders' step: about a hundredth of it, a round number."""
    if extent is None and len(codes):
        low, high = np.quantile(codes, [0.005, 0.995], axis=0)  # a few far codes would shrink all
        margin = np.where(high - low < MIN_SPREAD, 1, 0.1 * (high - low))
        low, high = low - margin, high + margin
    else:
        ends = (-3, 3, -3, 3) if extent is None else extent
        low, high = numbers(ends, count=4, what="extent").reshape(2, 2).T
    span = float((high - low).max())
    if (high - low).min() <= 0:
        raise CourseError("extent must be left < right and bottom < top")
    power = 10.0 ** math.floor(math.log10(span / 100))
    step = power * min((1, 2, 5, 10), key=lambda m: abs(m * power - span / 100))
    if extent is None:
        low, high = np.floor(low / step) * step, np.ceil(high / step) * step
    left, right, bottom, top = (round(float(v), 9) for v in (low[0], high[0], low[1], high[1]))
    return (left, right, bottom, top), step
