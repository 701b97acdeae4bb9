"""The exported page in a Chromium, for the tests that look at it, and what they all ask of it."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib import demo

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "test-artefacts"
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
VIEWS = ["pad", "bound", "latents", "holes", "denoise", "diffusion", "price", "faces", "symbols"]
SCREENS = {
    "projector": (1280, 720),
    "square": (1024, 768),
    "large": (1920, 1080),
    "phone": (390, 844),
}
NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt install chromium"),
]
playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is missing: pip install playwright"
)


axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright",
    reason="axe is missing: pip install axe-playwright-python",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.html"
    demo.export(ROOT / "data", path)
    return path


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(chromium):
    """The page that tests have one after the other: a new window takes longer than loading."""
    page, faults = _window(chromium)
    yield page, faults
    page.context.close()


@pytest.fixture
def open_page(chromium, file, shared, request):
    """open_page(view, …): the page at this view, as a file; what it logs or asks for fails.

    tidy: the test leaves the views as it finds them. The page is loaded anew, but not between two
    tests that both say so.
    """
    opened = [shared]

    def at(view="pad", *, screen="projector", address="seen", tidy=False, scheme="light", **own):
        if own:  # what only a new window can have
            opened.append(_window(chromium, **own))
        page, _ = opened[-1]
        width, height = SCREENS[screen]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        address = f"#{view}" + (address and f"&{address}")
        if tidy and not request.session.testsfailed and page.evaluate("window.tidy"):
            page.evaluate("address => (location.hash = address)", address)
        else:
            _load(page, file.as_uri() + address, tidy)
        wait_for_view(page, view)
        return page

    yield at
    found = [fault for _, faults in opened for fault in faults]
    shared[1].clear()
    for page, _ in opened[1:]:
        page.context.close()
    assert not found


def _window(chromium, *, script="", **options):
    """A page in a window of its own, and its faults: what it logs, or asks for from elsewhere."""
    page, faults = chromium.new_context(**options).new_page(), []
    page.add_init_script(script)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: m.type == "error" and faults.append(m.text))
    page.on("request", lambda request: _only_local(request.url, faults))
    return page, faults


def _load(page, address, tidy):
    page.mouse.move(0, 0)
    page.goto("about:blank")  # else nothing is loaded where only what follows # is another
    page.goto(address)
    page.evaluate("tidy => (window.tidy = tidy)", tidy)


def _only_local(url, faults):
    if not url.startswith(("file:", "data:")):
        faults.append(f"asks for {url}")


def wait_for_paint(page):
    """Until what was asked for stands on the page: two frames."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def wait_for_view(page, view):
    """Until the view is open and drawn; diffusion takes its steps."""
    ready = "view => course.state.view.id === view && !course.state.view.busy?.()"
    page.wait_for_function(ready, arg=view)
    wait_for_paint(page)


def wait_until_told(page):
    """Until nothing has moved for a moment: a reader is told, and the address is written."""
    page.wait_for_function("spoken.textContent === values.textContent")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    wait_for_paint(page)


def text(page):
    return page.locator("#values").inner_text()


def pixels(page, name="image"):
    """RGBA bytes of a canvas, (H, W, 4)."""
    png = page.locator(f"#{name}").evaluate("c => c.toDataURL()").partition(",")[2]
    return np.array(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))


def outputs(page):
    return page.locator("#controls output").all_inner_texts()
