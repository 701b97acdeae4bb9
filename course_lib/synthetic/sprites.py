"""White shapes on black whose five factors are known, and every picture is a different one.

The popular dSprites set draws squares and ellipses, which look the same after a quarter or a half
turn: several rows of factors share one picture, and no encoder can tell them apart. The three
shapes here have no rotational symmetry, so rendering is injective over the whole grid.
"""

import functools
import itertools
import math

import torch
from torch import Tensor

from course_lib.synthetic._checks import as_table, require_range

SIZE = 32
SHAPES = ("heart", "ell", "dome")
RADII = (4.4, 5.7, 7.0, 8.3)  # of the circle around a shape, in pixels
FACTOR_NAMES = ("shape", "scale", "angle", "x", "y")
FACTOR_SIZES = (len(SHAPES), len(RADII), 20, 16, 16)
_PATCH = 17  # a shape of any angle fits in 17 × 17 pixels, which leaves 16 × 16 places in 32 × 32
_SUBSAMPLES = 16  # per pixel and axis: coverage in steps of 1/256


def _inside(shape: str, p: Tensor, q: Tensor) -> Tensor:
    """Which points (p right, q up) lie in a shape; each shape fits in the unit circle.

    heart  (a² + b² − 1)³ ≤ a² b³  with (a, b) = 1.34 (p, q + 0.09)
    ell    an upright 0.55 wide and 1.6 high, with a foot of the same width to the right
    dome   upper half of an ellipse with half axes 0.9 and 1.2, sunk by 0.42
    """
    if shape == "heart":
        a, b = 1.34 * p, 1.34 * (q + 0.09)
        return (a**2 + b**2 - 1) ** 3 <= a**2 * b**3
    if shape == "ell":
        upright = (p >= -0.6) & (p <= -0.05) & (q.abs() <= 0.8)
        foot = (p >= -0.6) & (p <= 0.6) & (q >= -0.8) & (q <= -0.25)
        return upright | foot
    return ((p / 0.9) ** 2 + ((q + 0.42) / 1.2) ** 2 <= 1) & (q >= -0.42)


@functools.cache
def _patches() -> Tensor:
    """Coverage of every (shape, scale, angle), in the middle of a black (32+15)² sheet.

    A pixel is the fraction of its 16 × 16 sub-points that lie inside. Returns uint8 (240, 47, 47).
    """
    m = _PATCH * _SUBSAMPLES
    t = (torch.arange(m, dtype=torch.float64) + 0.5) / _SUBSAMPLES - _PATCH / 2
    right, up = t[None, :], -t[:, None]
    sheets = torch.zeros(math.prod(FACTOR_SIZES[:3]), SIZE + 15, SIZE + 15, dtype=torch.uint8)
    for i, (shape, scale, angle) in enumerate(itertools.product(*map(range, FACTOR_SIZES[:3]))):
        theta = 2 * math.pi * angle / FACTOR_SIZES[2]
        c, s = math.cos(theta) / RADII[scale], math.sin(theta) / RADII[scale]
        hit = _inside(SHAPES[shape], c * right + s * up, c * up - s * right)
        cells = hit.view(_PATCH, _SUBSAMPLES, _PATCH, _SUBSAMPLES)
        coverage = cells.to(torch.float64).mean(dim=(1, 3))
        sheets[i, 15 : 15 + _PATCH, 15 : 15 + _PATCH] = (255 * coverage).round().to(torch.uint8)
    return sheets


def render(factors: object) -> Tensor:
    """Draw one sprite per row of factors.

    factors: whole numbers (n, 5), columns as FACTOR_NAMES, column k from 0 to FACTOR_SIZES[k] − 1.
    The shape turns counter-clockwise by 18° per step of angle; its centre is at pixel
    (8 + x, 8 + y), x to the right and y down.
    Returns uint8 (n, 1, 32, 32), 0 outside and 255 inside.
    Raises CourseError when the table has another shape or a value is off the grid.
    """
    table = as_table(factors, names=FACTOR_NAMES)
    for k, (name, size) in enumerate(zip(FACTOR_NAMES, FACTOR_SIZES, strict=True)):
        require_range(table[:, k], name=name, low=0, high=size - 1, whole=True)
    shape, scale, angle, x, y = table.to(torch.int64).unbind(dim=1)
    which = (shape * FACTOR_SIZES[1] + scale) * FACTOR_SIZES[2] + angle
    # Moving the shape by (x, y) is moving a 32 × 32 window by (−x, −y) over its sheet.
    windows = _patches().unfold(1, SIZE, 1).unfold(2, SIZE, 1)  # (240, 16, 16, 32, 32), a view
    return windows[which, 15 - y, 15 - x][:, None]


def render_all() -> tuple[Tensor, Tensor]:
    """Every sprite there is, in row-major order of the grid (the last factor runs fastest).

    Returns images uint8 (61440, 1, 32, 32) and their factors int64 (61440, 5).
    """
    factors = torch.cartesian_prod(*(torch.arange(size) for size in FACTOR_SIZES))
    return render(factors), factors
