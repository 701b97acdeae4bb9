"""The widgets in a real JupyterLab in a real browser: keys and mouse, as a student uses them."""

import symtable
import time
from pathlib import Path

import nbformat
import pytest
import small_runs
from widget_examples import PANELS

from course_lib.benchmarks import lab as jupyter
from course_lib.benchmarks import widgets as benchmark
from course_lib.widgets import fallback

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = ROOT / "test-artefacts"
# Of these two the panels live on what the notebook trains, of the others on small models.
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0[13]_*.ipynb"))

TOOLS = f"import sys; sys.path.append({str(Path(__file__).parent)!r})"  # run before the first cell
PNG = "137,80,78,71"
DIGESTS = """images => Promise.all(images.map(async image => {
    const data = await (await fetch(image.src)).arrayBuffer();
    const digest = await crypto.subtle.digest('SHA-256', data);
    return [data.slice(0, 4), digest].map(part => new Uint8Array(part).join());
}))"""

# Of the panel, its pictures and the marks over these: left, top, right and bottom.
PLACES = """output => {
    const corners = box => [box.left, box.top, box.right, box.bottom];
    const place = part => corners(part.getBoundingClientRect());
    const all = selector => [...output.querySelectorAll(selector)].map(place);
    const marks = all('.course-marks .widget-html-content');
    return { panel: place(output), pictures: all('img'), marks };
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(jupyter.lacking() is not None, reason=str(jupyter.lacking())),
]

SMALL = [
    "import time, torch\nfrom course_lib import widgets",
    """
axis = torch.linspace(-3, 3, 28)
def decode(z):  # a spot where z is
    d2 = (axis - z[0, 0])[None, :] ** 2 + (axis + z[0, 1])[:, None] ** 2
    return torch.exp(-d2).reshape(1, 784)
""",
    """
X = torch.cat([decode(z[None]) for z in torch.randn(40, 2)])
U, s, Vt = torch.linalg.svd(X - X.mean(0), full_matrices=False)
pca = lambda k: X[:6].mean(0) + U[:6, :k] * s[:k] @ Vt[:k]
rest = {k: s[k:].square().sum().item() / 40 for k in (1, 2, 4, 8, 16)}
widgets.k_slider(X[:6], {"PCA": pca, "mean": lambda k: X.mean(0).expand(6, -1)},
                 {"PCA": rest, "mean": dict.fromkeys(rest, rest[1])}, start=2)
""",
    "widgets.pad(decode, codes=torch.randn(500, 2), labels=torch.randint(10, (500,)))",
    """
def slow(z):
    time.sleep(0.2)
    return decode(z)
widgets.pad(slow, extent=(-3, 3, -3, 3), start=(-2, 0))
""",
    """
def broken(z):
    assert z[0, 0] <= 0, "z1 must not be positive"
    return decode(z)
widgets.pad(broken, extent=(-3, 3, -3, 3), start=(0, 0))
""",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a folder of its own: its address, and the folder of its notebooks."""
    ARTEFACTS.mkdir(exist_ok=True)
    with jupyter.serving(tmp_path_factory.mktemp("lab")) as served:
        yield served


@pytest.fixture(scope="module")
def browser():
    with jupyter.chromium() as chromium:
        yield chromium


def taken(scope):
    """The names that a cell, or a function in it, takes from other cells or from itself."""
    names = {n.get_name() for n in scope.get_symbols() if n.is_referenced() and n.is_global()}
    return names.union(*map(taken, scope.get_children()))


def needed_for_panels(cells):
    """The cells with a panel, and those that a kept one takes a name from; the rest is left to
    tests/test_notebooks.py. A kept cell that lacks a name fails, and so does the test."""
    kept, wanted = [], set()
    for cell in reversed(cells):
        scope = symtable.symtable(cell, "cell", "exec")
        names = scope.get_symbols()
        made = {n.get_name() for n in names if n.is_assigned() or n.is_imported()}
        if "= widgets." in cell or made & wanted:
            kept.insert(0, cell)
            wanted = wanted - made | taken(scope)
    return kept


def write_notebook(lab, name, cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab[1] / name)


class Shown:
    """A panel on the page: its sliders, its text and the bytes of its pictures."""

    def __init__(self, output):
        self.output = output
        self.handles = output.locator(".noUi-handle, .ui-slider-handle")
        self.readouts = output.locator(".widget-readout")

    def text(self):
        return self.output.locator("[role=status]").inner_text()

    def pictures(self):
        """For each picture its first four bytes, and its digest with the marks over it."""
        images = self.output.locator("img").evaluate_all(DIGESTS)
        marks = self.output.locator(".course-marks").evaluate_all(
            "all => all.map(m => m.innerHTML)"
        )
        return [[first, digest + mark] for (first, digest), mark in zip(images, marks, strict=True)]

    def after(self, act):
        """Do it, wait until the text differs: the new pictures."""
        text = self.text()
        act()
        wait_until(lambda: self.text() != text, told=f"the text stays {text!r}")
        return self.pictures()

    def drag(self, *, by, steps=20):
        """Take the first handle with the mouse and pull it so many pixels to the right."""
        mouse, handle = self.output.page.mouse, self.handles.first
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse.move(x, y)
        mouse.down()
        for i in range(steps):
            mouse.move(x + by * (i + 1) / steps, y)
            time.sleep(0.01)
        mouse.up()


def wait_until(true, *, told, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, told
        time.sleep(0.05)


def assert_fits(places, *, told):
    """Pictures side by side and whole, sliders and pictures on one screen, marks on pictures."""
    left, top, right, bottom = places["panel"]
    assert bottom - top <= 700, f"{told}: {bottom - top:.0f} pixels high"
    assert len({round(place[1]) for place in places["pictures"]}) == 1, f"{told}: not side by side"
    for picture, marks in zip(places["pictures"], places["marks"], strict=True):
        assert left <= picture[0] and picture[2] <= right + 1, f"{told}: a picture is cut"
        assert marks == pytest.approx(picture, abs=1), f"{told}: marks beside their picture"


def panels(page):
    text = page.locator(".jupyter-widgets [role=status]")
    outputs = page.locator(".jp-OutputArea-output").filter(has=text)
    outputs.first.wait_for()
    return [Shown(output) for output in outputs.all()]


def press_sliders(page, some, *, name, all_of_them=True):
    """Arrow keys on focused sliders: the text and every picture of their panels must change."""
    for number, panel in enumerate(some):
        handles, before = panel.handles.all(), panel.pictures()
        for handle in handles if all_of_them else handles[:1]:
            handle.focus()
            after = panel.after(lambda: page.keyboard.press("ArrowRight"))
            assert all(head == PNG for head, _ in after)
            assert after != before and after[-1] != before[-1]
            assert panel.after(lambda: page.keyboard.press("ArrowLeft")) == before
        panel.output.screenshot(path=ARTEFACTS / f"{name}_{number}.png")


def drag_sliders(some, *, name):
    """The mouse on the first slider: pictures, text and the number beside it end at one value."""
    for number, panel in enumerate(some):
        start = panel.pictures()
        by = -60 if slider_is_at_its_end(panel) else 60
        panel.drag(by=by)
        value = panel.readouts.first.inner_text().replace("-", "−")
        wait_until(
            lambda panel=panel, value=value: f" {value}" in panel.text(),
            told=f"{value} was reached, but {panel.text()}",
        )
        wait_until(
            lambda panel=panel, start=start: panel.pictures() != start, told="the pictures stay"
        )
        panel.output.screenshot(path=ARTEFACTS / f"{name}_{number}_dragged.png")


def slider_is_at_its_end(panel):
    handle = panel.handles.first
    ends = [float(handle.get_attribute(f"aria-value{end}")) for end in ("now", "max")]
    return ends[0] > 0.8 * ends[1]


@pytest.fixture(scope="module")
def small(browser, lab):
    """A page with a notebook of this test's own, run to its end."""
    write_notebook(lab, "small.ipynb", SMALL)
    page = jupyter.open_notebook(browser, lab, name="small.ipynb")
    jupyter.run_all(page, timeout=200)
    yield page
    jupyter.shut(page)


def test_keys_move_the_sliders_of_a_small_notebook(small):
    """Catches a live page with the still picture, a dead slider, keys that JupyterLab takes."""
    assert len(panels(small)) == 4
    press_sliders(small, panels(small)[:3], name="small")
    assert not small.locator(".course-still").first.is_visible()


def test_the_tab_key_leads_from_one_axis_of_the_pad_to_the_other(small):
    """Catches a pad that only the mouse can walk in both directions."""
    panel = panels(small)[1]
    panel.handles.first.focus()
    for _ in range(2):  # the number beside a slider may be written into, so it has a stop too
        small.keyboard.press("Tab")
        if panel.handles.nth(1).evaluate("e => e == document.activeElement"):
            break
    z1 = panel.text().split(",")[0]
    panel.after(lambda: small.keyboard.press("ArrowUp"))
    assert panel.text().split(",")[0] == z1


def test_buttons_move_the_sliders(small):
    """Catches buttons without effect, and sliders on the page that do not follow the kernel."""
    panel = panels(small)[1]
    panel.after(lambda: panel.output.get_by_role("button", name="random").click())
    panel.after(lambda: panel.output.get_by_role("button", name="reset").click())
    start = panel.pictures()
    moved = panel.after(lambda: panel.output.get_by_role("button", name="random").click())
    assert moved[0] != start[0] and moved[1] != start[1]
    z1, z2 = panel.readouts.all_inner_texts()
    assert f"z₁ = {z1}, z₂ = {z2}".replace("-", "−") in panel.text()
    panel.after(lambda: panel.output.get_by_role("button", name="reset").click())
    assert panel.pictures() == start


def test_a_drag_over_a_slow_model_ends_at_the_latest_value(small):
    """Catches a queue of old values that the picture works off after the mouse is let go."""
    panel = panels(small)[2]
    panel.drag(by=120, steps=60)
    wanted = "z₁ = " + panel.readouts.first.inner_text().replace("-", "−")
    assert wanted != "z₁ = −2.00"
    told = "60 steps of 0.2 s are worked off one by one"
    wait_until(lambda: wanted in panel.text(), told=told, seconds=5)


def test_the_benchmark_times_keys_on_a_page(small, monkeypatch):
    """Catches a clock that starts late, or that counts pictures of another key."""
    monkeypatch.setattr(benchmark, "N_PRESSES", 3)
    slow = panels(small)[2]  # 0.2 s a step
    slow.handles.first.focus()
    times = benchmark.key_times(small, slow.output.locator("img").last)
    assert len(times) == 3 and all(200 < ms < 5_000 for ms in times)


def test_an_error_is_shown_under_the_pictures(small):
    """Catches an error that only the server's log gets to see."""
    panel = panels(small)[3]
    panel.handles.first.focus()
    small.keyboard.press("ArrowRight")
    alert = panel.output.locator("[role=alert]")
    alert.wait_for()
    assert "AssertionError: z1 must not be positive" in alert.inner_text()
    panel.output.screenshot(path=ARTEFACTS / "small_error.png")
    small.keyboard.press("ArrowLeft")
    alert.wait_for(state="detached")


def test_sliders_live_again_after_a_restart(small):
    """Catches sliders that live only once."""
    jupyter.restart(small)
    jupyter.run_all(small, timeout=200)
    assert len(panels(small)) == 4
    press_sliders(small, panels(small)[:2], name="small_again", all_of_them=False)


def test_a_notebook_without_its_kernel_shows_the_picture(browser, lab):
    """Catches "model not found" where the slider was, when a saved notebook is opened again."""
    write_notebook(lab, "saved.ipynb", [*SMALL[:2], SMALL[3]])
    page = jupyter.open_notebook(browser, lab, name="saved.ipynb")
    jupyter.run_all(page, timeout=200)
    panels(page)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    jupyter.shut(page)
    page = jupyter.open_notebook(browser, lab, name="saved.ipynb")
    still, message = page.locator(".course-still"), page.get_by_text("Error displaying widget")
    still.wait_for()
    message.wait_for(state="hidden")
    box = still.bounding_box()
    assert box["width"] > 700 and box["height"] > 400
    page.screenshot(path=ARTEFACTS / "saved_without_kernel.png")
    jupyter.run_all(page, timeout=200)
    press_sliders(page, panels(page), name="saved_and_run", all_of_them=False)
    assert not still.is_visible()
    jupyter.shut(page)


def test_the_picture_for_a_dead_widget_is_hidden_elsewhere(browser):
    """Catches a second picture on pages that JupyterLab has not made, such as VS Code's."""
    page = browser.new_page()
    html = fallback.hidden_html(b"", size=(400, 300), text="a picture", name="one")
    page.set_content(f"<div>{html}</div>")
    assert page.locator(".course-still").count() == 1
    assert not page.locator(".course-still").is_visible()
    page.close()


def test_every_widget_lives_on_a_page(browser, lab):
    """Catches a widget whose controls do not move its pictures in a student's JupyterLab."""
    setup = f"{TOOLS}; import widget_examples"
    cells = [f"widget_examples.PANELS[{name!r}]()" for name in PANELS]
    write_notebook(lab, "examples.ipynb", [setup, *cells])
    page = jupyter.open_notebook(browser, lab, name="examples.ipynb")
    jupyter.run_all(page, timeout=200)
    assert len(panels(page)) == len(PANELS)
    press_sliders(page, panels(page), name="examples")
    for width in (1200, 1300, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        time.sleep(1)
        for name, panel in zip(PANELS, panels(page), strict=True):
            assert_fits(panel.output.evaluate(PLACES), told=f"{name} at {width}")
    jupyter.shut(page)


@pytest.mark.parametrize("opened", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_sliders_of_a_notebook_live(browser, lab, opened):
    """Catches sliders that are dead in a student's JupyterLab, under keys or mouse."""
    name = opened.stem
    cells = [c.source for c in nbformat.read(opened, as_version=4).cells if c.cell_type == "code"]
    cut = f"{TOOLS}\n{small_runs.CUT.format(stem=name)}"
    write_notebook(lab, opened.name, [cut, *needed_for_panels(cells)])
    page = jupyter.open_notebook(browser, lab, name=opened.name)
    jupyter.run_all(page, timeout=400)
    assert len(panels(page)) == opened.read_text(encoding="utf-8").count("= widgets.")
    press_sliders(page, panels(page), name=name)
    drag_sliders(panels(page), name=name)
    jupyter.shut(page)
