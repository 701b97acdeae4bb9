"""The bound of the evidence: move q about in a one-dimensional model and see the gap."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image, ImageDraw
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets import pictures
from course_lib.widgets.controls import nearest_stop, slider
from course_lib.widgets.outputs import call, to_number
from course_lib.widgets.panel import Frame, Panel, Values
from course_lib.widgets.plane import numbers

STEP = 0.05
DENSITIES, BARS = "densities of z", "nats"
WIDE, NARROW, HIGH = 520, 380, 300  # page pixels


def bound(
    elbo: Callable[[Tensor, Tensor], Tensor],
    *,
    log_evidence: float,
    posterior: tuple[float, float],
    start: tuple[float, float] = (0.0, 1.0),
    mu_range: tuple[float, float] = (-3, 3),
    sigma_range: tuple[float, float] = (0.1, 2),
) -> Panel:
    """μ and σ of q(z): its density beside prior and posterior, and ELBO + gap = log p(x).

    log p(x) − ELBO(q) = KL(q ‖ p(z|x)) ≥ 0, in nats, for one z with the prior N(0, 1).
    elbo: elbo(mu, log_var), both (1, 1) float64, to (1,) nats.
    log_evidence: log p(x), nats; posterior: mean and standard deviation of p(z|x).
    start: μ and σ to begin with and where `reset` leads; `exact posterior` moves to the stops
    nearest to the posterior's. Raises CourseError where these do not fit each other.
    """
    ranges = {
        "μ": _range(mu_range, what="mu_range"),
        "σ": _range(sigma_range, what="sigma_range"),
    }
    if ranges["σ"]["low"] <= 0:
        raise CourseError("sigma_range must start above 0: a standard deviation is positive")
    places = {
        "start": _place(start, what="start"),
        "posterior": _place(posterior, what="posterior"),
    }
    stops = {
        name: {k: nearest_stop(v, **ranges[k]) for k, v in zip(ranges, place, strict=True)}
        for name, place in places.items()
    }
    evidence = to_number(log_evidence, source="log_evidence")
    controls = {k: slider(k, stops["start"][k], **r, width=WIDE) for k, r in ranges.items()}
    return Panel(
        _drawer(elbo, evidence=evidence, posterior=places["posterior"]),
        controls=controls,
        widths={DENSITIES: WIDE, BARS: NARROW},
        actions={
            "reset": lambda: stops["start"],
            "exact posterior": lambda: stops["posterior"],
        },
    )


def _range(ends: tuple[float, float], *, what: str) -> dict[str, float]:
    low, high = numbers(ends, count=2, what=what).tolist()
    if low >= high:
        raise CourseError(f"{what} must go from a lower to a higher number")
    return {"low": low, "high": high, "step": STEP}


def _place(place: tuple[float, float], *, what: str) -> tuple[float, float]:
    mean, sd = numbers(place, count=2, what=what).tolist()
    if sd <= 0:
        raise CourseError(f"{what} must be a mean and a standard deviation above 0")
    return mean, sd


def _drawer(
    elbo: Callable[[Tensor, Tensor], Tensor], *, evidence: float, posterior: tuple[float, float]
) -> Callable[[Values], Frame]:
    """The function that a step of a slider calls."""
    z = np.linspace(-4, 4, 401)
    chart = pictures.chart(lambda ax: _paint(ax, z=z, posterior=posterior), width=WIDE, height=HIGH)

    def draw(values: Values) -> Frame:
        mu, sigma = values["μ"], values["σ"]
        log_var = torch.tensor([[2 * math.log(sigma)]], dtype=torch.float64)
        output = call(elbo, torch.tensor([[mu]], dtype=torch.float64), log_var)
        value = to_number(output, source="elbo")
        gap = evidence - value
        text = (
            f"μ = {mu:.2f}, σ = {sigma:.2f}: log p(x) = {evidence:.2f}, "
            f"ELBO = {value:.2f}, gap = {gap:.2f} nats."
        ).replace("-", "−")
        picture = chart.picture.copy()
        points = [chart.pixel(a, b) for a, b in zip(z, _normal(z, mu, sigma), strict=True)]
        ImageDraw.Draw(picture).line(points, fill=plots.ORANGE, width=4)
        return Frame({DENSITIES: picture, BARS: Image.new("L", (NARROW, HIGH), "white")}, text)

    return draw


def _normal(z: np.ndarray, mu: float, sigma: float) -> np.ndarray:
    return np.exp(-0.5 * ((z - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))


def _paint(ax: Axes, *, z: np.ndarray, posterior: tuple[float, float]) -> None:
    ax.plot(z, _normal(z, 0, 1), "--", color=plots.BLACK, label="prior p(z)")
    ax.plot(z, _normal(z, *posterior), "-", color=plots.BLUE, label="posterior p(z|x)")
    ax.set(xlabel="z", ylabel="density", ylim=(0, None))
    ax.legend()
