"""The playground of notebook 03: noise carried to codes, by right functions and by wrong ones."""

import numpy as np
import pytest
import torch
from widget_examples import carry
from widget_pictures import coloured, shown

from course_lib import plots, widgets
from course_lib.errors import CourseError
from course_lib.widgets.reparameterization_charts import MAX_EPS, MAX_Z, ReparameterizationCharts

PLANE, SIDE = "each ε and its z", "where the z lie"


def wide(mu, log_var, eps):
    return mu + log_var.exp() * eps


def own_noise(mu, log_var, eps):
    return carry(mu, log_var, torch.randn_like(eps))


def detached(mu, log_var, eps):
    return carry(mu.detach(), log_var, eps)


def no_line(mu, log_var, eps):
    return carry(mu, log_var, eps**3)


@pytest.fixture
def panel():
    torch.manual_seed(0)
    some = {"yours": carry, "wide": wide, "own": own_noise, "detached": detached, "bent": no_line}
    return widgets.reparameterization(some, seed=3)


def place_of(points):
    """Where the picture's pixels (row, column) lie: ε and z."""
    left, top, right, bottom = ReparameterizationCharts().line.frame
    rows, columns = points
    eps = -MAX_EPS + 2 * MAX_EPS * (np.asarray(columns) + 0.5 - left) / (right - left)
    return eps, MAX_Z - 2 * MAX_Z * (np.asarray(rows) + 0.5 - top) / (bottom - top)


def orange(panel):
    """ε and z of the pixels of all points."""
    mask = coloured(shown(panel, PLANE), plots.ORANGE)
    mask[:60] = False  # the legend has a point too
    return place_of(np.nonzero(mask))


@pytest.mark.parametrize(("mu", "log_var"), [(1.0, 1.0), (-2.0, 0.0), (3.0, -4.0)])
def test_points_lie_where_the_function_carries_them(panel, mu, log_var):
    """Catches ε and z swapped, axes turned round, and a slope of σ² or log σ²."""
    panel.set({"μ": mu, "log σ²": log_var})
    eps, z = orange(panel)
    assert abs(z - mu - np.exp(log_var / 2) * eps).max() < 0.35
    assert np.polyfit(eps, z, 1) == pytest.approx([np.exp(log_var / 2), mu], abs=0.05)


def test_line_stands_for_the_true_sigma_whatever_the_function(panel):
    """Catches a line that follows a wrong function: then nothing would look amiss."""
    panel.set({"function": "wide", "μ": 0.0, "log σ²": 1.0})
    left, top, right, bottom = map(round, ReparameterizationCharts().line.frame)
    inside = shown(panel, PLANE)[top + 4 : bottom - 4, left + 4 : right - 4]
    rows, columns = np.nonzero((inside < 40).all(-1))
    slope = np.polyfit(*place_of((rows + top + 4, columns + left + 4)), 1)[0]
    assert slope == pytest.approx(np.exp(0.5), abs=0.15)
    eps, z = orange(panel)
    assert np.polyfit(eps, z, 1)[0] == pytest.approx(np.exp(1), abs=0.1)


def bars_of(panel):
    """Mean and standard deviation of z as the bars' area has them."""
    _, top, _, bottom = map(round, ReparameterizationCharts().density.frame)
    area = coloured(shown(panel, SIDE), plots.SKY)[top:bottom].sum(1)
    z = MAX_Z - 2 * MAX_Z * (np.arange(len(area)) + 0.5) / len(area)
    mean = (area * z).sum() / area.sum()
    return mean, ((area * (z - mean) ** 2).sum() / area.sum()) ** 0.5


def test_bars_show_where_the_functions_own_z_lie(panel):
    """Catches a histogram of ε, one that stands still, and one of what z should be."""
    for name, mu, log_var, sd in [
        ("yours", 0.0, 1.0, np.exp(0.5)),
        ("yours", 2.0, 0.0, 1.0),
        ("wide", -1.0, 0.8, np.exp(0.8)),
    ]:
        panel.set({"function": name, "μ": mu, "log σ²": log_var})
        assert bars_of(panel) == pytest.approx((mu, sd), abs=0.15 * sd)


def test_curve_is_the_density_that_was_asked_for(panel):
    """Catches a curve that is fitted to the samples, or has its peak elsewhere than at μ."""
    left, top, _, bottom = map(round, ReparameterizationCharts().density.frame)
    for name, mu in [("yours", 2.0), ("wide", 2.0), ("wide", -3.0)]:
        panel.set({"function": name, "μ": mu, "log σ²": 1.0})
        black = (shown(panel, SIDE)[top + 4 : bottom - 4, left + 60 : -40] < 40).all(-1)
        rows = np.nonzero(black)[0] + top + 4.5
        z = MAX_Z - 2 * MAX_Z * (rows - top) / (bottom - top)
        assert (z.min() + z.max()) / 2 == pytest.approx(mu, abs=0.1)
        height = np.exp(-0.5 * ((z.max() - mu) / np.exp(0.5)) ** 2)  # where the cut is
        x = ReparameterizationCharts().density.pixels([height], [0])[0, 0]
        assert x == pytest.approx(left + 60, abs=8)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("yours", "Every z is μ + σ ε."),
        ("wide", "Every z is μ + 2.72 ε, but σ is 1.65."),
        ("own", "The same ε gave another z at a second call: the function draws noise of its own."),
        ("detached", "Every z is μ + σ ε. No gradient reaches μ: training could not move it."),
        ("bent", "These z are not μ + σ ε."),
    ],
)
def test_text_says_what_is_amiss(panel, name, told):
    """Catches a wrong function that passes, and a right one that is called wrong."""
    panel.controls["function"].value = name
    assert panel.frame.text.endswith(f". {told}")
    assert "μ = 1.00, log σ² = 1.00, so σ = 1.65: z has mean" in panel.frame.text


def test_text_tells_mean_and_standard_deviation_of_the_functions_own_z():
    """Catches numbers that are computed from μ and σ in place of the samples."""
    panel = widgets.reparameterization(carry, start=(2.0, -2.0), seed=5)
    eps = torch.randn(1_000, 1, generator=torch.Generator().manual_seed(5))
    z = (2 + np.exp(-1) * eps).numpy()
    assert f"z has mean {z.mean():.2f} and standard deviation {z.std():.2f}." in panel.frame.text
    assert list(panel.controls) == ["μ", "log σ²"]  # nothing to choose from


def test_noise_stays_until_the_button_is_pressed(panel):
    """Catches noise that is drawn at every step, and a button that draws none."""
    before = shown(panel, PLANE)
    panel.controls["μ"].value = -1.0
    panel.controls["μ"].value = 1.0
    assert (shown(panel, PLANE) == before).all()
    panel.buttons["new noise"].click()
    assert (shown(panel, PLANE) != before).any() and panel.error is None
    panel.controls["log σ²"].value = -3.0
    panel.buttons["reset"].click()
    assert panel.values == pytest.approx({"function": "yours", "μ": 1, "log σ²": 1})


def test_sigma_of_one_hides_a_wrong_scale(panel):
    """Catches a playground that invents a difference: at log σ² = 0 both scales are 1."""
    panel.set({"function": "wide", "log σ²": 0.0})
    assert panel.frame.text.endswith("Every z is μ + σ ε.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"reparameterize": None},
        {"reparameterize": {}},
        {"reparameterize": {"yours": 3}},
        {"reparameterize": lambda mu, log_var, eps: eps[:1]},
        {"reparameterize": lambda mu, log_var, eps: None},
        {"reparameterize": lambda mu, log_var, eps: eps * torch.nan},
        {"start": (0,)},
        {"start": (torch.inf, 0)},
    ],
)
def test_reparameterization_refuses_arguments_that_do_not_fit(wrong):
    """Catches a picture of nothing, or somebody else's error from deep inside."""
    given = {"reparameterize": carry, **wrong}
    with pytest.raises(CourseError) as error:
        widgets.reparameterization(given.pop("reparameterize"), **given)
    assert "\n" not in str(error.value)
