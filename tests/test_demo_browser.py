"""The exported page in a real browser: pixels, keys, pointer, animation."""

# ruff: noqa: F401, F811 (fixtures are imported by name)
import math

import numpy as np
import pytest
import torch
from demo_page import (
    NEEDS_CHROMIUM,
    VIEWS,
    chromium,
    file,
    open_page,
    outputs,
    pixels,
    press,
    text,
    wait_for_paint,
)

from course_lib import checkpoints
from course_lib.demo.content import MODELS

pytestmark = NEEDS_CHROMIUM


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
    wait_for_paint(page)
    assert outputs(page) == ["1.5", "1.5"]
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.5)
    wait_for_paint(page)
    page.mouse.up()
    assert outputs(page) == ["−1.5", "0.0"]
    page.locator("#control-0").fill("2.2")
    wait_for_paint(page)
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
