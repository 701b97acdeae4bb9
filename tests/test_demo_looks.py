"""The exported page on projectors and phones, by keyboard alone, when it fails, how quick it is."""

# ruff: noqa: F401, F811 (fixtures are imported by name)
import subprocess
import sys

import numpy as np
import pytest
from demo_page import (
    ARTEFACTS,
    NEEDS_CHROMIUM,
    ROOT,
    SCREENS,
    VIEWS,
    axe,
    chromium,
    file,
    open_page,
    outputs,
    pixels,
    press,
    shared,
    text,
    wait_for_paint,
    wait_until_told,
)

pytestmark = NEEDS_CHROMIUM


# --- looks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("view", VIEWS)
def test_each_view_fits_its_screen(open_page, view, screen):
    """Catches a page to be scrolled on a projector, or sideways on a phone; keeps a picture."""
    scheme = "dark" if screen == "large" else "light"
    page = open_page(view, screen=screen, scheme=scheme, tidy=True)
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"demo_{view}_{screen}.png")
    wide, high = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= SCREENS[screen][0]
    assert screen == "phone" or high <= SCREENS[screen][1]
    size = page.evaluate("() => parseFloat(getComputedStyle(document.body).fontSize)")
    assert size >= {"phone": 16, "projector": 18, "square": 16, "large": 23}[screen]


def test_dark_and_light(open_page):
    """Catches a page that ignores the system's choice, or a key that does not change it."""
    grounds = []
    for scheme in ("light", "dark"):
        page = open_page(scheme=scheme)
        grounds.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    press(page, "t")
    again = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert grounds[0] == again != grounds[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(open_page, view, scheme):
    """Catches contrast too low, a control without a name, a heading or a role out of place."""
    page = open_page(view, scheme=scheme, tidy=True)
    press(page, "e", "c")
    wait_until_told(page)
    found = axe.Axe().run(page).response["violations"]
    assert not found, [
        (fault["id"], [node["html"][:120] for node in fault["nodes"]]) for fault in found
    ]
    press(page, "e", "c")


@pytest.mark.parametrize("view", VIEWS)
def test_everything_has_a_name(open_page, view):
    """Catches a control or a picture that a screen reader cannot name."""
    page = open_page(view, tidy=True)
    for control in page.locator("input").all():
        assert control.evaluate("e => e.labels.length") == 1
    for canvas in page.locator("canvas").all():
        assert canvas.get_attribute("aria-label")
    assert page.locator("#card").inner_text().count("·") >= 4
    page.keyboard.press("Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.evaluate("document.activeElement.blur()")


# --- where the keys go ---------------------------------------------------------------------------


def test_space_animates_after_a_click_on_a_tab(open_page):
    """Catches a tab or button that keeps the keys for itself once it was clicked."""
    page = open_page("pad")
    page.locator("nav button").nth(2).click()
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
    page = open_page("holes")
    press(page, "ArrowRight", "2", "Space")
    page.wait_for_function("document.querySelector('#control-1').value !== '0'")
    press(page, "Space")
    z1, z2 = outputs(page)
    assert z1 == "0.1" and z2 != "0.0"
    press(page, "Home")
    assert page.locator(".control.chosen").count() == 0


@pytest.mark.parametrize("view", ["holes", "latents", "faces"])
def test_an_animation_begins_where_one_is(open_page, view):
    """Catches a jump at the press of space, and values between two stops at its end."""
    page = open_page(view)
    press(page, "Shift+ArrowRight", "Shift+ArrowRight")
    code = "() => Object.values(course.state.values[course.state.view.id])"
    start = np.array(page.evaluate(code))
    space = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: ' ', bubbles: true}))"
    frame = f"new Promise(done => requestAnimationFrame(() => done(({code})())))"
    first = page.evaluate(f"() => {{ {space}; return {frame}; }}")
    assert np.abs(np.array(first) - start).max() < 1e-6
    page.wait_for_timeout(300)
    press(page, "Space")
    end = 10 * np.array(page.evaluate(code))
    assert np.abs(end - end.round()).max() < 1e-6 and np.abs(end / 10 - start).max() > 0


def test_another_address_opens_another_view(open_page):
    """Catches a link to a view that does nothing where the page is open already, and none back."""
    page = open_page("latents")
    wait_until_told(page)
    for view in ("faces", "latents&seen"):
        page.evaluate("view => (location.hash = view)", view)
        shown = "view => document.querySelector('main').dataset.view === view"
        page.wait_for_function(shown, arg=view.removesuffix("&seen"))


def test_a_face_is_picked_by_its_picture(open_page):
    """Catches a row of faces that is decoration."""
    page = open_page("faces")
    box = page.locator("#gallery").bounding_box()
    start = pixels(page, "gallery")
    page.mouse.click(box["x"] + box["width"] * 5.5 / 8, box["y"] + box["height"] / 2)
    wait_for_paint(page)
    assert text(page) == "Face 6: as it is encoded."
    assert (pixels(page, "gallery") != start).any()


def test_a_finger_moves_the_mark(open_page):
    """Catches a map that a phone scrolls instead of walking on it."""
    page = open_page("holes", screen="phone", has_touch=True, is_mobile=True)
    box = page.locator("#aeMap").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    wait_for_paint(page)
    assert all(float(o.replace("−", "-")) == pytest.approx(v, abs=0.11)
               for o, v in zip(outputs(page), (-1.5, 1.5), strict=True))  # fmt: skip


def test_the_pictures_stay_in_sight_on_a_phone(open_page):
    """Catches sliders that are moved while what they change is scrolled away."""
    page = open_page("latents", screen="phone", has_touch=True, is_mobile=True)
    page.locator("#control-9").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    wait_for_paint(page)
    page.screenshot(path=ARTEFACTS / "demo_latents_phone_scrolled.png")
    image, slider = page.locator("#image").bounding_box(), page.locator("#control-9").bounding_box()
    assert image["y"] >= 0 and image["y"] + image["height"] < slider["y"] < SCREENS["phone"][1]


# --- when something is wrong, and how long it takes ----------------------------------------------


def test_a_page_that_fails_says_so(chromium, file, tmp_path):
    """Catches an empty page before an audience, without a word."""
    broken = file.read_text("utf-8").replace(
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
    assert "needs JavaScript" in page.locator("main").inner_text()
    page.context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_the_benchmark_measures_each_view(open_page, view):
    """Catches a benchmark of keys that change nothing, and one that ends before the picture."""
    found = open_page(view, tidy=True).evaluate("view => course.benchmark(view, 10)", view)
    assert len(found["drawn"]) == len(found["painted"]) == 10
    assert all(0 < d <= p for d, p in zip(found["drawn"], found["painted"], strict=True))


def test_the_benchmark_draws(open_page):
    """Catches a benchmark of a pen that leaves the paper empty."""
    page = open_page("pad")
    found = page.evaluate("course.benchmarkPen(10)")
    assert len(found["painted"]) == 10 and all(time > 0 for time in found["painted"])
    assert page.evaluate("course.sheet.strokes[0].length") == 11
    assert "&" in page.url and page.locator("#values").inner_text().startswith("Distortion")


def test_the_command_shows_its_page_within_five_seconds(chromium, within):
    """Catches a page that is served at once and takes long to appear."""
    command = [sys.executable, "-m", "course_lib", "demo", "--no-browser"]

    def show():
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                page = chromium.new_page()
                page.goto(process.stdout.readline().split()[4].rstrip(";"))
                page.wait_for_function("document.querySelector('#values').textContent")
                page.close()
            finally:
                process.kill()

    within(5, show)
