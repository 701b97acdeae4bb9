"""The exported page in a real browser: pixels, keys, looks on a projector and on a phone."""

import base64
import io
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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

    def at(view="pad", *, screen="projector", script=None, **options):
        width, height = SCREENS[screen]
        size = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, **options)
        contexts.append((context, faults := []))
        page = context.new_page()
        page.add_init_script(script or "")
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
    """RGBA bytes of a canvas, (H, W, 4)."""
    png = page.locator(f"#{name}").evaluate("c => c.toDataURL()").partition(",")[2]
    return np.array(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))


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


def code_of(view, values):
    """The model of a view and the code z that its sliders say, (1, d)."""
    if view == "pad":
        return "mnist-decoder-2", torch.tensor([[values["z₁"], values["z₂"]]])
    if view == "latents":
        z = torch.zeros(1, 64)
        for name, value in values.items():
            z[0, int(name[1:].translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))) - 1] = value
        return "mnist-decoder-64-beta-1", z
    if view == "price":  # with a dice that always shows 0.5
        beta = ("0.1", "0.5", "1", "2", "10")[int(values["β"])]
        return f"mnist-decoder-64-beta-{beta}", torch.full((1, 64), -math.sqrt(2 * math.log(2)))
    walks = checkpoints.metrics("walks")
    steps = [
        values[name.replace("_", " ").lower()] * torch.tensor(step)
        for name, step in walks["attributes"].items()
    ]
    return walks["model"], (torch.tensor(walks["faces"][int(values["face"])]) + sum(steps))[None]


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_shows_what_torch_decodes(open_page, view):
    """Catches a slider of another latent, channels or rows that are mixed up, gamma."""
    dice = "Math.random = () => 0.5" if view == "price" else None
    page = open_page(view, script=dice)
    press(page, "r", "2", "Shift+ArrowRight", "9", "ArrowRight", "1", "ArrowRight")
    model, z = code_of(view, page.evaluate("course.state.values[course.state.view.id]"))
    decoded = checkpoints.load(model)[0].decode(z).mean[0]
    C, side = (3, 64) if view == "faces" else (1, 28)
    expected = 255 * decoded.reshape(C, side, side).permute(1, 2, 0).numpy()
    assert expected.std() > 10 and (z != 0).any()
    shown = pixels(page)
    for image in (shown[:side, :side], shown[-side:, -side:]):  # of a sheet, two samples
        assert np.abs(image[..., :3] - expected).max() <= 1 and (image[..., 3] == 255).all()


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


# --- where the keys go ---------------------------------------------------------------------------


def test_space_animates_after_a_click_on_a_tab(open_page):
    """Catches a tab or button that keeps the keys for itself once it was clicked."""
    page = open_page("pad")
    page.locator("nav button").nth(1).click()
    press(page, "Space")
    assert page.locator("#play").get_attribute("aria-pressed") == "true"
    page.locator("#random").click()
    press(page, "Space")
    assert page.locator("#play").get_attribute("aria-pressed") == "true"


def test_space_presses_a_button_that_tab_led_to(open_page):
    """Catches a page whose buttons cannot be pressed without a mouse."""
    page = open_page("latents")
    page.locator("#random").focus()
    press(page, "Space")
    assert len({*outputs(page)}) > 3
    assert page.locator("#play").get_attribute("aria-pressed") == "false"


def test_the_focus_follows_the_pick(open_page):
    """Catches keys that walk one slider while a screen reader is at another."""
    page = open_page("latents")
    page.locator("#control-2").focus()
    press(page, "7", "ArrowRight")
    assert page.evaluate("document.activeElement.id") == "control-6"
    press(page, "ArrowDown", "ArrowRight")
    assert page.evaluate("document.activeElement.id") == "control-7"
    assert outputs(page)[6:8] == ["0.1", "0.1"]


def test_a_picked_number_is_animated_alone(open_page):
    """Catches a map on which nobody can show what one of the two numbers does."""
    page = open_page("pad")
    press(page, "ArrowRight", "2", "Space")
    page.wait_for_timeout(700)
    press(page, "Space")
    z1, z2 = outputs(page)
    assert z1 == "0.1" and z2 != "0.0"
    press(page, "Home")
    assert page.locator(".control.chosen").count() == 0


@pytest.mark.parametrize("view", ["pad", "latents", "faces"])
def test_an_animation_begins_where_one_is(open_page, view):
    """Catches a jump at the press of space, and values between two stops at its end."""
    page = open_page(view)
    press(page, "Shift+ArrowRight", "Shift+ArrowRight")
    code = "() => Object.values(course.state.values[course.state.view.id])"
    start = np.array(page.evaluate(code))
    page.keyboard.press("Space")
    first = page.evaluate(f"() => new Promise(r => requestAnimationFrame(() => r(({code})())))")
    assert np.abs(np.array(first) - start).max() < 0.5
    page.wait_for_timeout(300)
    press(page, "Space")
    end = 10 * np.array(page.evaluate(code))
    assert np.abs(end - end.round()).max() < 1e-6 and np.abs(end / 10 - start).max() > 0


def test_another_address_opens_another_view(open_page):
    """Catches a link to a view that does nothing where the page is open already."""
    page = open_page("pad")
    page.evaluate("location.hash = '#faces'")
    page.wait_for_function("document.querySelector('main').dataset.view === 'faces'")


def test_a_face_is_picked_by_its_picture(open_page):
    """Catches a row of faces that is decoration."""
    page = open_page("faces")
    box = page.locator("#gallery").bounding_box()
    start = pixels(page, "gallery")
    page.mouse.click(box["x"] + box["width"] * 5.5 / 8, box["y"] + box["height"] / 2)
    settle(page)
    assert text(page) == "Face 6: as it is encoded."
    assert (pixels(page, "gallery") != start).any()


def test_a_finger_moves_the_mark(open_page):
    """Catches a map that a phone scrolls instead of walking on it."""
    page = open_page("pad", screen="phone", has_touch=True, is_mobile=True)
    box = page.locator("#map").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    settle(page)
    assert all(float(o.replace("−", "-")) == pytest.approx(v, abs=0.11)
               for o, v in zip(outputs(page), (-1.5, 1.5), strict=True))  # fmt: skip


def test_the_pictures_stay_in_sight_on_a_phone(open_page):
    """Catches sliders that are moved while what they change is scrolled away."""
    page = open_page("latents", screen="phone", has_touch=True, is_mobile=True)
    page.locator("#control-9").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    settle(page)
    page.screenshot(path=ARTEFACTS / "demo_latents_phone_scrolled.png")
    image, slider = page.locator("#image").bounding_box(), page.locator("#control-9").bounding_box()
    assert image["y"] >= 0 and image["y"] + image["height"] < slider["y"] < SCREENS["phone"][1]


# --- when something is wrong, and how long it takes ----------------------------------------------


def test_a_page_that_fails_says_so(chromium, tmp_path):
    """Catches an empty page before an audience, without a word."""
    broken = demo.page(ROOT / "data").replace(
        "const content =", "throw Error('no'); const content ="
    )
    (tmp_path / "demo.html").write_text(broken, encoding="utf-8")
    page = chromium.new_page()
    page.goto((tmp_path / "demo.html").as_uri())
    assert (
        page.get_by_role("alert").inner_text().startswith("This page stopped: Uncaught Error: no")
    )
    page.close()
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto((tmp_path / "demo.html").as_uri())
    assert "allow JavaScript" in page.locator("main").inner_text()
    page.context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_the_benchmark_measures_each_view(open_page, view):
    """Catches a benchmark of keys that change nothing, and one that ends before the picture."""
    found = open_page("pad").evaluate("view => course.benchmark(view, 10)", view)
    assert len(found["drawn"]) == len(found["painted"]) == 10
    assert all(0 < d <= p for d, p in zip(found["drawn"], found["painted"], strict=True))


def test_the_command_shows_its_page_within_five_seconds(chromium):
    """Catches a page that is served at once and takes long to appear."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "course_lib", "demo", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            page = chromium.new_page()
            page.goto(process.stdout.readline().split()[4].rstrip(";"))
            page.wait_for_function("document.querySelector('#values').textContent")
            assert time.perf_counter() - start < 5
            page.close()
        finally:
            process.kill()


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
