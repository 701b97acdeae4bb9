"""The exported page in a real browser: pixels, keys, pointer, animation."""

# ruff: noqa: F401, F811 (fixtures are imported by name)
import base64
import html
import json
import math
import re

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
    shared,
    text,
    wait_for_paint,
    wait_for_view,
    wait_until_told,
)
from torch.distributions import kl_divergence

from course_lib import checkpoints, diffusion
from course_lib.demo.content import MODELS
from course_lib.losses import standard_normal

pytestmark = NEEDS_CHROMIUM


# --- pixels ---------------------------------------------------------------------------------------


def in_page(page, code, *arguments):
    """What a function of the page gives for these arguments, tensors as lists.

    Both ways as one text: Playwright takes ten times as long for the numbers one by one.
    """
    given = json.dumps([a.tolist() if isinstance(a, torch.Tensor) else a for a in arguments])
    call = f"given => JSON.stringify(({code})(...JSON.parse(given)))"
    return json.loads(page.evaluate(call, given))


DECODERS = [name for name in MODELS if re.search("decoder|autoencoder|vae", name)]
CODEBOOKS = [name for name in MODELS if "-vq-" in name]


@pytest.mark.parametrize("name", DECODERS)
def test_the_decoder_agrees_with_torch(open_page, name):
    """Catches a layer, an order of pixels or a weight that JavaScript has otherwise than torch."""
    model, _ = checkpoints.load(name)
    z = torch.randn(5, model.latent_dim, generator=torch.Generator().manual_seed(0))
    expected = model.decode(z)
    expected = (expected if isinstance(expected, torch.Tensor) else expected.mean).flatten(1)
    code = "(name, z) => z.map(row => [...course.net(name).decode(Float32Array.from(row))])"
    found = torch.tensor(in_page(open_page(tidy=True), code, name, z))
    assert found.shape == expected.shape and expected.std() > 0.05
    assert (found - expected).abs().max() < 0.1 / 255  # the promise is 1/255


@pytest.mark.parametrize("n", [2, 64])
def test_the_encoder_agrees_with_torch(open_page, n):
    """Catches an ellipse at another place or of another size than q(z|x) has."""
    x = images()
    q_z = checkpoints.load(f"mnist-encoder-{n}")[0].encode(x)
    code = """(name, x) => x.map(row => {
        const { mu, sigma } = course.net(name).encode(Float32Array.from(row));
        return [[...mu], [...sigma]];
    })"""
    found = torch.tensor(in_page(open_page(tidy=True), code, f"mnist-encoder-{n}", x))
    assert (found[:, 0] - q_z.mean).abs().max() < 1e-4
    assert (found[:, 1] - q_z.stddev).abs().max() < 1e-4


def test_the_denoiser_agrees_with_torch(open_page):
    """Catches an image that is framed, damaged or cut otherwise than in the recipe."""
    page = open_page("denoise", tidy=True)
    model, _ = checkpoints.load("mnist-denoiser")
    x = images()[:1]
    found = in_page(page, "x => [...course.state.view.repaired(Float32Array.from(x))]", x[0])
    whole = model(torch.nn.functional.pad(x.view(1, 1, 28, 28), (2, 2, 2, 2)))[0, 0, 2:-2, 2:-2]
    assert (torch.tensor(found) - whole.flatten()).abs().max() < 0.1 / 255


def test_diffusion_agrees_with_torch(open_page):
    """Catches a schedule, a step or a layer of the U-Net that JavaScript has otherwise."""
    model, _ = checkpoints.load("mnist-ddpm")
    draw = {"generator": torch.Generator().manual_seed(0)}
    expected = diffusion.sample_ddim(
        model, torch.tensor([7]), steps=10, shape=(1, 28, 28), **draw
    ).flatten()
    noise = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)).flatten()
    code = """noise => {
        const steps = course.samplingSteps(10);
        let x = Float32Array.from(noise);
        const net = course.net("mnist-ddpm");
        steps.forEach((t, i) => (x = course.ddimStep(net, x, t, steps[i + 1] ?? -1, 7).next));
        return [...x].map(value => (value + 1) / 2);
    }"""
    found = torch.tensor(in_page(open_page(tidy=True), code, noise))
    assert expected.std() > 0.1 and (found - expected).abs().max() < 1 / 255


@pytest.mark.parametrize("name", CODEBOOKS)
def test_symbols_agree_with_torch(open_page, name):
    """Catches places or channels that are mixed up, on the way to symbols and on the way back."""
    model, _ = checkpoints.load(name)
    walks = checkpoints.metrics("walks")["originals"]
    bytes_ = np.stack([np.frombuffer(base64.b85decode(pixels), np.uint8) for pixels in walks])
    x = torch.tensor(bytes_).view(-1, 3, 64, 64) / 255
    page, symbols = open_page(tidy=True), model.indices_of(x)
    code = "(name, x) => x.map(row => course.net(name).indices(Float32Array.from(row)))"
    found = torch.tensor(in_page(page, code, name, x.flatten(1)))
    assert (found != symbols).float().mean() < 0.005  # two vectors that are equally near
    some = torch.randint(len(model.codebook.vectors), (3, 64))
    code = "(name, s) => s.map(row => [...course.net(name).decode(row)])"
    drawn = torch.tensor(in_page(page, code, name, some))
    assert (drawn - model.image_of(some).flatten(1)).abs().max() < 0.1 / 255


SYMBOLS = "course.state.view.symbolsOf(course.state.values.symbols)"


def squares(page):
    """Colour in the middle of each symbol's square, and the places of those with a frame."""
    shown = pixels(page, "grid").astype(int)[..., :3]
    side = shown.shape[1] / 8
    colours, framed = [], set()
    for n in range(64):
        top, left = int(n // 8 * side), int(n % 8 * side)
        middle = shown[top + int(side / 2), left + int(side / 2)]
        colours.append(tuple(middle))
        if np.abs(shown[top + int(side / 2), left + 1] - middle).max() > 20:
            framed.add(n)
    return colours, framed


def test_symbols_by_lot_are_framed_and_replace_those_of_the_face(open_page):
    """Catches a lot that leaves the image as it is, or more symbols than were asked for."""
    page = open_page("symbols")
    assert text(page).startswith("K = 64: 64 symbols of 6 bits are 384 bits")
    assert "8 drawn by lot" in text(page)
    press(page, *6 * ["ArrowLeft"])
    own = page.evaluate(SYMBOLS)
    assert "0 drawn by lot" in text(page) and squares(page)[1] == set()
    places, first = set(), set()
    for count in (4, 8, 12):
        press(page, "ArrowRight")
        drawn = page.evaluate(SYMBOLS)
        colours, framed = squares(page)
        changed = {n for n in range(64) if own[n] != drawn[n]}
        assert f"{count} drawn by lot" in text(page) and len(framed) == count
        assert changed and changed | places <= framed  # an own symbol may be drawn again
        assert len({*zip(drawn, colours, strict=True)}) == len({*drawn}) == len({*colours})
        places = framed
        first = first if count > 4 else framed
    assert max(drawn[n] for n in framed) > 24  # not the places' own numbers, which are the least
    press(page, *13 * ["ArrowRight"])
    lot = page.evaluate(SYMBOLS)
    assert len(squares(page)[1]) == 64 and len({*lot}) > 25 and 48 < max(lot) < 64
    press(page, "r", *15 * ["ArrowLeft"])
    other = squares(page)[1]
    assert len(other) == 4 and other != first


def test_symbols_show_what_torch_decodes(open_page):
    """Catches a face, an image or a codebook in another's place, and numbers of another one."""
    originals = checkpoints.metrics("walks")["originals"]
    faces = [np.frombuffer(base64.b85decode(one), np.uint8).reshape(3, 64, 64) for one in originals]
    page = open_page("symbols")
    for keys, face, K in (
        ([], 0, 64), (["2", "ArrowRight"], 0, 256), (["3", "ArrowRight"], 1, 256),
        (["2", *3 * ["ArrowLeft"]], 1, 4), (["1", *3 * ["ArrowRight"]], 1, 4),
    ):  # fmt: skip
        press(page, *keys)
        symbols = torch.tensor([page.evaluate(SYMBOLS)])
        model = checkpoints.load(f"faces-vq-{K}")[0]
        x, x_hat = torch.tensor(faces[face])[None] / 255, model.image_of(symbols)[0]
        drawn = int(re.search(r"(\d+) drawn by lot", text(page))[1])
        assert (model.indices_of(x).flatten() == symbols[0]).sum() >= 62 - drawn
        expected = 255 * x_hat.permute(1, 2, 0).numpy()
        assert np.abs(pixels(page)[..., :3] - expected).max() <= 1
        assert (pixels(page, "original")[..., :3] == faces[face].transpose(1, 2, 0)).all()
        bits, each = checkpoints.card(f"faces-vq-{K}-prior")["test"]["bits"], math.log2(K)
        error = float(((x[0] - x_hat) ** 2).sum())
        said = re.search(r"symbols of (\d+) bits are (\d+) bits; .* density (\d+) for", text(page))
        assert [*map(int, said.groups())] == [each, 64 * each, round(bits)]
        assert abs(error - int(re.search(r"squared error (\d+)\.", text(page))[1])) < 1
    box = page.locator("#gallery").bounding_box()
    for face in (len(faces) - 1, 2):
        left = box["x"] + box["width"] * (face + 0.8) / len(faces)
        page.mouse.click(left, box["y"] + box["height"] / 2)
        wait_for_paint(page)
        assert (pixels(page, "original")[..., :3] == faces[face].transpose(1, 2, 0)).all()


def images():
    """The page's ten test digits, (10, 784) in [0, 1]."""
    return torch.tensor(checkpoints.metrics("digits")["images"]) / 255


def code_of(view, values):
    """The model of a view and the code z that its sliders say, (1, d)."""
    if view == "pad":
        return "mnist-decoder-2", torch.tensor([[values["μ₁"], values["μ₂"]]])
    if view == "bound":
        mean = checkpoints.load("mnist-encoder-64")[0].encode(images()[3:4]).mean[0]
        q_z = checkpoints.load("mnist-encoder-64")[0].encode(images()[3:4])
        kl = kl_divergence(q_z, standard_normal(q_z.mean))[0]
        on = kl.argsort(descending=True)[
            : [0, 1, 2, 4, 6, 8, 10, 12, 14, 18, 24, 64][values["latents on"]]
        ]
        return "mnist-decoder-64-beta-1", torch.zeros(64).index_copy(0, on, mean[on])[None]
    if view == "holes":
        codes = torch.tensor(checkpoints.card("mnist-autoencoder-2")["codes"])[:, :2]
        z = torch.tensor([values["z₁"], values["z₂"]])
        return "mnist-autoencoder-2", (codes.mean(0) + z * codes.std(0, correction=0))[None]
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


@pytest.mark.parametrize(
    "view", [view for view in VIEWS if view not in ("denoise", "diffusion", "symbols")]
)
def test_each_view_shows_what_torch_decodes(open_page, view):
    """Catches a slider of another latent, channels or rows that are mixed up, gamma."""
    dice = {"script": "Math.random = () => 0.5"} if view == "price" else {}
    page = open_page(view, **dice)
    press(page, "r", "2", "Shift+ArrowRight", "9", "ArrowRight", "1", "ArrowLeft")
    model, z = code_of(view, page.evaluate("course.state.values[course.state.view.id]"))
    decoded = checkpoints.load(model)[0].decode(z)
    decoded = (decoded if isinstance(decoded, torch.Tensor) else decoded.mean)[0]
    C, side = (3, 64) if view == "faces" else (1, 28)
    expected = 255 * decoded.reshape(C, side, side).permute(1, 2, 0).numpy()
    assert expected.std() > 10 and (z != 0).any()
    shown = pixels(page)
    for image in (shown[:side, :side], shown[-side:, -side:]):  # of a sheet, two samples
        assert np.abs(image[..., :3] - expected).max() <= 1 and (image[..., 3] == 255).all()


# --- a drawing -----------------------------------------------------------------------------------

SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]


def pen(page, *strokes, scale=1.0, shift=(0.0, 0.0), steps=8):
    """Strokes [(x, y), …] on the paper, in fractions of it."""
    box, (left, top) = page.locator("#drawing").bounding_box(), shift
    for stroke in strokes:
        places = [
            (
                box["x"] + (left + scale * x) * box["width"],
                box["y"] + (top + scale * y) * box["height"],
            )
            for x, y in stroke
        ]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=steps)
        page.mouse.up()
    wait_for_paint(page)


def drawn(page):
    return torch.tensor(page.evaluate("[...course.sheet.image]")).view(28, 28)


def test_a_drawing_is_scaled_and_centred_as_mnist_is(open_page):
    """Catches digits that the encoder has never seen so small, or so far from the middle."""
    page = open_page("pad")
    pen(page, SEVEN)
    x = drawn(page)
    rows, columns = ((x > 0.1).any(i).nonzero() for i in (1, 0))
    height = rows.max() - rows.min() + 1
    assert 20 <= height <= 22 and (columns.max() - columns.min()) < height
    place = torch.arange(28) + 0.5
    assert (x.sum(1) @ place / x.sum()).item() == pytest.approx(14, abs=0.2)
    assert (x.sum(0) @ place / x.sum()).item() == pytest.approx(14, abs=0.2)
    page.locator("#clear").click()
    pen(page, SEVEN, scale=0.4, shift=(0.5, 0.05))
    assert (drawn(page) - x).abs().max() < 0.25  # the same digit, small and in a corner


def test_a_drawn_digit_is_encoded_as_torch_does(open_page):
    """Catches a drawing that the map and the numbers do not follow."""
    page = open_page("pad")
    before = outputs(page), text(page)
    pen(page, SEVEN)
    q_z = checkpoints.load("mnist-encoder-2")[0].encode(drawn(page).view(1, -1))
    values = page.evaluate("course.state.values.pad")
    assert [values["μ₁"], values["μ₂"]] == pytest.approx(q_z.mean[0].tolist(), abs=1e-4)
    assert outputs(page) != before[0] and text(page) != before[1]
    page.locator("#clear").click()
    pen(page, [(0.55, 0.2), (0.5, 0.8)])
    assert "that of a 1." in text(page)
    press(page, "Backspace")
    assert drawn(page).sum() == 0


def numbers(page):
    """Distortion, rate and −ELBO as the page says them."""
    found = re.match(r"Distortion ([\d.]+) \+ rate ([\d.]+) = −ELBO ([\d.]+) nats", text(page))
    return [float(number) for number in found.groups()]


def test_the_nats_of_a_drawing_are_those_of_torch(open_page):
    """Catches a sum over too few pixels, a KL without its logarithm, σ in the place of σ²."""
    page = open_page("pad", address="seen&x=5")
    distortion, rate, total = numbers(page)
    x = images()[5:6]
    (encoder, _), (decoder, _) = map(checkpoints.load, ("mnist-encoder-2", "mnist-decoder-2"))
    q_z = encoder.encode(x)
    assert rate == pytest.approx(
        kl_divergence(q_z, standard_normal(q_z.mean)).sum().item(), abs=0.06
    )
    torch.manual_seed(0)
    expected = -decoder.decode(q_z.sample((4000,))[:, 0]).log_prob(x).sum(1).mean().item()
    assert distortion == pytest.approx(expected, rel=0.03)
    assert total == pytest.approx(distortion + rate, abs=0.11)


def test_an_ellipse_that_is_dragged_away_costs_more(open_page):
    """Catches numbers that stay with the encoder's ellipse, and a reset that does not return."""
    page = open_page("pad", address="seen&x=0")
    start = numbers(page)
    page.locator("#control-0").fill("-2.5")
    wait_for_paint(page)
    moved = numbers(page)
    assert moved[2] > start[2] + 10 and "more than at the encoder's ellipse" in text(page)
    page.locator("#control-0").fill("0")
    page.locator("#control-2").fill("-2.5")  # the narrowest σ₁
    wait_for_paint(page)
    assert numbers(page)[1] > start[1]
    press(page, "Home")
    assert numbers(page) == start


def test_space_draws_samples_of_the_ellipse(open_page):
    """Catches samples of the prior, or of one σ for both latents."""
    page = open_page("pad", address="seen&x=2")
    press(page, "Space")
    found = page.evaluate("""async () => {
        const images = new Set(), frame = () => new Promise(requestAnimationFrame);
        for (let i = 0; i < 60; i++) {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
            await frame();
            images.add(document.querySelector("#image").toDataURL());
        }
        return images.size;
    }""")
    assert found > 55
    assert (pixels(page, "strip")[..., 3] > 0).any()


def test_a_scribble_is_far_from_all_digits(open_page):
    """Catches an alarm that never comes, or comes for test digits."""
    page = open_page("pad")
    for digit in range(10):
        press(page, "d")
        assert "Far from all digits" not in text(page), digit
    scribble = [
        (0.5 + 0.4 * math.cos(7 * t), 0.5 + 0.4 * math.sin(4.3 * t)) for t in np.linspace(0, 6, 40)
    ]
    page.locator("#clear").click()
    pen(page, scribble, steps=1)
    assert "Far from all digits: with 64 latents it costs" in text(page)


def test_latents_that_are_off_cost_nothing(open_page):
    """Catches a bound that does not get worse without latents, and a rate that stays."""
    page = open_page("bound")
    found = re.compile(r"(\d+) on: distortion ([\d.]+) \+ rate ([\d.]+) = −ELBO ([\d.]+)")
    told = []
    for _ in range(12):
        told.append([float(number) for number in found.match(text(page)).groups()])
        press(page, "ArrowLeft")
    on, distortion, rate, total = np.array(told).T
    assert on.tolist() == [64, 24, 18, 14, 12, 10, 8, 6, 4, 2, 1, 0]
    assert (np.diff(rate) <= 0).all() and rate[-1] == 0
    assert distortion[-1] > distortion[0] + 50 and total[-1] > total[0] + 30
    q_z = checkpoints.load("mnist-encoder-64")[0].encode(images()[3:4])
    kl = kl_divergence(q_z, standard_normal(q_z.mean)).sum().item()
    assert rate[0] == pytest.approx(kl, abs=0.06)


def test_the_denoiser_repairs(open_page):
    """Catches a network that leaves the image as it is, and a hole that cannot be moved."""
    page = open_page("denoise")
    errors = [float(number) for number in re.findall(r"[\d.]+\d", text(page))]
    assert errors[1] < errors[0] / 2
    before = pixels(page, "damaged")
    box = page.locator("#damaged").bounding_box()
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    wait_for_paint(page)
    assert (pixels(page, "damaged") != before).any() and outputs(page)[2:] == ["6", "6"]


def test_a_link_opens_where_the_lecturer_stopped(open_page):
    """Catches an address that loses the view, a slider, the drawing, or that it was revealed."""
    page = open_page("bound")
    pen(page, SEVEN, [(0.35, 0.55), (0.65, 0.5)])
    press(page, "ArrowLeft", "ArrowLeft")
    wait_until_told(page)
    assert "x=" in page.url
    left, said, x = page.url, text(page), drawn(page)
    other = page.context.new_page()
    other.goto(left)
    wait_for_paint(other)
    assert said.split(":")[0] == text(other).split(":")[0] == "18 on"
    assert (drawn(other) - x).abs().mean() < 0.01
    assert other.locator("#ask").is_hidden()
    other.close()


@pytest.mark.parametrize("address", ["x=%00", "x=1.2.x", "x=", "μ₁=NaN", "nothing", "=&=", "%"])
def test_a_broken_address_is_no_fault(open_page, address):
    """Catches a link that was cut in an email and stops the page."""
    page = open_page("pad", address=address)
    assert page.locator("#fault").is_hidden()
    assert page.locator("#values").text_content().startswith("Distortion ")


def test_each_view_asks_before_it_shows(open_page):
    """Catches an answer that stands beside its question, and a veil that cannot be lifted."""
    page = open_page(address="")
    for view in VIEWS:
        wait_for_view(page, view)
        assert page.locator("#ask").inner_text().startswith("Predict: "), view
        seen = page.locator("#image").evaluate("c => getComputedStyle(c).filter")
        assert seen.startswith("blur") and page.locator("#values").is_hidden(), view
        press(page, "Enter")
        assert page.locator("#ask").is_hidden() and page.locator("#values").is_visible(), view
        seen = page.locator("#image").evaluate("c => getComputedStyle(c).filter")
        assert seen == "none", view
        press(page, "PageDown")


@pytest.mark.parametrize("view", VIEWS)
def test_keys_show_the_mathematics(open_page, view):
    """Catches a view without its equation, code or link, and a key that does not hide them."""
    page = open_page(view, tidy=True)
    assert page.locator("#equation").is_hidden() and page.locator("#code").is_hidden()
    press(page, "e", "c")
    assert len(page.locator("#equation").inner_text()) > 10
    assert page.locator("#code pre").inner_text().strip()
    assert page.locator("#code a").get_attribute("href").endswith(".ipynb")
    press(page, "e", "c")
    assert page.locator("#equation").is_hidden() and page.locator("#code").is_hidden()


# --- keys, pointer, animation --------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_arrow_keys_walk(open_page, view):
    """Catches keys that move nothing, or a text and numbers that stay behind the picture."""
    page = open_page(view, tidy=True)
    start = text(page), outputs(page), pixels(page)
    press(page, "ArrowLeft")
    moved = text(page), outputs(page), pixels(page)
    assert moved[0] != start[0] and moved[1] != start[1] and (moved[2] != start[2]).any()
    press(page, "ArrowRight")
    assert (text(page), outputs(page)) == start[:2] and (pixels(page) == start[2]).all()


def test_arrows_go_both_ways_on_the_map(open_page):
    """Catches a map on which up is down, or only one number can be walked."""
    page = open_page("holes")
    press(page, "ArrowUp", "ArrowUp", "ArrowRight")
    assert outputs(page) == ["0.1", "0.2"]
    press(page, "Shift+ArrowDown")
    assert outputs(page) == ["0.1", "−0.3"]
    assert text(page).startswith("z₁ = 0.1, z₂ = −0.3. The nearest code is ")


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
    assert outputs(page)[:2] == ["1.5", "1.5"]
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.5)
    wait_for_paint(page)
    page.mouse.up()
    assert outputs(page)[:2] == ["−1.5", "0.0"]
    page.locator("#control-0").fill("2.2")
    wait_for_paint(page)
    assert outputs(page)[:2] == ["2.2", "0.0"]


# What a page shows and what it tells a reader, frame by frame, for twice the time after which it
# tells what has not moved; a slow machine has more time to show three texts.
WATCHED = """async () => {
    const seen = new Set(), spoken = new Set(), start = performance.now();
    const past = () => performance.now() - start;
    while (past() < 600 || (seen.size < 3 && past() < 5000)) {
        await new Promise(requestAnimationFrame);
        seen.add(document.querySelector("#values").textContent);
        spoken.add(document.querySelector("#spoken").textContent);
    }
    return [[...seen], [...spoken]];
}"""


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "pad"])
def test_space_animates_and_stops(open_page, view):
    """Catches an animation that does not move, does not end, or tells a reader every frame."""
    page = open_page(view, tidy=True)
    wait_until_told(page)
    said = page.locator("#spoken").inner_text()
    press(page, "Space")
    assert page.locator("#play").get_attribute("aria-pressed") == "true"
    seen, spoken = page.evaluate(WATCHED)
    assert len(seen) > 2 and spoken == [said]
    press(page, "Space")
    still = text(page)
    page.wait_for_timeout(300)
    wait_until_told(page)
    assert text(page) == still == page.locator("#spoken").inner_text()
    assert still in page.locator("#image").get_attribute("aria-label")
    press(page, "Home")


def test_nothing_moves_by_itself_where_that_is_not_wanted(open_page):
    """Catches an animation for people who asked their system for none."""
    page = open_page("latents", reduced_motion="reduce")
    press(page, "Space")
    first = text(page)
    page.wait_for_timeout(300)
    assert text(page) == first != "All latents are 0."
    assert page.locator("#play").get_attribute("aria-pressed") == "false"


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
    assert page.locator("h1").inner_text().startswith("The same point")
    press(page, "PageUp")
    assert outputs(page)[1] == "0.1"
    page.wait_for_function("location.hash.startsWith('#latents')")


def test_a_page_within_a_page_stays_itself(open_page, file, tmp_path):
    """Catches a page that its host replaces at the first address: platforms embed by srcdoc."""
    host, inner = tmp_path / "host.html", html.escape(file.read_text("utf-8"))
    frame = f'<iframe width=1200 height=700 srcdoc="{inner}"></iframe>'
    host.write_text(f"<meta charset=utf-8><h1>Host</h1>{frame}", encoding="utf-8")
    page = open_page()
    page.goto(host.as_uri())
    frame = page.frames[1]
    frame.locator("#reveal").click()
    frame.wait_for_function("location.hash.includes('seen')")  # the address is written
    assert frame.evaluate("location.href").startswith("about:srcdoc#pad&seen")
    assert frame.locator("#values").inner_text().startswith("Distortion ")


def test_a_second_finger_moves_nothing(open_page):
    """Catches a mark that jumps to another finger, and sliders that scroll the page."""
    page = open_page("holes")
    page.evaluate("""() => {
        const canvas = document.querySelector("#aeMap"), box = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};
        const at = (type, pointerId, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId, isPrimary: pointerId === 1, buttons: 1, bubbles: true,
            clientX: box.left + x * box.width, clientY: box.top + y * box.height,
        }));
        at("pointerdown", 1, 0.75, 0.25);
        at("pointerdown", 2, 0.25, 0.75);
        at("pointermove", 2, 0.3, 0.75);
    }""")
    wait_for_paint(page)
    assert outputs(page) == ["1.5", "1.5"]
    action = page.locator("#control-0").evaluate("c => getComputedStyle(c).touchAction")
    assert action == "none"
