"""The exported page in a real browser: pixels, keys, looks on a projector and on a phone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib import checkpoints, demo
from course_lib.demo.content import MODELS

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "test-artefacts"
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
VIEWS = ["pad", "latents", "price", "faces"]
SCREENS = {"projector": (1280, 720), "large": (1920, 1080), "phone": (390, 844)}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt install chromium"),
]
playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is missing: pip install playwright"
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

    def at(view="pad", *, screen="projector", **options):
        width, height = SCREENS[screen]
        size = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, **options)
        contexts.append((context, faults := []))
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        page.on("request", lambda request: _only_local(request.url, faults))
        page.goto(f"{file.as_uri()}#{view}")
        settle(page)
        return page

    yield at
    for context, faults in contexts:
        context.close()
        assert not faults


def _only_local(url, faults):
    if not url.startswith(("file:", "data:")):
        faults.append(f"asks for {url}")


def settle(page):
    """Until what was asked for stands on the page: two frames."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def text(page):
    return page.locator("#values").inner_text()


def pixels(page, name="image"):
    """RGBA bytes of a canvas."""
    code = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    return np.array(page.locator(f"#{name}").evaluate(code), dtype=np.uint8)


def outputs(page):
    return page.locator("#controls output").all_inner_texts()


# --- pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_decoder_agrees_with_torch(open_page, name):
    """Catches a layer, an order of pixels or a weight that JavaScript has otherwise than torch."""
    model, _ = checkpoints.load(name)
    z = torch.randn(5, model.latent_dim, generator=torch.Generator().manual_seed(0))
    expected = model.decode(z).mean.flatten(1)
    code = "([name, z]) => z.map(row => [...course.decoders[name].decode(Float32Array.from(row))])"
    found = torch.tensor(open_page().evaluate(code, [name, z.tolist()]))
    assert found.shape == expected.shape and expected.std() > 0.05
    assert (found - expected).abs().max() < 0.1 / 255  # the promise is 1/255


def test_the_page_shows_what_the_decoder_gives(open_page):
    """Catches channels or rows that are mixed up on the way to the canvas, and gamma."""
    page = open_page("faces")
    model, _ = checkpoints.load("faces-vae-128")
    code = torch.tensor(checkpoints.metrics("walks")["faces"][0])[None]
    expected = (255 * model.decode(code).mean[0]).permute(1, 2, 0).numpy()  # (64, 64, 3)
    shown = pixels(page).reshape(64, 64, 4)
    assert np.abs(shown[..., :3] - expected).max() <= 1 and (shown[..., 3] == 255).all()


# --- keys, pointer, animation --------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_arrow_keys_walk(open_page, view):
    """Catches keys that move nothing, or a text and numbers that stay behind the picture."""
    page = open_page(view)
    start = text(page), outputs(page), pixels(page)
    press(page, "ArrowRight")
    moved = text(page), outputs(page), pixels(page)
    assert moved[0] != start[0] and moved[1] != start[1] and (moved[2] != start[2]).any()
    press(page, "ArrowLeft")
    assert (text(page), outputs(page)) == start[:2] and (pixels(page) == start[2]).all()


def test_arrows_go_both_ways_on_the_map(open_page):
    """Catches a map on which up is down, or only one number can be walked."""
    page = open_page("pad")
    press(page, "ArrowUp", "ArrowUp", "ArrowRight")
    assert outputs(page) == ["0.1", "0.2"]
    press(page, "Shift+ArrowDown")
    assert outputs(page) == ["0.1", "−0.3"]
    assert text(page).startswith("z₁ = 0.1, z₂ = −0.3. The nearest code, ")


def test_number_keys_pick_the_latent(open_page):
    """Catches a number that picks another slider, and arrows that walk the old one."""
    page = open_page("latents")
    kl = checkpoints.card("mnist-decoder-64-beta-1")["kl_per_latent"]
    order = sorted(range(64), key=lambda i: -kl[i])
    press(page, "3", "ArrowRight")
    assert outputs(page)[2] == "0.1" and outputs(page).count("0.0") == 9
    names = page.locator("#controls label b").all_inner_texts()
    small = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    assert names == ["z" + str(i + 1).translate(small) for i in order[:10]]
    press(page, "0", "ArrowLeft")
    assert outputs(page)[9] == "−0.1"
    press(page, "ArrowUp", "ArrowRight")
    assert outputs(page)[8] == "0.1"


def test_a_focused_slider_takes_one_step_a_key(open_page):
    """Catches a key that both the slider and the page take, and a slider that cannot be reached."""
    page = open_page("latents")
    page.locator("#control-4").focus()
    press(page, "ArrowRight")
    assert outputs(page)[4] == "0.1"
    assert page.locator(".control.chosen input").get_attribute("id") == "control-4"


def test_sliders_and_map_follow_the_pointer(open_page):
    """Catches a mouse or a finger without effect, and places that are mirrored."""
    page = open_page("pad")
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    page.mouse.down()
    settle(page)
    assert outputs(page) == ["1.5", "1.5"]
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.5)
    settle(page)
    page.mouse.up()
    assert outputs(page) == ["−1.5", "0.0"]
    page.locator("#control-0").fill("2.2")
    settle(page)
    assert outputs(page) == ["2.2", "0.0"]


@pytest.mark.parametrize("view", VIEWS)
def test_space_animates_and_stops(open_page, view):
    """Catches an animation that does not move, does not end, or tells a reader every frame."""
    page = open_page(view)
    seen = set()
    press(page, "Space")
    assert page.locator("#play").get_attribute("aria-pressed") == "true"
    assert page.locator("#values").get_attribute("aria-live") == "off"
    for _ in range(20):
        page.wait_for_timeout(60)
        seen.add(text(page))
    assert len(seen) > 2
    press(page, "Space")
    still = text(page)
    page.wait_for_timeout(200)
    assert text(page) == still
    assert page.locator("#values").get_attribute("aria-live") == "polite"


def test_random_and_reset(open_page):
    """Catches buttons without effect, and a reset that leaves a latent where it was."""
    page = open_page("latents")
    start = pixels(page)
    press(page, "r")
    assert len({*outputs(page)}) > 3 and (pixels(page) != start).any()
    press(page, "Home")
    assert {*outputs(page)} == {"0.0"} and (pixels(page) == start).all()


def test_new_codes_for_every_price(open_page):
    """Catches samples that stay as they are, or that differ between models in their codes."""
    page = open_page("price")
    start = pixels(page)
    press(page, "r")
    new = pixels(page)
    assert (new != start).any()
    press(page, "ArrowRight")
    other = pixels(page)
    press(page, "ArrowLeft")
    assert (pixels(page) == new).all() and (other != new).any()
    told = {row["beta"]: row for row in checkpoints.metrics("table1")["rows"] if row["n"] == 64}
    press(page, "ArrowRight")
    assert f"β = 2: rate {told[2]['kl']:.1f}, distortion {told[2]['cross_entropy']:.1f}" in text(
        page
    )


def test_the_manifold_goes_under_the_mark(open_page):
    """Catches a toggle that shows nothing, and one that cannot be taken back."""
    page = open_page("pad")
    start = pixels(page, "map")
    press(page, "m")
    manifold = pixels(page, "map")
    assert (manifold != start).mean() > 0.3
    press(page, "m")
    assert (pixels(page, "map") == start).all()


def test_views_keep_their_values(open_page):
    """Catches a lecture that loses its place, and an address that opens another view."""
    page = open_page("latents")
    press(page, "2", "ArrowRight", "PageDown")
    assert page.locator("h1").inner_text() == "What should a nat of code cost?"
    press(page, "PageUp")
    assert outputs(page)[1] == "0.1"
    assert page.url.endswith("#latents")


# --- looks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("view", VIEWS)
def test_each_view_fits_its_screen(open_page, view, screen):
    """Catches a page to be scrolled on a projector, or sideways on a phone; keeps a picture."""
    page = open_page(view, screen=screen, color_scheme="dark" if screen == "large" else "light")
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"demo_{view}_{screen}.png")
    wide, high = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= SCREENS[screen][0]
    assert screen == "phone" or high <= SCREENS[screen][1]
    size = page.evaluate("() => parseFloat(getComputedStyle(document.body).fontSize)")
    assert size >= {"phone": 16, "projector": 18, "large": 23}[screen]


def test_dark_and_light(open_page):
    """Catches a page that ignores the system's choice, or a key that does not change it."""
    grounds = []
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        grounds.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    press(page, "t")
    again = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert grounds[0] == again != grounds[1]


@pytest.mark.parametrize("view", VIEWS)
def test_everything_has_a_name(open_page, view):
    """Catches a control or a picture that a screen reader cannot name."""
    page = open_page(view)
    for control in page.locator("input").all():
        assert control.evaluate("e => e.labels.length") == 1
    for canvas in page.locator("canvas").all():
        assert canvas.get_attribute("aria-label")
    assert page.locator("#card").inner_text().count("·") >= 4
    page.keyboard.press("Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
