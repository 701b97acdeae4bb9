"""The widgets in a real JupyterLab in a real browser: keys and mouse, as a student uses them."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = ROOT / "test-artefacts"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt install chromium"),
]
playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is missing: pip install playwright"
)
pytest.importorskip("jupyterlab")

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
    """A JupyterLab on a folder of its own, with its address and the folder."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    settings = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, value in settings.items():
        file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(value), encoding="utf-8")
    folders = {"CONFIG_DIR": "config", "RUNTIME_DIR": "runtime"}
    env = {f"JUPYTER_{name}": str(home / folder) for name, folder in folders.items()}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "COURSE_FAST": "1"}
    env |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "PYTHONPATH": str(ROOT)}
    env |= {"OMP_NUM_THREADS": "1"}  # the browser needs the other cores
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--IdentityProvider.token=", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={home / 'notebooks'}", "--LabApp.expose_app_in_browser=True"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log)
    try:
        _await_server(f"http://127.0.0.1:{port}/api", server, log=home / "log")
        yield f"http://127.0.0.1:{port}", home / "notebooks"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await_server(url, server, *, log):
    for _ in range(300):
        try:
            return urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            assert server.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.1)
    pytest.fail(f"JupyterLab does not answer: {log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


def run_notebook(browser, lab, *, name, timeout):
    """Open the notebook and run all its cells; the page, ready to be used."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(30_000)
    page.goto(f"{lab[0]}/doc/tree/{name}")
    page.wait_for_function("""() => {
        const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
        const kernel = session?.session?.kernel;
        const connected = kernel?.connectionStatus == 'connected' && kernel.status == 'idle';
        return session?.isReady && connected;
    }""")
    page.evaluate("""() => {
        window.ran = null;
        const run = window.jupyterapp.commands.execute('notebook:run-all-cells');
        run.then(ok => { window.ran = ok });
    }""")
    page.wait_for_function("() => window.ran !== null", timeout=timeout * 1000)
    errors = page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    assert page.evaluate("window.ran") is True, errors
    return page


class Shown:
    """A panel on the page: its sliders, its text and the bytes of its pictures."""

    def __init__(self, output):
        self.output = output
        self.handles = output.locator(".noUi-handle, .ui-slider-handle")

    def text(self):
        return self.output.locator("[role=status]").inner_text()

    def pictures(self):
        fetch = "e => fetch(e.src).then(r => r.arrayBuffer()).then(b => [...new Uint8Array(b)])"
        return [bytes(i.evaluate(fetch)) for i in self.output.locator("img").all()]

    def after(self, act):
        """Do it, wait until the text differs: the pictures before and after, and the new text."""
        text, before = self.text(), self.pictures()
        act()
        for _ in range(100):
            if self.text() != text:
                return before, self.pictures(), self.text()
            time.sleep(0.05)
        pytest.fail(f"the text stays {text!r}")


def panels(page):
    text = page.locator(".jupyter-widgets [role=status]")
    outputs = page.locator(".jp-OutputArea-output").filter(has=text)
    outputs.first.wait_for()
    return [Shown(output) for output in outputs.all()]


def press_every_slider(page, some, *, name):
    """Arrow keys on each focused slider: the text and every picture of its panel must change."""
    for number, panel in enumerate(some):
        for handle in panel.handles.all():
            handle.focus()
            before, after, _ = panel.after(lambda: page.keyboard.press("ArrowRight"))
            assert all(png.startswith(b"\x89PNG") for png in after)
            assert after != before and after[-1] != before[-1]
            back = panel.after(lambda: page.keyboard.press("ArrowLeft"))[1]
            assert back == before
        panel.output.screenshot(path=ARTEFACTS / f"{name}_{number}.png")


@pytest.fixture(scope="module")
def small(browser, lab):
    """A page with a notebook of this test's own, run to its end."""
    ARTEFACTS.mkdir(exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in SMALL])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab[1] / "small.ipynb")
    page = run_notebook(browser, lab, name="small.ipynb", timeout=60)
    yield page
    page.close()


def test_keys_move_the_sliders_of_a_small_notebook(small):
    """Catches a live page with the still picture, a dead slider, keys that JupyterLab takes."""
    assert len(panels(small)) == 4
    press_every_slider(small, panels(small)[:3], name="small")


def test_buttons_move_the_sliders(small):
    """Catches buttons without effect, and sliders on the page that do not follow the kernel."""
    panel = panels(small)[1]
    start = panel.pictures()
    _, moved, _ = panel.after(lambda: panel.output.get_by_role("button", name="random").click())
    assert moved[0] != start[0] and moved[1] != start[1]
    z1, z2 = panel.output.locator(".widget-readout").all_inner_texts()
    assert f"z₁ = {z1}, z₂ = {z2}".replace("-", "−") in panel.text()
    panel.after(lambda: panel.output.get_by_role("button", name="reset").click())
    assert panel.pictures() == start


def test_a_drag_over_a_slow_model_ends_at_the_latest_value(small):
    """Catches a queue of old values that the picture works off after the mouse is let go."""
    panel = panels(small)[2]
    panel.handles.first.scroll_into_view_if_needed()
    box = panel.handles.first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    small.mouse.move(x, y)
    small.mouse.down()
    for i in range(60):
        small.mouse.move(x + 2 * i, y)
        time.sleep(0.01)
    small.mouse.up()
    start = time.monotonic()
    readout = panel.output.locator(".widget-readout").first.inner_text()
    wanted = "z₁ = " + readout.replace("-", "−")
    assert wanted != "z₁ = −2.00"
    while wanted not in panel.text():
        assert time.monotonic() - start < 5, "60 steps of 0.2 s are worked off one by one"
        time.sleep(0.05)


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


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_keys_move_the_sliders_of_each_notebook(browser, lab, source):
    """Catches a notebook whose sliders do not live in a student's JupyterLab."""
    ARTEFACTS.mkdir(exist_ok=True)
    shutil.copy(source, lab[1])
    page = run_notebook(browser, lab, name=source.name, timeout=240)
    assert len(panels(page)) == source.read_text(encoding="utf-8").count("= widgets.")
    press_every_slider(page, panels(page), name=source.stem)
    page.close()
