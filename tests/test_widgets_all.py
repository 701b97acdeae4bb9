"""What every widget does, whatever it shows."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from widget_examples import BREAKABLE, PANELS

from course_lib import widgets
from course_lib.widgets import pictures

each_panel = pytest.mark.parametrize("make", PANELS.values(), ids=PANELS)


def moved_on(control):
    """Another value that this control can take."""
    if not hasattr(control, "options"):
        return control.value + 6 * control.step * (1 if control.value < control.max / 2 else -1)
    values = [o[1] if isinstance(o, tuple) else o for o in control.options]
    return values[(values.index(control.value) + 1) % len(values)]


def test_every_widget_is_among_the_examples():
    """Catches a new widget that none of the tests below moves."""
    assert set(PANELS) == set(widgets.__all__) - {"Frame", "Panel"}


def on_page(panel):
    """What the browser has: pictures, and marks over them."""
    return [part.value for part in (*panel.images.values(), *panel.marks.values())]


@each_panel
def test_controls_have_visible_names_and_follow_while_dragged(make):
    """Catches a control without a label, with a cut one, or that waits for the mouse button."""
    for control in make().controls.values():
        width = control.style.description_width  # "initial": as wide as the label; or in pixels
        assert control.description
        assert width == "initial" or int(width.removesuffix("px")) >= 8 * len(control.description)
        assert getattr(control, "continuous_update", True) and getattr(control, "readout", True)


@each_panel
def test_every_control_drives_picture_and_text_without_a_figure(make, monkeypatch):
    """Catches a control that nothing follows, and matplotlib in a callback, which is slow."""
    panel = make()
    monkeypatch.setattr(pictures.FigureCanvasAgg, "draw", lambda self: pytest.fail("drawn"))
    for name, control in panel.controls.items():
        before = on_page(panel), panel.text.value
        control.value = moved_on(control)
        after = on_page(panel), panel.text.value
        assert before[0] != after[0] and before[1] != after[1], name
        assert 'role="status" aria-live="polite"' in after[1]  # a screen reader says the change


def test_colours_are_those_of_the_palette():
    """Catches a colour of a widget's own, which nobody has checked for every eye."""
    for path in Path(widgets.__file__).parent.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"#[0-9a-fA-F]{6}|\bcolou?r\w*=[\"'](?!black|white)", line):
                assert re.search(r"# plots\.[A-Z]+ on paper$", line), f"{path.name}: {line}"


@each_panel
def test_coming_back_shows_what_was_shown(make):
    """Catches pictures that depend on the way: drawn upon each other, or kept for other values."""
    panel = make()
    start, values = on_page(panel), panel.values
    for control in panel.controls.values():
        control.value = moved_on(control)
    panel.set(values)
    assert on_page(panel) == start


@pytest.mark.parametrize(("name", "make", "value"), BREAKABLE.values(), ids=BREAKABLE)
def test_an_error_of_the_students_function_is_shown_and_raised(name, make, value):
    """Catches an error that vanishes in a callback, or stays when all is well again."""
    broken = []

    def passing_on(output):
        if broken:
            raise ValueError("no <way>")
        return output

    panel = make(passing_on)
    before = {n: image.value for n, image in panel.images.items()}
    start = panel.controls[name].value
    broken.append(True)
    with pytest.raises(ValueError, match="no <way>"):
        panel.controls[name].value = value
    assert isinstance(panel.error, ValueError)
    assert "<b>ValueError: no &lt;way&gt;</b>" in panel.message.value
    assert all(panel.images[n].value == png for n, png in before.items())
    broken.clear()
    panel.controls[name].value = start
    assert panel.error is None and panel.message.value == ""


@pytest.mark.notebook
def test_an_executed_notebook_keeps_a_picture_of_each():
    """Catches a widget that leaves an empty page, or a dead slider, behind."""
    names = [name for name in PANELS if name != "pad"]
    sources = [f"widget_examples.PANELS[{name!r}]()" for name in names]
    setup = f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport widget_examples"
    cells = [nbformat.v4.new_code_cell(source) for source in (setup, *sources)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120).execute()
    for name, cell in zip(names, notebook.cells[1:], strict=True):
        (output,) = cell.outputs
        assert output.data["text/plain"] == PANELS[name]().frame.text
        assert len(output.data["image/png"]) > 1000
        assert "application/vnd.jupyter.widget-view+json" not in output.data
