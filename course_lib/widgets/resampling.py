"""Resampling by the density of codes: what a batch holds, and how many images it repeats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.metrics import effective_number, share_drawn
from course_lib.widgets import image_rows, pictures
from course_lib.widgets.controls import stops
from course_lib.widgets.outputs import call, given, numbers, to_bytes
from course_lib.widgets.panel import Frame, Panel, Values

Weights = Callable[[Tensor, int, float], Tensor]
ALPHAS = (0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 1.0, 3.0)
SHOWN, COLUMNS = 8, 4  # faces of a batch, and of a line of them
ROWS_WIDTH, CHART_SIZE = 416, (320, 270)  # page pixels
BATCH, TRADE = "a batch", "gain and price"


def resampling(
    weights: Weights,
    z: Tensor,
    images: Tensor,
    member: Tensor,
    *,
    n_bins: int = 10,
    start: float = 0.03,
    name: str = "the group",
) -> Panel:
    """A slider for α: faces as collected and as drawn, and what the drawing gains and costs.

    weights: weights(z, n_bins, alpha), (N,) probabilities; called once for each α at the start, and
    whenever the slider moves. z: (N, d) codes; images: (N, C, H, W), uint8 or float in [0, 1];
    member: bool (N,), who belongs to the group, for the count alone; name: what it is called.
    Raises CourseError where these do not fit each other.
    """
    if not len(z) == len(images) == len(member):
        told = f"{len(z)}, {len(images)} and {len(member)}"
        raise CourseError(f"z, images and member must be as many, not {told}")
    if start not in ALPHAS:
        raise CourseError(f"start must be one of the stops {ALPHAS}, not {start!r}")
    p_of = _checked(weights, z, n_bins)
    options = [(f"{alpha:g}", alpha) for alpha in ALPHAS]
    return Panel(
        _drawer(p_of, images, member, name),
        controls={"α": stops("α", start, options=options, width=ROWS_WIDTH)},
        widths={BATCH: ROWS_WIDTH, TRADE: CHART_SIZE[0]},
    )


def _checked(weights: Weights, z: Tensor, n_bins: int) -> Callable[[float], Tensor]:
    """The weights of one α, float64 (N,), as they come from the student's function."""

    def of(alpha: float) -> Tensor:
        output = call(weights, z.clone(), n_bins, alpha)
        found = numbers(output, count=len(z), what="what debiasing_weights returns")
        return torch.from_numpy(found)

    return of


def _drawer(
    p_of: Callable[[float], Tensor], images: Tensor, member: Tensor, name: str
) -> Callable[[Values], Frame]:
    """The function that a step of the slider calls."""
    places = (torch.arange(SHOWN, dtype=torch.float64) + 0.5) / SHOWN
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    known = {alpha: _gain(p_of(alpha), member) for alpha in ALPHAS}
    chart = pictures.chart(
        lambda ax: _paint(ax, known, name), width=CHART_SIZE[0], height=CHART_SIZE[1]
    )

    def drawn(p: Tensor) -> np.ndarray:
        """Faces at equal steps of the summed probability, in an order fixed by lot."""
        ends = p[shuffled].cumsum(0)
        index = torch.searchsorted(ends, places * ends[-1]).clamp(max=len(p) - 1)
        chosen = images[shuffled[index]]
        return to_bytes(given(chosen, shape=tuple(images.shape[1:]), what="images"))

    collected = drawn(torch.ones(len(images), dtype=torch.float64))

    def draw(values: Values) -> Frame:
        p, alpha = p_of(values["α"]), values["α"]
        point = _gain(p, member)
        faces, n = drawn(p), COLUMNS
        rows = {
            "as collected": collected[:n],
            "": collected[n:],
            "as drawn": faces[:n],
            " ": faces[n:],
        }
        text = (
            f"α = {alpha:g}: {name} is {point[1]:.1%} of a batch and {_share(member):.1%} of the "
            f"images; effective number of images {point[0]:,.0f} of {len(p):,}."
        )
        found = {BATCH: image_rows.draw_rows(rows, width=ROWS_WIDTH), TRADE: chart.picture}
        return Frame(found, text, {TRADE: chart.marks({plots.VERMILION: point}, lines="+")})

    return draw


def _share(member: Tensor) -> float:
    return float(member.double().mean())


def _gain(p: Tensor, member: Tensor) -> tuple[float, float]:
    """The effective number of images, and the group's share of a batch."""
    return effective_number(p), share_drawn(p, member.bool())


def _paint(ax: Axes, known: dict[float, tuple[float, float]], name: str) -> None:
    number, share = np.array(list(known.values())).T
    ax.plot(number, share, marker=plots.CLASS_MARKERS[0], color=plots.BLUE)
    ax.set(xlabel="effective number of images", ylabel=f"share of a batch: {name}")
    ax.set(xlim=(0, 1.05 * max(number)), ylim=(0, 1.1 * max(share)))
