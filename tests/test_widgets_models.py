"""The widgets of notebooks 02 and 03: real controls are set, and the pictures read back."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from widget_examples import (
    EVIDENCE,
    KL,
    POSTERIOR,
    X,
    decode,
    decoded,
    elbo,
    encode,
    fade,
    halve,
    make_bound,
)
from widget_pictures import centre, coloured, image_in, opened, shown, unscaled

from course_lib import plots, widgets
from course_lib.errors import CourseError
from course_lib.exact import LinearGaussian
from course_lib.widgets import bound_charts, image_rows, pictures

# --- corruption -------------------------------------------------------------------------------


def corrupted_rows(panel, count=6):
    rows = (["original", "corrupted", "half"], (count, 28, 28))
    return [
        [image_in(panel, "images", rows, (r, c))[..., 0] for c in range(count)] for r in (0, 1, 2)
    ]


def test_corruption_shows_what_the_functions_make_of_the_images():
    """Catches rows swapped or stale, another kind, level or noise, and restoring the originals."""
    panel = widgets.corruption(X, fade, {"half": halve}, seed=3)
    for kind, level in [("gaussian", 0.4), ("gaussian", 0.75), ("mask", 0.75), ("mask", 0.0)]:
        panel.controls["kind"].value = kind
        panel.controls["level"].value = level
        damaged = fade(X, kind, level, torch.Generator().manual_seed(3))
        for row, expected in zip(corrupted_rows(panel), [X, damaged, damaged / 2], strict=True):
            assert (np.stack(row) == plots.to_uint8(expected[:, 0])).all()
        errors = [((x - X) ** 2).sum() / 6 for x in (damaged, damaged / 2)]
        told = f"{kind}, level {level:.2f}: squared error per image corrupted {errors[0]:.1f}"
        assert f"{told}, half {errors[1]:.1f}." in panel.text.value


def test_corruption_may_write_into_what_it_is_given():
    """Catches originals that a careless function spoils for every later picture."""

    def in_place(x, kind, level, generator):
        return x.mul_(1 - level)

    before = X.clone()
    panel = widgets.corruption(X, in_place, {"half": lambda x: x.zero_()}, start=("mask", 1))
    assert not np.any(corrupted_rows(panel)[1])
    panel.controls["level"].value = 0.0
    rows = corrupted_rows(panel)
    assert torch.equal(X, before) and (np.stack(rows[0]) == plots.to_uint8(before[:, 0])).all()
    assert (rows[0][2] == rows[1][2]).all()
    assert "corrupted 0.0" in panel.text.value


def test_corruption_takes_colour_and_bytes():
    """Catches channels in the wrong place, and bytes that reach the student's function."""
    images = torch.zeros(2, 3, 8, 6, dtype=torch.uint8)
    images[:, 0, 0], images[1, 2, :, 5] = 255, 255
    panel = widgets.corruption(
        images,
        lambda x, kind, level, g: 1 - x,
        {},
        kinds=["flip"],
        start=("flip", 1),
        shape=(3, 8, 6),
    )
    rows = (["original", "corrupted"], (2, 8, 6))
    for i in range(2):
        x = images[i].permute(1, 2, 0).numpy()
        assert (image_in(panel, "images", rows, (0, i)) == x).all()
        assert (image_in(panel, "images", rows, (1, i)) == 255 - x).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": torch.zeros(2, 783)},
        {"images": None},
        {"images": torch.zeros(0, 784)},
        {"images": torch.full((2, 784), torch.nan)},
        {"corrupt": lambda x, kind, level, g: x[:1]},
        {"restore": {"half": lambda x: x[:, :, 1:]}},
        {"restore": {"corrupted": halve}},
        {"restore": halve},
        {"restore": {"half": None}},
        {"start": ("blur", 0.5)},
        {"start": ("mask", 1.5)},
        {"start": ("mask", "all")},
        {"start": "mask"},
        {"kinds": ()},
    ],
)
def test_corruption_refuses_arguments_that_do_not_fit(wrong):
    """Catches somebody else's error from deep inside, or a picture of nothing."""
    given = {"images": X, "corrupt": fade, "restore": {"half": halve}, **wrong}
    first = [given.pop(name) for name in ("images", "corrupt", "restore")]
    with pytest.raises(CourseError) as error:
        widgets.corruption(*first, **given)
    assert "\n" not in str(error.value)


# --- interpolation ----------------------------------------------------------------------------

STRIP = (["in pixels", "in the code"], (7, 28, 28))


def test_interpolation_mixes_pixels_and_codes_at_t():
    """Catches t counted from the other end, a mix of the wrong pair, and rows that are swapped."""
    panel = widgets.interpolation(X, encode, decoded)
    for pair, t in [(0, 0.5), (0, 0.05), (2, 0.05), (2, 1.0)]:
        panel.controls["pair"].value = pair
        panel.controls["t"].value = t
        a, b = X[2 * pair], X[2 * pair + 1]
        mixes = {
            "in pixels": (1 - t) * a + t * b,
            "in the code": ((1 - t) * a**2 + t * b**2) ** 0.5,
        }
        for name, mix in mixes.items():
            image = unscaled(shown(panel, name), 4)[..., 0]
            assert abs(image.astype(int) - plots.to_uint8(mix[0]).astype(int)).max() <= 1
        near = [min(((m - end) ** 2).sum() for end in (a, b)) for m in mixes.values()]
        assert f"t = {t:.2f}, pair {pair + 1} of 3" in panel.text.value
        assert f"in pixels {near[0]:.1f}, in the code {near[1]:.1f}." in panel.text.value


def test_strip_runs_from_the_first_image_to_the_second():
    """Catches a strip that stays with the first pair, runs backwards or swaps its rows."""
    panel = widgets.interpolation(X, encode, decoded, pairs=[(0, 1), (5, 2)])
    panel.controls["pair"].value = 1
    for step, t in enumerate(np.linspace(0, 1, 7)):
        pixels = (1 - t) * X[5, 0] + t * X[2, 0]
        code = ((1 - t) * X[5, 0] ** 2 + t * X[2, 0] ** 2) ** 0.5
        for row, expected in enumerate([pixels, code]):
            found = image_in(panel, "from start to end", STRIP, (row, step))[..., 0].astype(int)
            assert abs(found - plots.to_uint8(expected).astype(int)).max() <= 1


def test_mark_of_the_strip_stands_below_its_step():
    """Catches a mark that stands still, or runs past the ends."""
    panel = widgets.interpolation(X, encode, decoded)
    cells = image_rows.layout(
        *[STRIP[0], np.zeros(STRIP[1])], width=panel.widths["from start to end"]
    )
    for t, step in [(0.0, 0), (0.5, 3), (1.0, 6), (1 / 6, 1)]:
        panel.controls["t"].value = t
        picture = shown(panel, "from start to end")
        top = cells.corner(2, 0)[1]
        left, right = cells.margin, picture.shape[1]
        _, column = centre(picture[top : top + 14, left:right].max(-1) < 50)
        middle = cells.corner(0, step)[0] + cells.size[0] / 2
        assert column + left + 0.5 == pytest.approx(middle, abs=1)


def test_interpolation_encodes_a_pair_once_and_in_eval_mode():
    """Catches dropout in the code, gradients, and an encoder that runs at each step of t."""
    seen = []

    class Model(nn.Module):
        def encode(self, x):
            seen.append((self.training, len(x)))
            return x.flatten(1)

        def decode(self, z):
            assert not self.training and not torch.is_grad_enabled()
            return z

    model = Model()
    panel = widgets.interpolation(X, model.encode, model.decode)
    panel.controls["t"].value = 0.3
    panel.controls["pair"].value = 1
    panel.controls["pair"].value = 0
    assert seen == [(False, 2), (False, 2)] and model.training


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": X[:1]},
        {"images": X[:, :, 1:]},
        {"encode": lambda x: torch.distributions.Normal(x, 1)},
        {"encode": lambda x: x[:1]},
        {"decode": lambda z: z[:, 1:]},
        {"pairs": []},
        {"pairs": [(0, 6)]},
        {"pairs": [(0, -1)]},
        {"pairs": [(0, 1, 2)]},
        {"pairs": 3},
    ],
)
def test_interpolation_refuses_arguments_that_do_not_fit(wrong):
    """Catches an encoder that returns a distribution, and pairs that are none."""
    given = {"images": X, "encode": encode, "decode": decoded, **wrong}
    first = [given.pop(name) for name in ("images", "encode", "decode")]
    with pytest.raises(CourseError) as error:
        widgets.interpolation(*first, **given)
    assert "\n" not in str(error.value)


# --- bound ------------------------------------------------------------------------------------

DENSITIES, BARS = "densities of z", "log p(x) = ELBO + KL(q ‖ p(z|x))"
TINT = bound_charts.TINT


def test_bound_on_the_exact_model_tells_evidence_elbo_and_gap():
    """Catches σ handed over as variance or log σ, arguments swapped, and a gap of another sign."""
    model = LinearGaussian(torch.tensor([[1.5]]).double(), torch.zeros(1).double(), 0.7)
    x = torch.tensor([[1.1]]).double()
    mean, cov = model.posterior(x)
    shapes = []

    def exact(mu, log_var):
        shapes.append((mu.shape, log_var.shape, mu.dtype, log_var.dtype))
        return model.elbo(x, mu, log_var.exp())

    evidence, place = model.log_evidence(x).item(), (mean.item(), cov.item() ** 0.5)
    panel = widgets.bound(exact, log_evidence=evidence, posterior=place)
    for mu, sigma in [(-1.0, 0.5), (0.6, 1.5)]:
        panel.set({"μ": mu, "σ": sigma})
        kl = bound_charts.kl_normal((mu, sigma), place)
        told = f"log p(x) = {evidence:.2f}, ELBO = {evidence - kl:.2f}, gap = {kl:.2f} nats."
        assert f"μ = {mu:.2f}, σ = {sigma:.2f}: {told}".replace("-", "−") in panel.text.value
    assert set(shapes) == {((1, 1), (1, 1), torch.float64, torch.float64)}


def heights(panel):
    """Rows in which the line of the ELBO and the hatched gap begin and end."""
    picture = shown(panel, BARS)
    green, orange = (coloured(picture, c) for c in (plots.GREEN, plots.ORANGE))
    rows = [np.nonzero(mask[:, mask.any(0)].any(1))[0] for mask in (green, orange)]
    return [(found[0], found[-1]) if len(found) else None for found in rows]


def test_lines_lie_where_elbo_and_evidence_are():
    """Catches lines on another scale, that lag behind, or a gap that is not between the two."""
    panel, tops, elbos = make_bound(), [], []
    for mu, sigma in [(0.0, 1.0), (0.6, 0.5), (1.0, 0.8)]:
        panel.set({"μ": mu, "σ": sigma})
        elbos.append(EVIDENCE - bound_charts.kl_normal((mu, sigma), POSTERIOR))
        (top, bottom), (line, end) = heights(panel)
        tops.append(top)
        assert abs(end - top) <= 2 and line < top < bottom
    scale = (tops[1] - tops[0]) / (elbos[1] - elbos[0])
    assert tops[2] - tops[0] == pytest.approx(scale * (elbos[2] - elbos[0]), abs=2)
    assert line - tops[0] == pytest.approx(scale * (EVIDENCE - elbos[0]), abs=3) and scale < 0


def test_an_elbo_off_the_axis_is_told_as_it_is(monkeypatch):
    """Catches a clipped number, a bar that is left standing, and no sign of the axis' end."""
    labels = []
    write = bound_charts.write
    monkeypatch.setattr(
        bound_charts, "write", lambda p, place, text: labels.append(text) or write(p, place, text)
    )
    panel = make_bound()
    panel.set({"μ": -3.0, "σ": 0.1})
    kl = bound_charts.kl_normal((-3.0, 0.1), POSTERIOR)
    assert labels[-2:] == [f"gap = {kl:.2f}", f"ELBO = −{kl - EVIDENCE:.2f} ↓"]
    assert f"ELBO = −{kl - EVIDENCE:.2f}, gap = {kl:.2f} nats" in panel.text.value
    green, _ = heights(panel)
    assert green is None or green[1] - green[0] <= 2
    panel.set({"μ": 1.2, "σ": 0.45})
    assert labels[-1] == "ELBO = −2.10" and labels[-2] == "gap = 0.00"


def test_q_is_the_area_where_the_sliders_put_it():
    """Catches a density that stands still, is as wide as σ² or has an area other than one."""
    panel, areas = make_bound(), []
    middles = {}
    for mu, sigma in [(-2.0, 0.5), (0.0, 0.5), (2.0, 0.5), (0.0, 1.0)]:
        panel.set({"μ": mu, "σ": sigma})
        under = coloured(shown(panel, DENSITIES), TINT)[60:]  # the legend has a patch too
        areas.append(under.sum())
        middles[mu, sigma] = centre(under)[1]
        width = np.nonzero(under.any(0))[0]
        assert np.ptp(width) > 0
    unit = (middles[2.0, 0.5] - middles[-2.0, 0.5]) / 4
    assert unit > 45 and middles[0.0, 1.0] == pytest.approx(middles[0.0, 0.5], abs=6)
    assert np.array(areas) / areas[0] == pytest.approx(1, abs=0.12)  # lines cover a little


def test_prior_and_posterior_stay_on_top_of_q():
    """Catches a q that hides the curve it has reached, just when they agree."""
    panel = make_bound()
    panel.set({"μ": -2.0, "σ": 0.2})
    blue = coloured(shown(panel, DENSITIES), plots.BLUE)
    panel.buttons["exact posterior"].click()
    on_top = shown(panel, DENSITIES)[blue]
    assert (on_top[:, 2] > on_top[:, 0] + 40).mean() > 0.95


def test_buttons_of_the_bound():
    """Catches a button that leads elsewhere, or off the sliders' stops."""
    panel = widgets.bound(elbo, log_evidence=0, posterior=(1.234, 0.467), start=(-1, 0.5))
    panel.buttons["exact posterior"].click()
    assert panel.values == pytest.approx({"μ": 1.25, "σ": 0.45})
    panel.buttons["reset"].click()
    assert panel.values == pytest.approx({"μ": -1, "σ": 0.5}) and panel.error is None


def test_an_elbo_above_the_evidence_is_called_wrong():
    """Catches a broken ELBO that passes as a tight bound; rounding is no such thing."""
    panel = make_bound(lambda mu, log_var: elbo(mu, log_var) + (mu[0] > 1) * 9)
    assert "no lower bound" not in panel.text.value
    panel.buttons["exact posterior"].click()
    assert "gap = −9.00 nats" in panel.text.value and "no lower bound" in panel.text.value
    panel = make_bound(lambda mu, log_var: torch.tensor([EVIDENCE + 1e-9]))
    assert "gap = 0.00" in panel.text.value and "no lower bound" not in panel.text.value


@pytest.mark.parametrize(
    "wrong",
    [
        {"posterior": (0, 0)},
        {"posterior": (0, 1, 2)},
        {"start": (0, -1)},
        {"start": 0},
        {"mu_range": (1, 1)},
        {"sigma_range": (0, 2)},
        {"sigma_range": (1, torch.inf)},
        {"log_evidence": torch.zeros(2)},
        {"log_evidence": None},
        {"log_evidence": -torch.inf},
        {"elbo": lambda mu, log_var: torch.zeros(2)},
        {"elbo": lambda mu, log_var: mu * torch.nan},
        {"elbo": lambda mu, log_var: None},
    ],
)
def test_bound_refuses_arguments_that_do_not_fit(wrong):
    """Catches a standard deviation of 0, an ELBO per sample, and numbers that are none."""
    given = {"elbo": elbo, "log_evidence": EVIDENCE, "posterior": POSTERIOR, **wrong}
    with pytest.raises(CourseError) as error:
        widgets.bound(given.pop("elbo"), **given)
    assert "\n" not in str(error.value)


# --- latents ----------------------------------------------------------------------------------


def test_latents_stand_in_the_order_of_their_kl():
    """Catches the least informative latents first, and labels of another latent or KL."""
    panel = widgets.latents(decode, KL, shown=3)
    assert list(panel.controls) == ["z₂", "z₄", "z₅"]
    labels = [control.description for control in panel.controls.values()]
    assert labels == ["z₂ · 2.5 nats", "z₄ · 1.5 nats", "z₅ · 0.4 nats"]
    assert {(c.min, c.max, c.step, c.value) for c in panel.controls.values()} == {(-3, 3, 0.1, 0)}
    many = widgets.latents(decode, torch.arange(64.0), shown=70)
    assert len(many.controls) == 63 and next(iter(many.controls)) == "z₆₄"


def test_dead_latents_have_no_sliders():
    """Catches sliders that change nothing, and a panel without any where all latents are dead."""
    panel = widgets.latents(decode, torch.tensor([0.009, 2.0, 0.0, 0.011, 0.001]), shown=4)
    assert list(panel.controls) == ["z₂", "z₄"]
    assert len(widgets.latents(decode, torch.zeros(5)).controls) == 1


def test_latents_show_what_is_decoded_from_the_sliders():
    """Catches a slider that moves another latent, and others that are not 0."""
    panel = widgets.latents(decode, KL, shown=3)
    assert panel.frame.text == "All latents are 0."
    panel.controls["z₄"].value = -1.5
    panel.controls["z₂"].value = 0.3
    image = unscaled(shown(panel, "decode(z)"), 12)[..., 0]
    z = torch.tensor([[0, 0.3, 0, -1.5, 0]])
    assert (image == plots.to_uint8(decode(z).reshape(28, 28))).all()
    assert "z₂ = 0.3, z₄ = −1.5; the others are 0." in panel.text.value


def test_marks_stand_above_the_bars_of_latents_that_moved():
    """Catches a mark that stays, or stands above another bar."""
    panel = widgets.latents(decode, KL, shown=3)
    places = {}
    for name in panel.controls:
        panel.set(dict.fromkeys(panel.controls, 0.0) | {name: 1.0})
        mark = coloured(shown(panel, "KL per latent"), plots.VERMILION)[:, :360]  # no legend there
        places[name] = centre(mark)
    rows, columns = zip(*places.values(), strict=True)
    assert rows[0] + 50 < rows[1] and rows[1] + 50 < rows[2]  # lower bars, further down
    assert columns[1] - columns[0] == pytest.approx(columns[2] - columns[1], abs=2)
    blue = coloured(shown(panel, "KL per latent"), plots.BLUE)[:, :360].sum(0)
    tallest = np.nonzero(blue > 0.9 * blue.max())[0]
    assert tallest.mean() == pytest.approx(columns[0], abs=2)


def test_random_and_reset_move_all_sliders_and_draw_once():
    """Catches a latent left behind, places that differ from run to run, and values off the end."""
    runs, calls = [], []
    for _ in range(2):
        panel = widgets.latents(lambda z: calls.append(z) or decode(z), KL, limit=1.0, seed=5)
        calls.clear()
        places = []
        for _ in range(30):
            panel.buttons["random"].click()
            places.append(list(panel.values.values()))
        runs.append(places)
        assert len(calls) == 30
        panel.buttons["reset"].click()
        assert panel.frame.text == "All latents are 0." and panel.error is None
    places = np.array(runs[0])
    assert runs[0] == runs[1] and places.std(0).min() > 0.3
    assert abs(places).max() == 1 and places * 10 == pytest.approx(np.rint(places * 10), abs=1e-4)


def test_interpolate_walks_to_a_new_place_in_ten_steps():
    """Catches steps of different lengths, a walk that never arrives and one that ends there."""
    panel = widgets.latents(decode, KL, seed=1)
    walked = [list(panel.values.values())]
    for _ in range(20):
        panel.buttons["interpolate"].click()
        walked.append(list(panel.values.values()))
    walked = np.array(walked)
    for start in (0, 10):
        way = walked[start + 10] - walked[start]
        assert abs(way).max() > 0.5
        line = walked[start] + np.linspace(0, 1, 11)[:, None] * way
        assert walked[start : start + 11] == pytest.approx(line, abs=0.051)  # the nearest stops
    panel.buttons["reset"].click()
    panel.buttons["interpolate"].click()
    assert abs(np.array(list(panel.values.values()))).max() < 0.5  # from where the sliders are


def test_latents_of_sprites_walk_from_the_code_of_an_image():
    """Catches a base that only its sliders know, a reset to 0, and images of another size."""

    def decode_sprite(z):
        return torch.nn.functional.pad(torch.sigmoid(z), (0, 1014)).reshape(1, 1, 32, 32)

    base = torch.tensor([0.52, 0, -1, 7.0, 0.3, 0, 0, 0, 0, -2.5])
    kl = torch.tensor([0.1, 2.5, 0, 1.5, 0.4, 1, 0, 0, 0, 3])
    panel = widgets.latents(decode_sprite, kl, shape=(1, 32, 32), shown=5, base=base)
    assert list(panel.controls) == ["z₁₀", "z₂", "z₄", "z₆", "z₅"]
    at_base = base.clone()
    at_base[3] = 3.0  # the slider's end
    for _ in range(2):
        image = unscaled(shown(panel, "decode(z)"), 10)[..., 0]
        assert (image == plots.to_uint8(decode_sprite(at_base[None])[0, 0])).all()
        assert panel.frame.text == "All latents are as at the start."
        panel.controls["z₅"].value = -0.4
        assert panel.frame.text == "z₅ = −0.4; the others are as at the start."
        panel.buttons["reset"].click()
    assert panel.values == pytest.approx({"z₁₀": -2.5, "z₂": 0, "z₄": 3, "z₆": 0, "z₅": 0.3})


def test_limit_keeps_zero_at_a_stop():
    """Catches a limit on which no arrow key leads back to 0."""
    panel = widgets.latents(decode, KL, limit=2.55)
    low = panel.controls["z₂"].min
    assert low / 0.1 == pytest.approx(round(low / 0.1)) and abs(low) == pytest.approx(
        2.55, abs=0.06
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kl": torch.zeros(3, 5)},
        {"kl": torch.full((5,), torch.nan)},
        {"kl": []},
        {"kl": 2.0},
        {"kl": "kl"},
        {"shown": 0},
        {"shown": 2.5},
        {"limit": 0},
        {"limit": "far"},
        {"base": torch.zeros(4)},
        {"base": torch.full((5,), torch.nan)},
        {"decode": lambda z: z},
        {"decode": lambda z: torch.distributions.Normal(z, 1)},
    ],
)
def test_latents_refuse_arguments_that_do_not_fit(wrong):
    """Catches a KL per image instead of per latent, and decoders that return no image."""
    given = {"decode": decode, "kl": KL, **wrong}
    with pytest.raises(CourseError) as error:
        widgets.latents(given.pop("decode"), given.pop("kl"), **given)
    assert "\n" not in str(error.value)


# --- pictures ---------------------------------------------------------------------------------


def test_a_picture_that_stays_is_not_encoded_again(monkeypatch):
    """Catches bars or a map that are encoded at each step of a slider, though marks alone move."""
    panel, encoded, encode_one = widgets.latents(decode, KL), [], pictures.encode
    panel.controls["z₂"].value = 1.0
    monkeypatch.setattr(pictures, "encode", lambda p: encoded.append(p.mode) or encode_one(p))
    panel.controls["z₂"].value = 1.1
    assert encoded == ["L"]
    before = panel.marks["KL per latent"].value
    panel.controls["z₄"].value = 1.0
    assert encoded == ["L", "L"]
    assert panel.marks["KL per latent"].value.count("<polygon") == before.count("<polygon") + 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_encoding_loses_nothing(mode):
    """Catches greys that are off by the palette they are written with."""
    picture = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert(mode)
    assert (opened(pictures.encode(picture)) == np.asarray(picture.convert("RGB"))).all()
    assert picture.mode == mode  # the panel's own picture is left as it is


@pytest.mark.parametrize("scale", [1, 5])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (64, 64)])
def test_colour_is_encoded_without_loss(size, scale):
    """Catches a filter that is undone otherwise: rows like the one above, edges, the first row."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    image[size[0] // 2 :] = image[size[0] // 2]
    picture = Image.fromarray(image.repeat(scale, 0).repeat(scale, 1))
    assert (opened(pictures.encode(picture)) == np.asarray(picture)).all()
