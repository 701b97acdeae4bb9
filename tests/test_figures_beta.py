"""Figures of notebook 04: each is drawn of arrays alone, on rough numbers too."""

import matplotlib as mpl
import numpy as np
import pytest
import torch

mpl.use("Agg")

import matplotlib.pyplot as plt

from course_lib.figures import beta

IMAGES = {"a": torch.rand(7, 4, 4), "b": torch.rand(7, 4, 4)}
DEAD = torch.zeros(2), torch.zeros(2)
POINTS = {0.5: (30.0, 60.0), 1: (20.0, 70.0), 2: (10.0, 95.0)}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: beta.exchange_rate(POINTS, POINTS),
        lambda: beta.rate_by_latent({0.1: torch.rand(9), 10: torch.zeros(9)}),
        lambda: beta.water_levels(
            torch.tensor([4.0, 0.2]),
            {(1, 0.5): (torch.tensor([1.0, 0.0]), torch.tensor([1.04, 0.0]))} | {(1, 8.0): DEAD},
        ),
        lambda: beta.under_the_curve(
            ([0.0, 5.0, 90.0], [50.0, 20.0, 1.0]), {1: (5.0, 25.0, 20.0), 2: (8.0, 9.0, 18.0)}
        ),
        lambda: beta.one_knob(
            {"one": [9.0] * 12, "twin": [9.0] * 12, "other": [3.0] * 12},
            twin="twin", title="t", width=10,
        ),
        lambda: beta.schedules({"constant": [4] * 11, "linear": range(11)}, total=10),
        lambda: beta.collapse({"a": [0, 1, 2]}, {"a": [1, 0], "formula": [1, 1]}, optimum=2.0),
        lambda: beta.walks_and_shares(IMAGES, torch.rand(2, 3), factors=["x", "y", "z"], title=""),
        lambda: beta.turned_code({"l": IMAGES, "r": IMAGES}, {"s": ([0, 90], [1, 1])}, title=""),
        lambda: beta.seeds(
            {"MIG": {1: [(0.1, 0.2)], 12: [(0.3, 0.0), (0.2, 0.0)]},
             "other": {1: [(0.6, 0.6)], 12: [(0.6, 0.4)]}},
            titles={"MIG": "m", "other": "o"},
        ),
    ],
)  # fmt: skip
def test_each_figure_is_drawn_on_a_page(draw):
    """Catches a figure that fails, or that is not as wide as the page."""
    draw()
    figure = plt.gcf()
    figure.canvas.draw()
    assert figure.get_figwidth() == pytest.approx(8.6)
    assert all(np.isfinite(ax.get_window_extent().bounds).all() for ax in figure.axes)
    plt.close("all")
