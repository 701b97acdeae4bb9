"""The plane of rate and distortion: lines of equal cost, and the slope −β at each model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from course_lib.plots.style import BLUE, PALETTE, VERMILION

Points = Mapping[float, tuple[float, float]]  # β to (rate, distortion), nats per image


def equal_cost_lines(points: Points, price: float, ax: Axes) -> Axes:
    """Through each model the line D + price · R = c with its c, and the lowest of them thick."""
    cost = {beta: D + price * R for beta, (R, D) in points.items()}
    least = min(cost, key=cost.__getitem__)
    _show_models(points, ax)
    ends = np.array(ax.get_xlim())
    for beta, c in cost.items():
        look = {"color": VERMILION, "linewidth": 2.5} if beta == least else {"color": "0.7"}
        ax.plot(ends, c - price * ends, zorder=1, **{"linewidth": 1, **look})
        ax.annotate(f"{c:.1f}", points[beta], xytext=(7, 5), textcoords="offset points")
    ax.set_title(f"price {price:g}: lowest through β = {least:g}")
    return ax


def price_strokes(points: Points, ax: Axes, *, size: float = 0.14) -> Axes:
    """At each model a stroke of slope −β with its β; `size` is half its length, of the axes'."""
    _show_models(points, ax)
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    first = min(R for R, _ in points.values())  # left of it there is no room for a name
    for colour, (beta, (R, D)) in zip(PALETTE[1:], points.items(), strict=False):
        reach = size / np.hypot(1 / width, beta / height)  # as long on the page for every slope
        ends = np.array([-reach, reach])
        ax.plot(R + ends, D - beta * ends, color=colour, linewidth=3, zorder=1)
        side = {"xytext": (9, 6)} if first == R else {"xytext": (-8, -15), "ha": "right"}
        ax.annotate(f"β = {beta:g}", (R, D), textcoords="offset points", **side)
    return ax


def _show_models(points: Points, ax: Axes) -> None:
    """The models in the order of β, with room around them; the limits stay as they are here."""
    R, D = np.array([points[beta] for beta in sorted(points)]).T
    ax.plot(R, D, "o-", color=BLUE, linewidth=1.2)
    ax.margins(0.2, 0.15)
    ax.set_xlim(ax.get_xlim())
    ax.set_ylim(ax.get_ylim())
