"""The two pictures of the bound: densities over z, and log p(x) as ELBO + gap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from PIL import Image, ImageDraw

from course_lib import plots
from course_lib.widgets import pictures
from course_lib.widgets.canvas import Area, hatch, write
from course_lib.widgets.controls import written

TINT = "#FFE3B0"  # plots.ORANGE on paper
WIDE, NARROW, HIGH = 410, 326, 300  # page pixels
TEXT_MARGIN = 20  # picture pixels that a line of text needs above and below its middle
ELBO_LINE = 5  # picture pixels
HEADROOM = 0.3  # above the higher of prior and posterior, and above log p(x), of what is below


def density(z: np.ndarray, mu: float, sigma: float) -> np.ndarray:
    """N(z; μ, σ²)."""
    return np.exp(-0.5 * ((z - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))


def kl_normal(q: tuple[float, float], p: tuple[float, float]) -> float:
    """KL(N(q) ‖ N(p)), nats, both a mean and a standard deviation."""
    (mu, sigma), (mean, sd) = q, p
    return math.log(sd / sigma) + (sigma**2 + (mu - mean) ** 2) / (2 * sd**2) - 0.5


class DensityChart:
    """Prior and posterior, painted once; q is filled in on a copy."""

    def __init__(self, posterior: tuple[float, float], *, mu_range: tuple[float, float]) -> None:
        mean, sd = posterior
        low = min(mu_range[0] - 1, mean - 3 * sd, -3)
        high = max(mu_range[1] + 1, mean + 3 * sd, 3)
        self.z = np.linspace(low, high, 401)
        self.posterior = posterior
        chart = pictures.chart(self._paint, width=WIDE, height=HIGH)
        self.area = Area(chart, colour=plots.ORANGE, tint=TINT)

    def _paint(self, ax: Axes) -> None:
        prior, posterior = density(self.z, 0, 1), density(self.z, *self.posterior)
        ax.plot(self.z, prior, "--", color=plots.BLACK, label="prior p(z)")
        ax.plot(self.z, posterior, "-", color=plots.BLUE, label="posterior p(z|x)")
        top = (1 + HEADROOM) * max(prior.max(), posterior.max())
        ax.set(xlabel="z", ylabel="density", xlim=self.z[[0, -1]], ylim=(0, top))
        handles, _ = ax.get_legend_handles_labels()
        handles.append(Patch(facecolor=TINT, edgecolor=plots.ORANGE, linewidth=2, label="q(z)"))
        style = {"ncols": 3, "columnspacing": 1.2, "handlelength": 1.6}
        ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), **style)

    def with_q(self, mu: float, sigma: float) -> Image.Image:
        """The chart with q = N(μ, σ²); where q is higher than the axis it is cut off."""
        z = np.sort(np.append(self.z, mu))  # so that a narrow q keeps its peak
        return self.area.under(z, density(z, mu, sigma))


@dataclass(frozen=True)
class EvidenceGap:
    """log p(x) and ELBO as lines, hatched between: the axis has no zero for bars to stand on."""

    evidence: float
    chart: pictures.Chart

    def at(self, elbo: float) -> Image.Image:
        """The chart with this gap and the values; what is off the axis gets an arrow."""
        picture = self.chart.picture.copy()
        left, top, right, bottom = map(round, self.chart.frame)
        bar = left + (right - left) // 12, left + (right - left) * 5 // 12
        level, line = (round(self.chart.pixel(0, v)[1]) for v in (elbo, self.evidence))
        level = min(max(level, top), bottom)
        draw = ImageDraw.Draw(picture)
        hatch(picture, (bar[0], line, bar[1], level), colour=plots.ORANGE)
        draw.line((left, line, right, line), fill=plots.BLACK, width=3)
        value = self.chart.pixel(0, elbo)[1]
        if top <= value < bottom:
            draw.rectangle((left, level, right, level + ELBO_LINE), fill=plots.GREEN)
        arrow = " ↓" if value > bottom else " ↑" if value < top else ""
        beside = bar[1] + 14
        middle = max((line + level) // 2, line + TEXT_MARGIN)
        lowest = max(level, middle + TEXT_MARGIN) + TEXT_MARGIN
        lowest = min(lowest, bottom - TEXT_MARGIN)
        write(picture, (beside, middle), f"gap = {written(self.evidence - elbo)}")
        write(picture, (beside, lowest), f"ELBO = {written(elbo)}{arrow}")
        return picture


def make_gap(evidence: float, *, span: float) -> EvidenceGap:
    """The gap below log p(x) = evidence; span: how many nats the axis reaches below it."""

    def paint(ax: Axes) -> None:
        ax.set(xlim=(0, 1), ylim=(evidence - span, evidence + HEADROOM * span), ylabel="nats")
        ax.set_xticks([])
        ax.grid(axis="x", visible=False)

        label, above = f"log p(x) = {written(evidence)}", {"xytext": (0, 4), "va": "bottom"}
        ax.annotate(label, (0.45, evidence), textcoords="offset points", **above, fontsize=11)

    return EvidenceGap(evidence, pictures.chart(paint, width=NARROW, height=HIGH))
