"""Noise charts to codes: what z = μ + σ ε does, and what a function does that is not that."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets.controls import choice, nearest_stop, slider, written
from course_lib.widgets.outputs import numbers
from course_lib.widgets.panel import Frame, Panel, Values
from course_lib.widgets.reparameterization_charts import NARROW, WIDE, ReparameterizationCharts

Reparameterize = Callable[[Tensor, Tensor, Tensor], Tensor]
PLANE, SIDE = "each ε and its z", "where the z lie"
FUNCTION, MU, LOG_VAR = "function", "μ", "log σ²"
RANGES = {
    MU: {"low": -3.0, "high": 3.0, "step": 0.1},
    LOG_VAR: {"low": -4.0, "high": 2.0, "step": 0.1},
}
N_SAMPLES = 1_000  # samples of the noise


def reparameterization(
    reparameterize: Reparameterize | Mapping[str, Reparameterize],
    *,
    start: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
) -> Panel:
    """μ and log σ² move, the noise stays: each ε beside its z, and all z beside N(μ, σ²).

    z = μ + σ ε with σ = exp(½ log σ²): all points lie on one line, of slope σ.
    reparameterize: reparameterize(mu, log_var, eps), (1,) and (1,) float32, (1000, 1), to
    (1000, 1); or {name: such a function}, and a control to choose among them. The text says what
    is amiss: another σ, noise of its own, no gradient to μ.
    start: μ and log σ² to begin with and where `reset` leads. `new noise` draws other ε.
    Raises CourseError where these do not fit each other.
    """
    named = reparameterize if isinstance(reparameterize, Mapping) else {"yours": reparameterize}
    if not named or not all(map(callable, named.values())):
        raise CourseError("give reparameterize(mu, log_var, eps), or names with such functions")
    places = zip(RANGES.items(), numbers(start, count=2, what="start").tolist(), strict=True)
    home = {name: nearest_stop(place, **ends) for (name, ends), place in places}
    controls = {name: slider(name, home[name], **RANGES[name], width=WIDE) for name in RANGES}
    if len(named) > 1:
        names = list(named)
        controls = {
            FUNCTION: choice(FUNCTION, names[0], options={name: name for name in names}),
            **controls,
        }
    noise = _Noise(seed)

    def renew() -> Values:
        noise.draw()
        return {}

    return Panel(
        _drawer(named, noise),
        controls=controls,
        widths={PLANE: WIDE, SIDE: NARROW},
        actions={"new noise": renew, "reset": lambda: home},
    )


class _Noise:
    """The ε that stay while the sliders move: (N_SAMPLES, 1)."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.draw()

    def draw(self) -> None:
        self.eps = torch.randn(N_SAMPLES, 1, generator=self.generator)


def _drawer(named: Mapping[str, Reparameterize], noise: _Noise) -> Callable[[Values], Frame]:
    """The function that a step of a control calls."""
    charts, first = ReparameterizationCharts(), next(iter(named))

    def draw(values: Values) -> Frame:
        name, mu, log_var = values.get(FUNCTION, first), values[MU], values[LOG_VAR]
        sigma, eps = math.exp(0.5 * log_var), noise.eps[:, 0].numpy()
        z, again, reached = _ask(named[name], mu, log_var, noise.eps)
        text = (
            f"μ = {written(mu)}, log σ² = {written(log_var)}, so σ = {written(sigma)}: "
            f"z has mean {written(z.mean())} and standard deviation {written(z.std())}. "
            f"{_verdict(z, again, eps, mu=mu, sigma=sigma)}"
        )
        if not reached:
            text += " No gradient reaches μ: training could not move it."
        place = {"mu": mu, "sigma": sigma}
        shown = {PLANE: charts.scatter(eps, z, **place), SIDE: charts.histogram(z, **place)}
        return Frame(shown, text)

    return draw


def _ask(
    function: Reparameterize, mu: float, log_var: float, eps: Tensor
) -> tuple[np.ndarray, np.ndarray, bool]:
    """z, z of a second call with the same ε, and whether a gradient reaches μ. (N,) each."""
    place = [torch.tensor([value], requires_grad=True) for value in (mu, log_var)]
    answers = []
    with torch.enable_grad():
        for _ in range(2):
            z = function(*place, eps.clone())
            if not isinstance(z, Tensor) or z.shape != eps.shape:
                told = f"the shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
                shape = tuple(eps.shape)
                raise CourseError(
                    f"reparameterize must return the shape {shape} of eps, not {told}"
                )
            answers.append(z)
        gradient = z.requires_grad and torch.autograd.grad(z.sum(), place[0], allow_unused=True)[0]
    found = [numbers(z[:, 0], count=len(eps), what="z") for z in answers]
    return *found, isinstance(gradient, Tensor)


def _verdict(z: np.ndarray, again: np.ndarray, eps: np.ndarray, *, mu: float, sigma: float) -> str:
    """In words, what the points show."""
    slope = float(eps @ (z - mu) / (eps @ eps))
    if np.allclose(z, mu + sigma * eps, rtol=1e-4, atol=1e-4):
        return "Every z is μ + σ ε."
    if not np.allclose(z, again):
        return "The same ε gave another z at a second call: the function draws noise of its own."
    if np.allclose(z, mu + slope * eps, rtol=1e-4, atol=1e-4):
        return f"Every z is μ + {written(slope)} ε, but σ is {written(sigma)}."
    return "These z are not μ + σ ε."
