"""The bound of the evidence: move q about in a one-dimensional model and see the gap."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets.bound_charts import (
    NARROW,
    WIDE,
    DensityChart,
    EvidenceGap,
    kl_normal,
    make_gap,
)
from course_lib.widgets.controls import nearest_stop, slider, written
from course_lib.widgets.outputs import call, numbers, to_number
from course_lib.widgets.panel import Frame, Panel, Values

STEP = 0.05
MIN_SPAN, MAX_SPAN = 3, 15  # nats below log p(x) that the axis of the gap reaches
ROUNDING = 1e-6  # nats that an ELBO in double precision may lie above log p(x)
DENSITIES, GAP = "densities of z", "log p(x) = ELBO + KL(q ‖ p(z|x))"


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
    elbo: elbo(mu, log_var), both (1, 1) float64, to (1,) nats; where it is lower than the axis of
    the gap reaches, an arrow says so and the number stays true.
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
    mean_sd, away = places["posterior"], kl_normal(places["start"], places["posterior"])
    gap = make_gap(evidence, span=min(max(1.3 * away, MIN_SPAN), MAX_SPAN))
    return Panel(
        _drawer(elbo, DensityChart(mean_sd, mu_range=mu_range), gap),
        controls=controls,
        widths={DENSITIES: WIDE, GAP: NARROW},
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
    elbo: Callable[[Tensor, Tensor], Tensor], densities: DensityChart, below: EvidenceGap
) -> Callable[[Values], Frame]:
    """The function that a step of a slider calls."""

    def draw(values: Values) -> Frame:
        mu, sigma = values["μ"], values["σ"]
        place = torch.tensor([[[mu]], [[2 * math.log(sigma)]]], dtype=torch.float64)
        value = to_number(call(elbo, *place), source="elbo(mu, log_var)")
        gap = below.evidence - value
        text = (
            f"μ = {written(mu)}, σ = {written(sigma)}: log p(x) = {written(below.evidence)}, "
            f"ELBO = {written(value)}, gap = {written(gap)} nats."
        )
        if gap < -ROUNDING:
            text += " An ELBO above log p(x) is no lower bound: something in it is wrong."
        shown = {DENSITIES: densities.with_q(mu, sigma), GAP: below.at(value)}
        return Frame(shown, text)

    return draw
