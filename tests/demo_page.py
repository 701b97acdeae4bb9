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


@pytest.fixture
def open_page(chromium, file):
    """open_page(view, …): the page at this view, as a file; what it logs or asks for fails."""
    contexts = []

    def at(view="pad", *, screen="projector", script=None, address="seen", **options):
        width, height = SCREENS[screen]
        size = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, **options)
        contexts.append((context, faults := []))
        page = context.new_page()
        page.add_init_script(script or "")
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        page.on("request", lambda request: _only_local(request.url, faults))
        page.goto(f"{file.as_uri()}#{view}" + (address and f"&{address}"))
        page.wait_for_function("!course.state.view.busy?.()")  # diffusion takes its steps
        wait_for_paint(page)
        return page

    yield at
    for context, faults in contexts:
        context.close()
        assert not faults


def _only_local(url, faults):
    if not url.startswith(("file:", "data:")):
        faults.append(f"asks for {url}")


def wait_for_paint(page):
    """Until what was asked for stands on the page: two frames."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


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
