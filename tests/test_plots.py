"""Pictures: values to bytes, tiles in place, and colours that can be told apart."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import own_settings
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from PIL import Image

mpl.use("Agg")

import matplotlib.pyplot as plt

from course_lib import plots

ROOT = Path(__file__).parents[1]


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_png_has_the_values_of_the_image_enlarged():
    """Catches a swapped axis, a wrong scale, or values that wrap around outside [0, 1]."""
    image = torch.tensor([[0.0, 1.0, 2.0], [0.5, -1.0, float("nan")]])
    shown = decode(plots.to_png(image, scale=3))
    assert shown.shape == (6, 9)
    assert shown[::3, ::3].tolist() == [[0, 255, 255], [128, 0, 0]]
    colour = torch.zeros(3, 2, 4)
    colour[0, 0, 3] = 1
    assert decode(plots.to_png(colour))[0, 3].tolist() == [255, 0, 0]
    grey = torch.full((1, 2, 4), 7, dtype=torch.uint8)
    assert decode(plots.to_png(grey)).tolist() == [[7] * 4] * 2


def test_tiles_stand_row_by_row_with_a_gap():
    """Catches images out of order, or overlapping."""
    images = torch.arange(5, dtype=torch.uint8)[:, None, None].expand(5, 2, 2)
    sheet = plots.tile(images, columns=3)
    assert sheet.shape == (5, 8)
    assert sheet[0].tolist() == [0, 0, 255, 1, 1, 255, 2, 2]
    assert sheet[3].tolist() == [3, 3, 255, 4, 4, 255, 255, 255]


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.image_grid(torch.rand(6, 1, 4, 4), ax, columns=3, title="six"),
        lambda ax: plots.image_rows({"a": torch.rand(3, 4, 4), "b": torch.rand(3, 4, 4)}, ax),
        lambda ax: plots.curves({"a": ([1, 2], [3, 4])}, ax, x_label="x", y_label="y"),
        lambda ax: plots.histogram(torch.randn(50), ax, x_label="z"),
        lambda ax: plots.bars({"a": 1.0, "b": 2.5}, ax, y_label="nats"),
        lambda ax: plots.equal_cost_lines({0.5: (3.0, 1.0), 2: (1.0, 3.0)}, 1, ax),
        lambda ax: plots.price_strokes({0.5: (3.0, 1.0), 2: (1.0, 3.0)}, ax),
        lambda ax: plots.share_table(
            torch.rand(2, 3), ax, rows=["a", "b"], columns=["u", "v", "w"]
        ),
        lambda ax: plots.code_map(torch.rand(9, 2), torch.arange(9) % 3, ax, names="abc"),
        lambda ax: plots.code_map(torch.zeros(0, 2), torch.zeros(0), ax, names="abc"),
        lambda ax: plots.signed_image(torch.randn(4, 4), ax),
        lambda ax: plots.against_normal(torch.randn(50), ax, x_label="z", title="t"),
        lambda ax: plots.changes({"a": (1.0, 2.0)}, ax, names=("l", "r"), y_label="y"),
        lambda ax: plots.dumbbells({"a": (1.0, 9.0)}, ax, names=("l", "r"), x_label="x"),
        lambda ax: plots.group_intervals(
            {"a": {0: (1.0, 0.5, 1.5), 1: (2.0, 1.0, 3.0)}}, ax, names=("l", "r"), x_label="x"
        ),
        lambda ax: plots.labelled_line(
            torch.rand(20), torch.arange(20) % 10, ax, images=torch.rand(4, 8, 8)
        ),
        lambda ax: plots.prior_rings(
            plots.curves({"a": ([1, 8], [3, 4])}, ax, x_label="", y_label="")
        ),
        lambda ax: plots.stacked_bars(
            {"n = 1": [3.0, 1.0], "n = 2": [5.0, 2.0]}, ax, parts=["a", "b"], x_label="nats"
        ),
        lambda ax: plots.signed_rows({"a": torch.randn(3, 4, 4), "b": torch.zeros(3, 4, 4)}, ax),
        lambda ax: plots.nearest_cells(torch.randn(3, 2), torch.randn(20, 2), ax, title="t"),
        lambda ax: plots.doubling_axis(
            plots.curves({"a": ([1, 8], [3, 4])}, ax, x_label="", y_label=""), [1, 8]
        ),
    ],
)
def test_every_plot_draws_on_the_axes_it_is_given_and_returns_them(draw, monkeypatch):
    """Catches a plot that opens a figure of its own, shows it, or returns something else."""
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("plt.show() inside a plot"))
    fig, ax = plt.subplots()
    before = plt.get_fignums()
    assert draw(ax) is ax
    assert plt.get_fignums() == before
    assert ax.has_data()
    plt.close(fig)


def test_rings_hold_half_and_nearly_all_of_the_prior():
    """Catches radii of another share, in units other than those of the axes."""
    fig, ax = plt.subplots()
    plots.prior_rings(ax, middle=(2, 3), unit=10)
    z = 10 * torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0))
    shares = [(z.norm(dim=1) < circle.radius).float().mean().item() for circle in ax.patches]
    assert np.allclose(shares, [0.5, 0.99], atol=0.006)
    assert all(circle.center == (2, 3) for circle in ax.patches)
    plt.close(fig)


def test_stacked_bars_end_at_the_sum_of_their_parts():
    """Catches parts drawn over each other, or rows that do not begin at the top."""
    fig, ax = plt.subplots()
    plots.stacked_bars({"a": [3.0, 1.0], "b": [5.0, 2.5]}, ax, parts=["x", "y"], x_label="")
    first, second = ax.containers
    assert [bar.get_x() for bar in second] == [3.0, 5.0]
    assert [bar.get_width() for bar in second] == [1.0, 2.5]
    assert ax.yaxis_inverted() and first[0].get_y() < first[1].get_y()
    names = {text.get_text(): text.xy for text in ax.texts if text.get_text() in "xy"}
    assert names == {"x": (2.5, 0.725), "y": (6.25, 0.725)}  # above the bar with the widest parts
    plt.close(fig)


def test_a_part_too_narrow_for_its_value_has_it_beside_the_bar():
    """Catches a value that is left out, or written twice."""
    fig, ax = plt.subplots()
    plots.stacked_bars({"a": [5.0, 0.1], "b": [5.0, 2.5]}, ax, parts=["x", "y"], x_label="")
    beside = {text.get_text(): text.xy for text in ax.texts if text.get_text().startswith("+")}
    assert beside == {"+ 0.10": (5.1, 0)}
    plt.close(fig)


def test_codes_lie_in_the_row_of_their_label_below_the_images():
    """Catches rows mixed up, or images that cover the codes."""
    fig, ax = plt.subplots()
    values, labels = torch.linspace(0, 1, 40), torch.arange(40) % 10
    plots.labelled_line(values, labels, ax, images=torch.rand(4, 8, 8))
    for i, row in enumerate(ax.collections):
        x, y = row.get_offsets().T
        assert np.allclose(x, values[labels == i]) and (abs(y - i) <= 0.3).all()
    assert ax.images[0].get_extent()[2] <= -0.5 and ax.yaxis_inverted()
    plt.close(fig)


def test_error_bars_reach_as_far_as_the_error():
    """Catches an error drawn on its own scale, or bars where none were given."""
    fig, ax = plt.subplots()
    series = {"a": ([1, 2], [3.0, 5], torch.tensor([0.5, 2])), "b": ([1, 2], [0, 0])}
    plots.curves(series, ax, x_label="x", y_label="y")
    ends = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[2.5, 3.5], [3, 7]] and len(ax.collections) == 1
    plt.close(fig)


def test_lines_in_the_plane_have_the_slope_of_their_price():
    """Catches a slope without its sign, a wrong lowest line, a number of another row."""
    points = {0.5: (30.0, 70.0), 1: (20.0, 78.0), 4: (10.0, 95.0)}
    ax = plots.equal_cost_lines(points, 1, plt.figure().subplots())
    lines = {tuple(np.round(line.get_ydata() + line.get_xdata(), 9)): line for line in ax.lines[1:]}
    assert sorted(lines) == [(98, 98), (100, 100), (105, 105)]  # D + R is one number on each
    assert max(ax.lines[1:], key=lambda line: line.get_linewidth()) is lines[98, 98]
    assert {t.get_text(): t.xy for t in ax.texts} == {
        "100.0": (30, 70), "98.0": (20, 78), "105.0": (10, 95)}  # fmt: skip
    ax = plots.price_strokes(points, plt.figure().subplots())
    lengths = []
    for line, (beta, point) in zip(ax.lines[1:], points.items(), strict=True):
        (x1, x2), (y1, y2) = line.get_data()
        assert (y2 - y1) / (x2 - x1) == pytest.approx(-beta)
        assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx(point)
        ends = ax.transAxes.inverted().transform(ax.transData.transform(line.get_xydata()))
        lengths.append(np.hypot(*(ends[1] - ends[0])))
    assert lengths == pytest.approx([2 * 0.14] * 3)  # on the page all are as long
    plt.close("all")


def test_another_price_turns_the_lines_and_may_choose_another_model():
    """Catches a price on the wrong term, or one that is left out: 1 would not show it."""
    points = {4: (10.0, 95.0), 0.5: (30.0, 70.0), 1: (20.0, 78.0)}
    ax = plots.equal_cost_lines(points, 2, plt.figure().subplots())
    lines = {tuple(np.round(y + 2 * x, 9)): line
             for line in ax.lines[1:] for x, y in [line.get_data()]}  # fmt: skip
    assert sorted(lines) == [(115, 115), (118, 118), (130, 130)]  # D + 2 R is one number on each
    assert max(ax.lines[1:], key=lambda line: line.get_linewidth()) is lines[115, 115]
    assert "β = 4" in ax.get_title()
    assert ax.lines[0].get_xdata().tolist() == [30, 20, 10]  # in the order of β
    plt.close("all")


def test_a_histogram_is_a_density():
    """Catches counts in place of a density that a curve of the prior could be laid over."""
    fig, ax = plt.subplots()
    plots.histogram(torch.linspace(-0.99, 0.99, 1000), ax, x_label="z", limit=2)
    area = sum(bar.get_width() * bar.get_height() for bar in ax.patches)
    assert area == pytest.approx(1) and ax.patches[40].get_height() == pytest.approx(0.5, rel=0.05)
    plt.close(fig)


def linear(colour):
    value = np.array(mpl.colors.to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


# Viénot, Brettel & Mollon (1999): what a dichromat sees of a linear RGB colour.
PROTAN = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTAN = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


@pytest.mark.parametrize("vision", [np.eye(3), PROTAN, DEUTAN], ids=["all", "protan", "deutan"])
def test_the_colours_of_the_palette_differ_for_every_eye(vision):
    """Catches a new colour that some readers cannot tell from another one."""
    # The cube root makes equal steps look about equally large, as lightness does.
    seen = [np.cbrt((vision @ linear(colour)).clip(0)) for colour in plots.PALETTE]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) > 0.125


def test_every_class_is_seen_on_white():
    """Catches points that are lost on the page: pure yellow has a contrast of 1.3."""
    luminance = [
        0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(linear, plots.CLASS_COLOURS)
    ]
    assert min(1.05 / (0.05 + y) for y in luminance) > 2


def test_classes_differ_by_marker_as_well_as_by_colour():
    """Catches two classes that a black-and-white print cannot tell apart."""
    assert len(set(plots.CLASS_MARKERS)) == len(set(plots.CLASS_COLOURS)) == 10


def test_class_names_do_not_cover_each_other():
    """Catches names of classes written over one another where their codes overlap."""
    codes = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    fig, ax = plt.subplots(figsize=(5, 5))
    plots.code_map(codes, torch.arange(300) % 10, ax, names=[str(i) for i in range(10)])
    fig.canvas.draw()
    boxes = [text.get_bbox_patch().get_window_extent() for text in ax.texts]
    spots = [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes]
    gaps = [np.hypot(*np.subtract(a, b)) for i, a in enumerate(spots) for b in spots[:i]]
    assert len(boxes) == 10
    assert min(gaps) > 15
    plt.close(fig)


def test_a_trimmed_map_shows_most_codes_and_no_far_one():
    """Catches one far code that shrinks all others to a knot."""
    codes = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    codes[0] = 100
    fig, ax = plt.subplots(figsize=(5, 5))
    plots.code_map(codes, torch.arange(1000) % 3, ax, names="abc", trim=0.005)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    x, y = codes.T
    inside = (left < x) & (x < right) & (low < y) & (y < high)
    assert 0.98 < inside.float().mean() < 1 and right - left < 8
    assert all(left < text.xy[0] < right for text in ax.texts)
    plt.close(fig)


def test_names_of_lines_stand_at_their_ends_and_apart():
    """Catches names at other lines, in another colour, or one over the other."""
    fig, ax = plt.subplots(figsize=(5, 3))
    lines = {"low": ([0, 1], [0, 1.0]), "high": ([0, 1], [1, 9.0]), "close": ([0, 1], [1, 1.1])}
    plots.curves(lines, ax, x_label="x", y_label="y")
    fig.canvas.draw()
    heights = {text.get_text(): text.get_window_extent().y0 for text in ax.texts}
    assert sorted(heights, key=heights.get) == ["low", "close", "high"]
    assert heights["close"] - heights["low"] > 10 and ax.get_legend() is None
    for text, colour, (x, y) in zip(ax.texts, plots.PALETTE, lines.values(), strict=False):
        assert text.get_color() == plots.ink(colour) and tuple(text.xy) == (x[-1], y[-1])
    plt.close(fig)


def test_rows_have_headings_values_marks_and_groups():
    """Catches a heading over another column, a bar at another row, a frame about another image."""
    rows = {"a": torch.zeros(3, 8, 8), "b": torch.zeros(3, 8, 8), "c": torch.ones(3, 3, 8, 8)}
    fig, ax = plt.subplots()
    plots.image_rows(
        rows, ax, columns=["x", "y", "z"], values={"a": 2.0, "c": 4.0}, value_label="error",
        apart=["c"], marks=[("b", 2)],
    )  # fmt: skip
    fig.canvas.draw()
    sheet = ax.images[0].get_array()
    assert sheet.shape == (8 + 1 + 8 + 3 + 8, 26, 3)
    assert (sheet[:17:9, :8] == 0).all() and (sheet[17:20] == 255).all()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "z"]
    assert ax.get_xticks() == pytest.approx([3.5, 12.5, 21.5])
    a, b, c = ax.get_yticks()
    assert (a, b, c) == pytest.approx((3.5, 12.5, 23.5))
    (frame,) = ax.patches
    assert frame.get_bbox().bounds == pytest.approx((17.5, 8.5, 8, 8))
    (beside,) = ax.child_axes
    bars = {round(bar.get_center()[1], 6): bar.get_width() for bar in beside.patches}
    assert bars == {a: 2.0, c: 4.0} and beside.get_title(loc="left") == "error"
    plots.image_rows({"a": torch.zeros(1, 8, 8), "b": torch.zeros(3, 8, 8)}, ax)
    assert (ax.images[1].get_array()[:8, 8:] == 255).all()
    plt.close(fig)


WITHOUT_AXES = {
    "rows": lambda n: plots.image_rows({"a": torch.rand(n, 8, 8), "b": torch.rand(n, 8, 8)}),
    "colour": lambda n: plots.image_rows({"a": torch.rand(n, 3, 8, 8)}, values={"a": 1.0}),
    "headed": lambda n: plots.image_rows(
        {"a name\nof two lines": torch.rand(n, 8, 8)}, columns=list("abcd"), title="finding"
    ),
    "numbers": lambda n: plots.image_rows(
        {"a rather long name of a row": torch.rand(n, 8, 8), "b": torch.rand(n, 8, 8)},
        values={"b": 1234.0},
        value_label="distance",
        title="finding",
        apart=["b"],
    ),
    "signed": lambda n: plots.signed_rows({"a": torch.randn(n, 8, 8)}),
    "blocks": lambda n: plots.image_blocks(
        {one: {"a": torch.rand(n, 8, 8), "b": torch.rand(n, 8, 8)} for one in ("left", "right")}
    )[0],
}


@pytest.mark.parametrize("count", [4, 12])
@pytest.mark.parametrize("draw", WITHOUT_AXES.values(), ids=WITHOUT_AXES)
def test_images_have_a_page_as_high_as_they_need(draw, count):
    """Catches images that shrink for want of height, empty bands, numbers beyond the page."""
    with plots.course_style():
        ax = draw(count)
        figure = ax.figure
        figure.canvas.draw()
        assert figure.get_figwidth() == 8.6
        side = ax.bbox.width / ax.images[0].get_array().shape[1] * 8 / figure.dpi
        widest = min(0.9, 8.6 / (2.3 * count if len(figure.axes) > 1 else 1.5 * count))
        assert side > 0.75 * widest
        assert figure.get_tightbbox().height > figure.get_figheight() - 0.4
        assert figure.get_tightbbox().width < 8.75
        plt.close(figure)


def test_blocks_have_numbers_of_their_own_beside_their_rows():
    """Catches the numbers of one block at another one, and numbers cut at the page's edge."""
    rows = {"a": torch.rand(4, 8, 8), "b": torch.rand(4, 8, 8)}
    values = {"left": {"a": 1.0, "b": 2.0}, "right": {"b": 3.5}}
    with plots.course_style():
        axes = plots.image_blocks({"left": rows, "right": rows}, values=values, value_label="error")
        figure = axes[0].figure
        figure.canvas.draw()
        beside = [ax.child_axes[0] for ax in axes]
        assert [[text.get_text() for text in ax.texts] for ax in beside] == [["1", "2"], ["3.5"]]
        ends = [text.get_window_extent().x1 for ax in beside for text in ax.texts]
        assert max(ends) < figure.bbox.x1 and ends[1] < axes[1].bbox.x0
        plt.close(figure)


def test_lines_of_a_page_have_their_names_where_the_limits_put_them():
    """Catches names placed before the limits, and a single line with a name it does not need."""
    with plots.course_style():
        lines = {"low": ([0, 1], [1, 10.0]), "high": ([0, 1], [1, 1000.0])}
        ax = plots.curves(lines, x_label="x", y_label="y", yscale="log", title="finding", height=5)
        assert (
            ax.figure.get_size_inches().tolist() == [8.6, 5] and ax.get_title("left") == "finding"
        )
        ax.figure.canvas.draw()
        for text, (_, y) in zip(ax.texts, lines.values(), strict=True):
            middle = text.get_window_extent().y0 + text.get_window_extent().height / 2
            assert abs(middle - ax.transData.transform((1, y[-1]))[1]) < 5
        alone = plots.curves({"a": ([0, 1], [0, 1])}, x_label="x", y_label="y")
        assert not alone.texts and alone.get_legend() is None
        plt.close("all")


def test_signed_rows_are_white_at_zero_and_each_on_its_own_scale():
    """Catches a scale that runs from the least to the largest value, or one for all pictures."""
    pair = torch.tensor([[[0.0, 1.0]], [[-0.1, 0.05]]])
    fig, ax = plt.subplots()
    sheet = plots.signed_rows({"a": pair}, ax).get_images()[0].get_array()
    zero, most, least = sheet[0, 0], sheet[0, 1], sheet[0, 3]
    assert min(zero) > 240 and max(most) < 130  # white, and the end of the scale: purple
    assert least[0] > least[2] and most[2] > most[1]  # orange is negative
    plt.close(fig)


USUAL = "text.usetex: False\n"


def drawn_with(settings, folder):
    """What a fresh Python draws where the user has these settings."""
    (folder / "matplotlibrc").write_text(settings)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    env = {**os.environ, "PYTHONPATH": paths, "MATPLOTLIBRC": str(folder), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "tests/own_settings.py")],
        env=env, cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_users_settings_change_no_picture(tmp_path):
    """Catches a panel, a report or a figure that looks otherwise where matplotlib is set up
    otherwise, or that fails there (LaTeX that is not installed), and settings that do not stay."""
    lines = own_settings.hostile()
    assert len(lines) > 0.9 * len(mpl.rcParamsDefault) and "text.usetex: True" in lines
    found = drawn_with("\n".join(lines), tmp_path)
    assert found == drawn_with(USUAL, tmp_path)
    assert found["kept"]


@pytest.mark.notebook
def test_figures_stand_in_the_notebook_whatever_the_backend(tmp_path):
    """Catches a notebook without figures where MPLBACKEND or a matplotlibrc names a window."""
    code = "import own_settings as o, sys; from course_lib import plots\n"
    code += "plots.use_course_style(); figure = o.notebook_figure()"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    pictures = []
    for settings, backend in ((own_settings.hostile(), "pdf"), ([USUAL], None)):
        (tmp_path / "matplotlibrc").write_text("\n".join(settings))
        env = {**os.environ, "PYTHONPATH": paths, "MATPLOTLIBRC": str(tmp_path)}
        env = {key: value for key, value in env.items() if key != "MPLBACKEND"}
        env |= {"MPLBACKEND": backend} if backend else {}
        manager, client = start_new_kernel(env=env)
        shown = []
        try:
            client.execute_interactive(code, timeout=120, output_hook=shown.append)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        contents = [message["content"] for message in shown]
        assert not [c for c in contents if "traceback" in c], contents
        shown = [c for c in contents if "image/png" in c.get("data", {})]
        pictures += [c["data"]["image/png"] for c in shown]
        dense = [c["metadata"]["image/png"]["width"] for c in shown]
        assert dense == [decode(base64.b64decode(pictures[-1])).shape[1] // 2]
    assert len(pictures) == 2 and pictures[0] == pictures[1]


def test_dumbbells_are_sorted_and_each_reaches_from_its_first_value_to_its_second():
    """Catches names that are not those of their bars once the bars are sorted."""
    _, ax = plt.subplots()
    pairs = {"far": (1.0, 90.0), "near": (2.0, 3.0)}
    plots.dumbbells(pairs, ax, names=("split", "factor"), x_label="distance")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["near", "far"]
    ends = [line[:, 0].tolist() for line in ax.collections[0].get_segments()]
    assert ends == [[2.0, 3.0], [1.0, 90.0]]
    dots = {line.get_label(): line.get_xdata().tolist() for line in ax.lines}
    assert dots == {"split": [2.0, 1.0], "factor": [3.0, 90.0]}
    plt.close("all")


def test_changes_go_from_the_first_value_on_the_left_to_the_second_on_the_right():
    """Catches a change that is drawn the other way round, or with another one's name."""
    _, ax = plt.subplots()
    plots.changes({"a": (1.0, 2.0), "b": (3.0, 0.5)}, ax, names=("before", "after"), y_label="y")
    places = {label.get_text(): x for x, label in zip(ax.get_xticks(), ax.get_xticklabels(),
              strict=True)}  # fmt: skip
    lines = {line.get_label(): dict(zip(*line.get_data(), strict=True)) for line in ax.lines}
    for name, before, after in (("a", 1.0, 2.0), ("b", 3.0, 0.5)):
        assert lines[name] == {places["before"]: before, places["after"]: after}
    assert places["before"] < places["after"]
    plt.close("all")


def test_intervals_of_two_groups_need_not_lie_evenly_about_the_mean():
    """Catches a bar drawn from one half of the interval, and groups that are swapped."""
    _, ax = plt.subplots()
    reports = {"a": {0: (1.0, 0.9, 1.5), 1: (4.0, 2.0, 5.0)}}
    reports |= {"b": {0: (7.0, 6.0, 9.0), 1: (8.0, 8.0, 8.5)}}
    plots.group_intervals(reports, ax, names=("without", "with"), x_label="x")
    names = {label.get_text(): y for y, label in zip(ax.get_yticks(), ax.get_yticklabels(),
             strict=True)}  # fmt: skip
    for container, title, group in zip(ax.containers, ("without", "with"), (0, 1), strict=True):
        assert container.get_label() == title
        for segment, (name, report) in zip(
            container.lines[2][0].get_segments(), reports.items(), strict=True
        ):
            assert tuple(segment[:, 0]) == pytest.approx(report[group][1:])
            assert segment[:, 1] == pytest.approx([names[name]] * 2, abs=0.3)
    plt.close("all")


def test_the_normal_density_stands_over_the_histogram():
    """Catches a histogram of counts, on which a density cannot be read."""
    _, ax = plt.subplots()
    plots.against_normal(
        torch.randn(20_000, generator=torch.Generator().manual_seed(0)), ax, x_label="z"
    )
    x, y = ax.lines[0].get_data()
    middle = np.abs(x).argmin()
    assert y[middle] == pytest.approx(1 / np.sqrt(2 * np.pi), rel=1e-6)
    assert np.trapezoid(y, x) == pytest.approx(1, abs=1e-3)
    heights = [
        bar.get_height() for bar in ax.patches if abs(bar.get_x() + bar.get_width() / 2) < 0.2
    ]
    assert np.mean(heights) == pytest.approx(0.4, abs=0.03)
    _, ax = plt.subplots()
    plots.against_normal(torch.linspace(8, 12, 101), ax, x_label="z")
    assert sum(bar.get_width() * bar.get_height() for bar in ax.patches) == pytest.approx(1)
    assert ax.get_xlim()[1] > 12  # codes far from the prior are not cut off
    plt.close("all")


def test_a_table_marks_the_best_and_aligns_numbers():
    """Catches the best of another column, a bar for a dash, text that is markup."""
    found = plots.table(
        {"a <b>": {"error": 3.0, "n": 1200}, "c": {"error": -1.25, "share": 0.5}},
        forms={"error": ".2f", "share": ".0%"}, best={"error": "min"}, bars=["n"], corner="who",
    )  # fmt: skip
    assert repr(found).splitlines() == [
        "who    error      n  share",
        "a <b>   3.00  1,200      –",
        "c      −1.25      –    50%",
    ]
    page = found._repr_html_()
    assert page.count("<b>") == 1 and "<b>−1.25</b>" in page and "a &lt;b&gt;" in page
    assert page.count("linear-gradient") == 1 and "100%" in page
    assert page.count("<caption") == 0 and "tabular-nums" in page
    rows = {"x": {"u": 2.0, "v": 1}, "y": {"u": 3.0, "v": 4, "w": "1"}}
    assert plots.table(rows, best_in_rows="min").best == {(0, 2), (1, 1)}
    assert plots.table(rows, best_in_rows="max").best == {(0, 1), (1, 2)}
    assert plots.table(rows, best={"v": "max", "u": "max", "w": "min"}).best == {(1, 2), (1, 1)}


def test_a_table_keeps_the_order_of_its_columns_and_escapes_all_of_its_text():
    """Catches columns by the alphabet, a title that is lost, and markup in any of the texts."""
    found = plots.table(
        {"row": {"z<": "<i>", "a": -2.34}, "b": {"m": 0.25}}, title="t & u", corner="<c>"
    )
    assert repr(found).splitlines() == ["t & u", "<c>   z<     a    m", "row  <i>  −2.3    –",
                                        "b      –     –  0.2"]  # fmt: skip
    page = found._repr_html_()
    assert ">t &amp; u</caption>" in page and "&lt;c&gt;</th>" in page
    assert ">z&lt;</th>" in page and ">&lt;i&gt;</td>" in page and "<b>" not in page
    left, right = (
        re.findall(rf"text-align:{side}[^>]*>([^<]*)<", page) for side in ("left", "right")
    )
    assert left == ["t &amp; u", "&lt;c&gt;", "row", "b"]
    assert right == ["z&lt;", "a", "m", "&lt;i&gt;", "−2.3", "–", "–", "–", "0.2"]


def test_bars_of_a_table_are_shares_of_the_longest():
    """Catches bars behind another column's numbers, all as long as each other, or 1 % long."""
    rows = {"x": {"n": 30, "p": 1.0}, "y": {"n": 120, "p": 2.0}, "z": {"n": None, "p": 4.0}}
    page = plots.table(rows, bars=["n"])._repr_html_()
    behind = re.findall(r"linear-gradient\(to right,#\w+ (\d+%),transparent \1\)'>([^<]*)<", page)
    assert behind == [("25%", "30"), ("100%", "120")]
    nothing = plots.table({"x": {"n": 0}, "y": {"n": 0}}, bars=["n"])
    assert nothing._repr_html_().count(" 0%,transparent 0%)") == 2
