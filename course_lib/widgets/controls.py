"""The controls of the panels: labelled, walked by arrow keys, followed while dragged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets

LABELLED = {"description_width": "initial"}  # a label is never cut


def slider(
    label: str, value: float, *, low: float, high: float, step: float, width: int, digits: int = 2
) -> ipywidgets.FloatSlider:
    """A slider from low to high; width: page pixels; digits: of the number beside it."""
    return ipywidgets.FloatSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        readout_format=f".{digits}f",
        description=label,
        style=LABELLED,
        layout={"width": f"{width}px", "max_width": "98%"},
    )


def align(controls: Sequence[ipywidgets.Widget]) -> None:
    """Give the labels of controls one width, that of the longest, so that they begin alike."""
    letters = max(len(control.description) for control in controls)
    for control in controls:
        control.style.description_width = f"{8 * letters}px"


def stops(
    label: str, value: object, *, options: Sequence[object], width: int
) -> ipywidgets.SelectionSlider:
    """A slider that stops at these values, or at (name, value), alone; width: page pixels."""
    return ipywidgets.SelectionSlider(
        options=options,
        value=value,
        description=label,
        style=LABELLED,
        layout={"width": f"{width}px", "max_width": "98%"},
    )


def choice(label: str, value: object, *, options: Mapping[str, object]) -> ipywidgets.Dropdown:
    """One of a few named values: a single stop of the tab key, then arrow keys."""
    return ipywidgets.Dropdown(
        options=list(options.items()),
        value=value,
        description=label,
        style=LABELLED,
        layout={"width": "max-content"},
    )


def nearest_stop(value: float, *, low: float, high: float, step: float) -> float:
    """The stop of a slider nearest to value; stops count from the lower end."""
    steps = round((min(max(float(value), low), high) - low) / step)
    return min(round(low + steps * step, 6), high)


def written(value: float, digits: int = 2) -> str:
    """A number for the text below the pictures: −0.52 with a true minus, and never −0.00."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
