"""The widgets without a front end: their real controls are set, and what changed is looked at."""

import base64
import os
import re
import subprocess
import sys

import ipywidgets
import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from widget_pictures import coloured, opened, shown, unscaled

from course_lib import plots, widgets
from course_lib.errors import CourseError
from course_lib.models import MLPAutoencoder
from course_lib.widgets import panel as panel_module
from course_lib.widgets import pictures
from course_lib.widgets.pad import SIDE

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MLPAutoencoder(2, hidden=32)


@pytest.fixture
def codes():
    return torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([4.0, 1])


def decoded(model, z1, z2):
    """What the pad must show: the model's own output, as bytes."""
    with torch.no_grad():
        return plots.to_uint8(model.decode(torch.tensor([[z1, z2]])).reshape(28, 28))


def shrunk(panel):
    picture = shown(panel, "decode(z)")
    return unscaled(picture, picture.shape[0] // 28)[..., 0]


def test_pad_shows_what_the_model_decodes_where_the_sliders_stand(model, codes):
    """Catches a pad that shows another place, swaps or transposes, or does not follow a slider."""
    panel = widgets.pad(model.decode, codes=codes, extent=(-8, 8, -3, 3), start=(0, 0))
    assert (shrunk(panel) == decoded(model, 0.0, 0.0)).all()
    before = panel.images["decode(z)"].value, panel.marks["code z"].value
    panel.controls["z₁"].value = 6.0
    panel.controls["z₂"].value = -2.0
    assert (shrunk(panel) == decoded(model, 6.0, -2.0)).all()
    assert (decoded(model, 6.0, -2.0) != decoded(model, -2.0, 6.0)).any()
    after = panel.images["decode(z)"].value, panel.marks["code z"].value
    assert all(new != old for new, old in zip(after, before, strict=True))
    assert "z₁ = 6.00, z₂ = −2.00" in panel.text.value


def test_text_of_the_pad_names_the_nearest_code(model):
    """Catches a wrong distance or a label that belongs to another code."""
    panel = widgets.pad(
        model.decode, codes=[[0.0, 0], [2, 1]], labels=[1, 0], names=["cat", "dog"],
        extent=(-3, 3, -3, 3), start=(0, 1),
    )  # fmt: skip
    assert "nearest code (class dog) is 1.00 away" in panel.text.value
    panel.controls["z₁"].value = 2.0
    assert "nearest code (class cat) is 0.00 away" in panel.text.value


@pytest.mark.parametrize("shape", [(1, 784), (1, 1, 28, 28), (1, 28, 28)])
def test_pad_takes_every_shape_that_a_decoder_returns(shape):
    """Catches a decoder whose (B, 1, 28, 28) is refused or shown transposed."""
    image = torch.linspace(0, 1, 784)
    panel = widgets.pad(lambda z: image.reshape(shape))
    assert (shrunk(panel) == plots.to_uint8(image.reshape(28, 28))).all()


def test_pad_shows_colour():
    """Catches channels that end up as rows, or in the wrong order."""
    image = torch.zeros(1, 3, 8, 8)
    image[:, 2, 0] = 1
    panel = widgets.pad(lambda z: image, shape=(3, 8, 8))
    picture = shown(panel, "decode(z)")
    assert (picture[0, 0] == [0, 0, 255]).all() and (picture[-1] == 0).all()


def test_buttons_move_both_sliders_and_draw_once(model, codes):
    """Catches a button that leaves a slider behind, draws a half-way place or leaves the map."""
    seen = []

    def decode(z):
        seen.append(z[0].tolist())
        return model.decode(z)

    panel = widgets.pad(decode, codes=codes, extent=(-2, 2, -1, 1), start=(0.5, 0.2), seed=1)
    for _ in range(20):
        panel.buttons["random"].click()
        z = [c.value for c in panel.controls.values()]
        assert seen[-1] == pytest.approx(z) and abs(z[0]) <= 2 and abs(z[1]) <= 1
    assert len(seen) == 21 and len({tuple(z) for z in seen}) == 21
    panel.buttons["reset"].click()
    assert panel.values == pytest.approx({"z₁": 0.5, "z₂": 0.2}) and panel.error is None
    assert (shrunk(panel) == decoded(model, *panel.values.values())).all()


def test_a_step_of_a_slider_is_a_round_number_and_a_hundredth_of_the_map(model, codes):
    """Catches arrow keys that jump across the map or do not seem to move."""
    slider = widgets.pad(model.decode, codes=codes * 7).controls["z₁"]
    assert 50 <= (slider.max - slider.min) / slider.step <= 200
    assert f"{slider.step:e}"[0] in "125"
    stops = (slider.value - slider.min) / slider.step
    assert stops == pytest.approx(round(stops), abs=1e-4)


@pytest.mark.parametrize(
    ("point", "scale"), [((3, 7), "linear"), ((-1.53, 9.2), "linear"), ((16, 30), "log")]
)
def test_a_marker_lies_where_matplotlib_draws_the_point(point, scale):
    """Catches a marker that is off by more than rounding to whole pixels."""

    def paint(ax):  # a filled box about the point: matplotlib's own markers are a pixel off
        ax.set(xlim=(0.5, 64) if scale == "log" else (-5, 5), ylim=(-1, 50), xscale=scale)
        (x, y), log = point, scale == "log"
        left, right = (x / 1.2, x * 1.2) if log else (x - 0.3, x + 0.3)
        ax.fill([left, right, right, left], [y - 2, y - 2, y + 2, y + 2], "#ff0000", snap=False)

    def centre(picture, of):
        rgb = np.asarray(picture.convert("RGB")).astype(int)
        rows, columns = np.nonzero((abs(rgb - of) < 90).all(-1))
        return columns.mean() + 0.5, rows.mean() + 0.5

    chart = pictures.chart(paint, width=400, height=300)
    assert centre(chart.picture, (255, 0, 0)) == pytest.approx(chart.pixel(*point), abs=0.5)
    marks = chart.marks({"#0000ff": point}, lines="+")
    assert centre(marks.on(chart.picture), (0, 0, 255)) == pytest.approx(
        chart.pixel(*point), abs=0.51
    )
    x, y = re.search(r'cx="([\d.]+)" cy="([\d.]+)" .* stroke="#0000ff"', marks.svg()).groups()
    assert (float(x), float(y)) == pytest.approx(chart.pixel(*point), abs=0.06)


@pytest.mark.parametrize(("lines", "crossed"), [("", (0, 0)), ("|", (1, 0)), ("+", (1, 1))])
def test_lines_through_a_marker_run_from_edge_to_edge(lines, crossed):
    """Catches a line too many, one too few, or one that stops at the ring."""
    chart = pictures.chart(lambda ax: ax.axis([0, 1, 0, 1]), width=300, height=300)
    marks = chart.marks({"#0000ff": (0.53, 0.57)}, lines=lines)
    assert marks.svg().count("<line") == sum(crossed)
    marked = np.asarray(marks.on(chart.picture).convert("L"))
    left, top, right, bottom = map(round, chart.frame)
    black = marked[top + 6 : bottom - 6, left + 6 : right - 6] < 40
    upright, level = (black.mean(axis) > 0.8 for axis in (0, 1))  # the ring lies on the lines
    assert (upright.sum(), level.sum()) == crossed


def test_marker_of_the_pad_moves_with_the_sliders(model):
    """Catches a marker that stands still, or whose second axis points down."""
    panel = widgets.pad(model.decode, extent=(-3, 3, -3, 3), start=(0, 0))
    centres = []
    for z in [(-2.0, 2.0), (2.0, 2.0), (2.0, -2.0)]:
        panel.set(dict(zip(["z₁", "z₂"], z, strict=True)))
        black = (shown(panel, "code z")[:, 150:-30] < 40).all(-1)[30:-130]
        rows, columns = np.nonzero(black & np.roll(black, 6, 0) & np.roll(black, 6, 1))
        centres.append((columns.mean(), rows.mean()))
    (left, up), (right, also_up), (also_right, down) = centres
    assert right > left + 200 and abs(also_right - right) < 3
    assert down > up + 200 and abs(also_up - up) < 3


def halves(z):
    """Images whose left half tells z₁ and whose right half tells z₂: −3 is black, 3 white."""
    image = torch.zeros(len(z), 28, 28)
    image[:, :, :14] = (z[:, 0].reshape(-1, 1, 1) + 3) / 6
    image[:, :, 14:] = (z[:, 1].reshape(-1, 1, 1) + 3) / 6
    return image


def empty_map():
    """Axes as those of a pad from −3 to 3."""

    def paint(ax):
        ax.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="z₁", ylabel="z₂")
        ax.locator_params(nbins=6)

    return pictures.chart(paint, width=SIDE, height=SIDE)


def test_manifold_shows_at_each_place_what_decodes_from_it():
    """Catches a manifold that is transposed, upside down, or half an image off."""
    panel = widgets.pad(halves, manifold=True, start=(2.9, -2.9))
    assert list(panel.controls) == ["z₁", "z₂"]  # no codes: nothing to choose
    shown_map = shown(panel, "code z")[..., 0]
    axes = empty_map()
    for z in [(-2.4, 0.0), (0.0, 0.0), (1.6, -2.4), (2.4, 2.4)]:  # middles of images
        x, y = axes.pixel(*z)
        for number, side in enumerate((-8, 8)):
            assert shown_map[round(y), round(x) + side] == pytest.approx(
                255 * (z[number] + 3) / 6, abs=8
            )


def test_ring_on_the_manifold_follows_the_sliders():
    """Catches a ring that stands still, and a map that the control does not change."""
    panel = widgets.pad(
        halves, manifold=True, codes=[[0.0, 0.0]], extent=(-3, 3, -3, 3), start=(0, 0)
    )
    axes = empty_map()
    for z in [(-2.0, 1.5), (2.0, -1.0)]:
        panel.set({"map": "manifold", **dict(zip(["z₁", "z₂"], z, strict=True))})
        rows, columns = np.nonzero(coloured(shown(panel, "code z"), plots.ORANGE))
        found = columns.mean() + 0.5, rows.mean() + 0.5
        assert found == pytest.approx(axes.pixel(*z), abs=1)
        panel.controls["map"].value = "codes"
        assert not coloured(shown(panel, "code z"), plots.ORANGE).any()
        assert (shown(panel, "code z") == 255).mean() > 0.5
        assert panel.frame.text.endswith("away. The map shows the codes.")


def test_manifold_of_a_decoder_for_one_code_says_so():
    """Catches an error from deep inside numpy for a decoder that cannot take a batch."""
    with pytest.raises(CourseError, match=r"decode returned the shape \(1, 784\) instead of \(225"):
        widgets.pad(lambda z: torch.zeros(1, 784), manifold=True)


def test_an_error_while_sliding_is_shown_kept_and_raised(model):
    """Catches an error that vanishes in a callback: shown, recorded, raised; gone when it works."""

    def decode(z):
        if z[0, 0] > 1:
            raise ValueError("expected <3> numbers")
        return model.decode(z)

    panel = widgets.pad(decode, extent=(-3, 3, -3, 3), start=(0, 0))
    before = panel.images["decode(z)"].value
    assert panel.error is None and panel.message.value == ""
    with pytest.raises(ValueError, match="expected <3> numbers"):
        panel.controls["z₁"].value = 2.0
    assert isinstance(panel.error, ValueError) and panel.images["decode(z)"].value == before
    assert "<b>ValueError: expected &lt;3&gt; numbers</b>" in panel.message.value
    assert "raise ValueError" in panel.message.value  # the student's own line
    panel.controls["z₁"].value = -1.0
    assert panel.error is None and panel.message.value == ""
    assert (shrunk(panel) == decoded(model, -1.0, 0.0)).all()


def test_an_error_after_a_button_is_kept_too(model):
    """Catches buttons, whose callbacks ipywidgets guards: the panel must still record and show."""
    calls = iter([True])
    panel = widgets.pad(lambda z: model.decode(z) if next(calls, False) else z, seed=0)
    panel.buttons["random"].click()
    assert isinstance(panel.error, CourseError) and "(1, 2)" in panel.message.value


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (torch.zeros(1, 783), r"decode returned the shape \(1, 783\) instead of"),
        (torch.full((1, 784), torch.nan), "decode returned nan or inf"),
        (None, "decode returned the type NoneType"),
    ],
)
def test_a_decoder_that_does_not_fit_says_so_at_once(output, told):
    """Catches a broken model that draws a black picture or an error from deep inside numpy."""
    with pytest.raises(CourseError, match=told):
        widgets.pad(lambda z: output)


@pytest.mark.parametrize(
    "wrong",
    [
        {"codes": torch.zeros(5, 3)},
        {"codes": torch.full((5, 2), torch.nan)},
        {"codes": "codes"},
        {"codes": torch.randn(5, 2), "labels": torch.zeros(4, dtype=int)},
        {"codes": torch.randn(5, 2), "labels": torch.zeros(5)},
        {"codes": torch.randn(5, 2), "labels": torch.arange(5), "names": ["a"]},
        {"codes": torch.randn(11, 2), "labels": torch.arange(11)},
        {"extent": (1, 1, 0, 1)},
        {"extent": (1, 2, 3)},
        {"extent": (0, 1, 0, torch.inf)},
        {"start": (torch.nan, 0)},
        {"start": (1,)},
        {"start": "here"},
    ],
)
def test_a_pad_refuses_arguments_that_do_not_fit(model, wrong):
    """Catches codes, labels, names and places that fail far inside, with somebody else's error."""
    with pytest.raises(CourseError) as error:
        widgets.pad(model.decode, **wrong)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("codes", [[[4.0, -2.0]], [[4.0, -2.0]] * 5])
def test_pad_of_codes_without_spread_has_room_about_them(model, codes):
    """Catches a collapsed encoder, or a single code, that leaves no map to walk on."""
    panel = widgets.pad(model.decode, codes=codes, labels=[0] * len(codes))
    z1, z2 = panel.controls.values()
    assert (z1.min, z1.max, z2.min, z2.max) == pytest.approx((3, 5, -3, -1), abs=0.03)
    assert panel.values == pytest.approx({"z₁": 4, "z₂": -2})


def test_pad_of_codes_on_a_line_keeps_the_other_axis_open(model):
    """Catches a code of which one number is unused: that axis has no spread of its own."""
    panel = widgets.pad(model.decode, codes=[[0.0, 1.0], [10.0, 1.0]])
    z1, z2 = panel.controls.values()
    assert z1.min < 0 and z1.max > 10
    assert (z2.min, z2.max) == pytest.approx((0, 2), abs=0.21)


def test_the_latest_value_wins(model):
    """Catches an older picture that follows, when a value comes in while another is drawn."""
    arriving = [2.0, -1.0]

    def decode(z):
        if z[0, 0] == 1 or len(arriving) == 1:
            panel.controls["z₁"].value = arriving.pop(0)  # as the front end does while one drags
        return model.decode(z)

    panel = widgets.pad(decode, extent=(-3, 3, -3, 3), start=(0, 0))
    pngs = []
    panel.images["decode(z)"].observe(lambda change: pngs.append(change["new"]), names="value")
    panel.controls["z₁"].value = 1.0
    assert panel.values["z₁"] == -1.0 and not arriving
    assert (shrunk(panel) == decoded(model, -1.0, 0.0)).all() and len(pngs) == 1
    assert "z₁ = −1.00" in panel.text.value


def test_models_are_called_in_eval_mode_and_left_as_they_were():
    """Catches dropout while sliding, gradients that pile up, and a model left in eval mode."""
    dropout = torch.nn.Dropout(0.5)
    net = torch.nn.Sequential(torch.nn.Linear(2, 784), dropout, torch.nn.Sigmoid())
    dropout.eval()
    seen = []
    net.register_forward_hook(
        lambda m, i, out: seen.append((m.training, m[1].training, out.requires_grad))
    )
    widgets.pad(net)
    assert seen == [(False, False, False)]
    assert net.training and not dropout.training


@pytest.fixture
def slider_and_calls():
    X = torch.rand(4, 784, generator=torch.Generator().manual_seed(0))
    calls = []

    def half(k):
        calls.append(k)
        return X * k / 8

    panel = widgets.k_slider(
        X,
        {"PCA": half, "autoencoder": lambda k: (1 - X * k / 8).reshape(4, 1, 28, 28)},
        {"PCA": {1: 40.0, 2: 30, 4: 22, 8: 11}, "autoencoder": {2: 20.0, 8: 10.5}},
        start=2,
    )
    return X, panel, calls


def image_at(panel, row, column):
    """The 28×28 image in this place of the sheet, and its enlargement."""
    sheet = shown(panel, "images")[..., 0]
    step = (sheet.shape[0] + 6) // 3
    scale = (step - 6) // 28
    left = sheet.shape[1] - 1
    used = np.nonzero((sheet < 255).any(0))[0].max() + 1  # right edge of the last column
    left = used - (4 - column) * (28 * scale) - (3 - column) * 6
    return sheet[row * step :, left:][: 28 * scale : scale, : 28 * scale : scale]


def test_k_slider_shows_the_students_reconstructions_at_k(slider_and_calls):
    """Catches rows that are swapped, lag behind the slider or do not come from the functions."""
    X, panel, calls = slider_and_calls
    assert panel.controls["k"].options == (2, 8) and calls == [2]
    for k in (2, 8):
        panel.controls["k"].value = k
        for column in range(4):
            x = X[column].reshape(28, 28)
            for row, expected in enumerate([x, x * k / 8, 1 - x * k / 8]):
                assert (image_at(panel, row, column) == plots.to_uint8(expected)).all()
    panel.controls["k"].value = 2
    assert calls == [2, 8]  # once a k: an SVD for every step would stall the slider


def test_k_slider_tells_and_marks_the_errors(slider_and_calls):
    """Catches numbers of another k, and markers that do not move along the curves."""
    _, panel, _ = slider_and_calls
    assert "k = 2: PCA 30.0, autoencoder 20.0" in panel.text.value
    before = shown(panel, "error")
    panel.controls["k"].value = 8
    assert "k = 8: PCA 11.0, autoencoder 10.5" in panel.text.value
    assert (shown(panel, "error") != before).any()


def test_k_slider_leaves_the_row_of_a_missing_k_empty(slider_and_calls):
    """Catches a method drawn at a k at which it was never trained."""
    X, _, _ = slider_and_calls
    errors = {"PCA": {1: 4.0, 2: 3.0}, "autoencoder": {2: 2.0}}
    same = {"PCA": lambda k: X, "autoencoder": lambda k: {2: X}[k]}
    panel = widgets.k_slider(X, same, errors, ks=[1, 2], start=1)
    assert "k = 1: PCA 4.0 (" in panel.text.value
    with pytest.raises(CourseError, match="same methods"):
        widgets.k_slider(X, same, {"PCA": {1: 4.0}})
    with pytest.raises(CourseError, match="no k that all"):
        widgets.k_slider(X, same, {"PCA": {1: 4.0}, "autoencoder": {2: 2.0}})
    with pytest.raises(CourseError, match=r"PCA returned the shape \(3, 784\)"):
        widgets.k_slider(X, {"PCA": lambda k: X[:3]}, {"PCA": {1: 4.0}})


@pytest.mark.parametrize("wrong", [{"start": 3}, {"ks": [1, 2], "start": 4}, {"ks": ["all"]}])
def test_k_slider_refuses_stops_that_are_none(wrong):
    """Catches ipywidgets' own TraitError, which names no stop that one could take."""
    same = {"PCA": lambda k: torch.zeros(2, 784)}
    with pytest.raises(CourseError, match=r"1, 2|whole numbers"):
        widgets.k_slider(torch.zeros(2, 784), same, {"PCA": {1: 4.0, 2: 3.0, 4: 2.0}}, **wrong)


def test_k_slider_takes_its_stops_as_an_array():
    """Catches `not ks`, which numpy refuses for more than one number."""
    same = {"PCA": lambda k: torch.zeros(2, 784)}
    panel = widgets.k_slider(torch.zeros(2, 784), same, {"PCA": {1: 4.0}}, ks=np.arange(1, 4))
    assert panel.controls["k"].options == (1, 2, 3)


@pytest.fixture
def put_out(monkeypatch):
    """Shows a panel, by default on a page that somebody sits at: the outputs of its cell."""

    def show(panel, *, attended=True):
        outputs, parent = [], {"content": {"allow_stdin": attended}}
        shell = type("Shell", (), {"get_parent": staticmethod(lambda: parent)})()
        monkeypatch.setattr(panel_module, "get_ipython", lambda: shell)
        monkeypatch.setattr(
            panel_module, "display", lambda data, raw, **more: outputs.append((data, more))
        )
        panel._ipython_display_()
        return outputs

    return show


def test_a_page_of_voila_gets_the_widget(model, put_out, monkeypatch):
    """Catches still pictures on pages that are live although their cells may not ask anything."""
    panel = widgets.pad(model.decode)
    assert VIEW not in put_out(panel, attended=False)[0][0]
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.11")
    assert VIEW in put_out(panel, attended=False)[0][0]
    for other in ("jupyter_server/2.17", "proxy before voila", ""):
        monkeypatch.setenv("SERVER_SOFTWARE", other)
        assert VIEW not in put_out(panel, attended=False)[0][0]


@pytest.mark.parametrize("shell", [None, type("Shell", (), {"get_parent": lambda self: {}})()])
def test_a_front_end_that_does_not_say_whether_it_takes_input_gets_the_widget(shell, monkeypatch):
    """Catches still pictures in Colab and in older front ends, whose messages lack the entry."""
    monkeypatch.delenv("SERVER_SOFTWARE", raising=False)
    monkeypatch.setattr(panel_module, "get_ipython", lambda: shell)
    assert panel_module._attended()


def test_a_front_end_gets_the_widget_and_a_picture_and_a_text(model, put_out):
    """Catches a notebook page that shows nothing where the slider was."""
    panel = widgets.pad(model.decode, start=(1, 1))
    data, more = put_out(panel)[0]
    assert data[VIEW]["model_id"] == panel.widget.model_id
    assert data["text/plain"] == more["metadata"]["image/png"]["alt"] == "z₁ = 1.00, z₂ = 1.00."
    still = opened(base64.b64decode(data["image/png"]))
    side = SIDE // 28 * 28  # whole screen pixels for each of the image
    decoded_part = still[26:, SIDE + 24 :][:side, :side, 0][:: side // 28, :: side // 28].astype(
        int
    )
    assert abs(decoded_part - decoded(model, 1.0, 1.0)).max() < 8  # 256 colours for all of it
    panel.controls["z₁"].value = 2.0
    assert put_out(panel)[0][0]["image/png"] != data["image/png"]


def test_the_picture_for_a_dead_widget_is_part_of_a_style(model, put_out):
    """Catches a second picture on pages that remove styles: they show that of the first output."""
    panel = widgets.pad(model.decode)
    (data, _), (hidden, _) = put_out(panel)
    assert list(hidden) == ["text/html"]
    style, rest = hidden["text/html"].split("</style>")
    assert data["image/png"] in style and len(rest) < 300 and "z₁ = 0.00" in rest
    other = put_out(widgets.pad(model.decode))[1][0]["text/html"]
    assert other.split("</style>")[1] != rest  # each panel's style is for its own picture


def test_a_runner_gets_the_picture_alone(model, put_out):
    """Catches a dead widget in a page of nbconvert: a cell without input is a runner's."""
    ((data, _),) = put_out(widgets.pad(model.decode), attended=False)
    assert set(data) == {"text/plain", "image/png"}


@pytest.mark.notebook
def test_an_executed_notebook_keeps_a_picture_in_its_page():
    """Catches nbconvert preferring a widget whose kernel is gone to the picture."""
    code = "import torch\nfrom course_lib import widgets\nwidgets.pad(lambda z: torch.ones(1, 784))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert VIEW not in output.data and "z₁ = 0.00" in output.data["text/plain"]
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert "data:image/png;base64," + output.data["image/png"][:100] in page
    assert VIEW not in page.split("<main>")[-1]


def test_importing_the_package_leaves_widgets_alone():
    """Catches a start of the command line that waits for ipywidgets or torch."""
    code = "import sys, course_lib; sys.exit(bool({'ipywidgets', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_ipywidgets_that_is_meant_is_here():
    """Catches a run that means to test a version and tests another."""
    found, meant = ipywidgets.__version__, os.environ.get("IPYWIDGETS_MEANT")
    assert found == (meant or found) and found.split(".")[0] in {"7", "8"}
