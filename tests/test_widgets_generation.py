"""The widgets of notebooks 04 and 05: real controls are set, and the pictures read back."""

import numpy as np
import pytest
import torch
from widget_examples import (
    FACES,
    POINTS,
    VECTORS,
    X,
    Z,
    bend,
    decode_class,
    decode_face,
    decode_weaker,
    encode_face,
    fill,
    make_attributes,
    make_family,
    make_samples,
    weaker,
)
from widget_pictures import centre, coloured, image_in, shown, unscaled

from course_lib import plots, widgets
from course_lib.errors import CourseError


def pixels(batch):
    """What must be shown of images (N, C, H, W) or (N, 784): (N, H, W, 3) bytes."""
    batch = batch.reshape(-1, 1, 28, 28) if batch.ndim == 2 else batch
    return np.moveaxis(plots.to_uint8(batch.expand(-1, 3, -1, -1)), 1, -1)


def one_line(error):
    return "\n" not in str(error.value)


# --- beta_family ------------------------------------------------------------------------------

PLANE, IMAGES = "rate and distortion", "images"
FULL_RUNS = {0.5: (28.0, 66.0), 2: (9.0, 80.0), 4: (5.0, 120.0)}


def test_family_shows_each_models_images_and_samples():
    """Catches models in another order, samples of another z, rows swapped, and calls repeated."""
    calls = []

    def reconstruct(x, beta):
        calls.append(beta)
        return weaker(x, beta)

    panel = make_family(reconstruct)
    assert [value for _, value in panel.controls["β"].options] == [0.5, 1, 2]
    assert panel.values == {"β": 1}
    for beta in (0.5, 2, 1, 0.5):
        panel.controls["β"].value = beta
        for row, batch in enumerate([X, weaker(X, beta), decode_weaker(Z, beta)]):
            rows = (["image", "decoded", "sample"], (6, 28, 28))
            for i, expected in enumerate(pixels(batch)):
                assert (image_in(panel, IMAGES, rows, (row, i)) == expected).all()
    assert calls == [1, 0.5, 2]


def test_family_may_write_into_what_it_is_given():
    """Catches originals and codes that a careless function spoils for the next model."""
    before = X.clone(), Z.clone()
    panel = make_family(lambda x, beta: x.mul_(0), lambda z, beta: decode_weaker(z.mul_(0), beta))
    panel.controls["β"].value = 2
    rows = (["image", "decoded", "sample"], (6, 28, 28))
    assert torch.equal(X, before[0]) and torch.equal(Z, before[1])
    assert (image_in(panel, IMAGES, rows, (0, 3)) == pixels(before[0])[3]).all()


def test_family_in_colour_with_more_samples_than_images():
    """Catches a sheet that has room for the images only, or that loses the channels."""
    panel = widgets.beta_family(
        FACES[:2], weaker, lambda z, beta: decode_face(z), POINTS, z=Z[:, :3], shape=(3, 8, 8)
    )
    rows = (["image", "decoded", "sample"], (6, 8, 8))
    for row, batch in enumerate([FACES[:2], FACES[:2] / 2, decode_face(Z[:, :3])]):
        for i, expected in enumerate(pixels(batch)):
            assert (image_in(panel, IMAGES, rows, (row, i)) == expected).all()


def test_family_tells_the_numbers_of_the_model():
    """Catches rate and distortion swapped, of another β, and a full run that is none."""
    panel = make_family(full_runs=FULL_RUNS)
    assert panel.frame.text == "β = 1: rate 20.0, distortion 75.5, −ELBO 95.5 nats per image."
    panel.controls["β"].value = 0.5
    told = "β = 0.5: rate 30.0, distortion 70.0, −ELBO 100.0 nats per image"
    assert panel.frame.text == f"{told}; full run: 28.0, 66.0, 94.0."


def of_each_beta(panel, mask):
    """β to what the mask holds in its picture and in no other's."""
    found = {}
    for _, beta in panel.controls["β"].options:
        panel.controls["β"].value = beta
        found[beta] = mask(shown(panel, PLANE))
    often = sum(here.astype(int) for here in found.values()) > 1
    return {beta: here & ~often for beta, here in found.items()}


@pytest.mark.parametrize("run", ["ours", "full"])
def test_ring_of_the_family_stands_at_its_rate_and_distortion(run):
    """Catches a mark that stands still, lags behind, or has its axes swapped or turned round."""
    colour, points = {"ours": (plots.BLUE, POINTS), "full": (plots.ORANGE, FULL_RUNS)}[run]
    panel = make_family(full_runs=FULL_RUNS)
    rings = of_each_beta(panel, lambda picture: coloured(picture, colour))
    places = {beta: centre(ring) for beta, ring in rings.items() if ring.sum() > 100}
    assert set(places) == {0.5, 1, 2} & set(points)
    found = np.array([places[beta][::-1] for beta in places])
    rd = np.array([[float(v) for v in points[beta]] for beta in places])
    scale = np.diff(found[[0, -1]], axis=0) / np.diff(rd[[0, -1]], axis=0)
    assert scale[0, 0] > 0 > scale[0, 1]  # rate to the right, distortion upwards
    assert np.diff(found, axis=0) == pytest.approx(np.diff(rd, axis=0) * scale, abs=5)


def test_line_of_the_family_has_the_slope_of_beta():
    """Catches a line of slope 1/β or of one β for all: what a nat of rate is worth."""
    panel, slopes = make_family(), {}
    black = of_each_beta(panel, lambda picture: (picture < 40).all(-1))
    for beta, line in black.items():
        rows, columns = np.nonzero(line)
        slopes[beta], _ = np.polyfit(columns, rows, 1)
    assert slopes[1] / slopes[0.5] == pytest.approx(2, rel=0.1)
    assert slopes[2] / slopes[1] == pytest.approx(2, rel=0.1) and slopes[1] > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": X[:, :, 1:]},
        {"reconstruct": lambda x, beta: x[:1]},
        {"reconstruct": lambda x, beta: torch.distributions.Normal(x, 1)},
        {"decode": lambda z, beta: z},
        {"points": {}},
        {"points": [(1, 2)]},
        {"points": {1: 2}},
        {"points": {1: (2, 3, 4)}},
        {"points": {1: (2, torch.nan)}},
        {"points": {-1: (2, 3)}},
        {"points": {"one": (2, 3)}},
        {"full_runs": {1: (2, torch.zeros(2))}},
        {"start": 3},
        {"z": torch.zeros(5)},
        {"z": None},
    ],
)
def test_family_refuses_arguments_that_do_not_fit(wrong):
    """Catches a point per image, a β without a model, codes of one image only."""
    given = {"images": X, "reconstruct": weaker, "decode": decode_weaker, "points": POINTS, "z": Z}
    given |= wrong
    first = [given.pop(name) for name in ("images", "reconstruct", "decode", "points")]
    with pytest.raises(CourseError) as error:
        widgets.beta_family(*first, **given)
    assert one_line(error)


# --- water_filling ----------------------------------------------------------------------------

LEVELS, KL = "eigenvalues λ and water level βσ²", "KL per latent"
LAMBDAS = torch.tensor([0.25, 4.0, 1.0], requires_grad=True)


def test_water_hands_over_sorted_eigenvalues_and_tells_what_lives():
    """Catches β for βσ², unsorted eigenvalues, and a count or a rate of its own making."""
    seen = []

    def kl(eigenvalues, beta_sigma2):
        seen.append((eigenvalues.tolist(), eigenvalues.dtype, type(beta_sigma2)))
        return 10 * fill(eigenvalues, beta_sigma2)

    panel = widgets.water_filling(kl, LAMBDAS, start=0.49)
    assert panel.values == {"βσ²": 0.5}
    told = "2 of 3 latents live, rate 13.86 nats, largest KL 10.40 nats."
    assert panel.frame.text == f"βσ² = 0.5: {told}"
    assert set(map(str, seen)) == {str(([4.0, 1.0, 0.25], torch.float64, float))}


def test_slider_of_the_water_runs_from_all_alive_to_none():
    """Catches levels that end before the last latent dies, or steps that are not even in log."""
    for eigenvalues in (LAMBDAS, [3.0], [2.0, 2.0], [0.5, 40, 1e-3]):
        panel = widgets.water_filling(fill, eigenvalues)
        control, count = panel.controls["βσ²"], len(eigenvalues)
        levels = [level for _, level in control.options]
        assert np.diff(np.log10(levels)) == pytest.approx(0.1, abs=0.02)
        control.index = 0
        assert f" {count} of {count} latents" in panel.frame.text
        control.index = len(levels) - 1
        assert f" 0 of {count} latents live, rate 0.00" in panel.frame.text
    near = widgets.water_filling(fill, LAMBDAS, start=0.2245)
    assert near.values == {"βσ²": 0.25}  # in the logarithm nearer than 0.2
    tiny = widgets.water_filling(fill, [1.0, 1e-14]).controls["βσ²"]
    assert len(tiny.options) < 70  # rounding is no eigenvalue that one walks down to


def surface(panel):
    """The row in which the water's surface lies."""
    line = coloured(shown(panel, LEVELS), plots.BLUE)
    return np.nonzero(line.sum(1) > 0.9 * line.sum(1).max())[0].mean()


def test_water_stands_on_the_axis_of_the_eigenvalues():
    """Catches a level on another scale, and bars that do not end at their eigenvalue."""
    panel, rows = widgets.water_filling(fill, LAMBDAS), []
    for level in (0.25, 1.0, 4.0):  # an eigenvalue each
        panel.controls["βσ²"].value = level
        rows.append(surface(panel))
        assert not coloured(shown(panel, LEVELS), plots.ORANGE)[round(rows[-1]) + 4 :].any()
    assert rows[0] - rows[1] == pytest.approx(rows[1] - rows[2], abs=1.5) and rows[0] > rows[1]
    panel.controls["βσ²"].index = 0
    bars = coloured(shown(panel, LEVELS), plots.ORANGE)
    tops = sorted({int(np.nonzero(bars[:, i])[0][0]) for i in np.nonzero(bars.any(0))[0]})
    assert [tops[0], tops[-1]] == pytest.approx([rows[2], rows[0]], abs=3)


def test_bars_of_the_kl_are_those_of_the_students_function():
    """Catches a formula of the widget's own: here the second latent gets the most."""
    panel = widgets.water_filling(lambda e, level: torch.tensor([0.5, 1.0, 0.0]), LAMBDAS)
    assert " 2 of 3 latents live, rate 1.50 nats, largest KL 1.00" in panel.frame.text
    bars = coloured(shown(panel, KL), plots.ORANGE)
    columns = np.nonzero(bars.any(0))[0]
    starts = columns[np.insert(np.diff(columns) > 3, 0, True)]
    heights = [bars[:, start + 9].sum() for start in starts]
    assert len(heights) == 2 and heights[1] == pytest.approx(2 * heights[0], abs=4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"eigenvalues": [1, 0], "start": 1},
        {"eigenvalues": [1, -1]},
        {"eigenvalues": [1, torch.inf]},
        {"eigenvalues": torch.eye(2)},
        {"eigenvalues": []},
        {"start": 0},
        {"start": "low"},
        {"kl": lambda eigenvalues, level: eigenvalues.sum()},
        {"kl": lambda eigenvalues, level: eigenvalues * torch.nan},
        {"kl": lambda eigenvalues, level: None},
    ],
)
def test_water_refuses_arguments_that_do_not_fit(wrong):
    """Catches a covariance for its eigenvalues, eigenvalues of 0, and a rate for its parts."""
    given = {"kl": fill, "eigenvalues": LAMBDAS, **wrong}
    with pytest.raises(CourseError) as error:
        widgets.water_filling(given.pop("kl"), given.pop("eigenvalues"), **given)
    assert one_line(error)


# --- attributes -------------------------------------------------------------------------------


def faces_shown(panel):
    return [unscaled(shown(panel, name), 29) for name in panel.images]


def test_attributes_move_the_code_along_their_vectors():
    """Catches units left out, another face's code, a vector for another, and moves that add up."""
    panel = make_attributes(units={"smile": 0.5, "glasses": 2})
    for face, smile, glasses in [(0, 0, 0), (0, 1.5, 0), (2, 1.5, -0.7), (2, 0, 3), (2, -3, 0)]:
        panel.set({"face": face, "smile": smile, "glasses": glasses})
        z = encode_face(FACES[face : face + 1])
        moved = z + smile * 0.5 * VECTORS["smile"] + glasses * 2 * VECTORS["glasses"]
        expected = FACES[face : face + 1], decode_face(z), decode_face(moved)
        for found, batch in zip(faces_shown(panel), expected, strict=True):
            assert (found == pixels(batch)[0]).all()


def test_attributes_tell_face_and_strengths():
    """Catches a text that leaves out a strength, or says what is 0 where nothing is."""
    panel = make_attributes()
    assert panel.frame.text == "Face 1 of 4: all strengths are 0."
    panel.set({"face": 3, "glasses": -0.7})
    assert panel.frame.text == "Face 4 of 4: glasses −0.7; the others 0."
    panel.controls["smile"].value = 1.2
    assert panel.frame.text == "Face 4 of 4: smile 1.2, glasses −0.7."


def test_attributes_encode_each_face_once_and_leave_it_whole():
    """Catches an encoder that runs at each step of a slider, and one that spoils the image."""
    calls, before = [], FACES.clone()

    def encode(x):
        calls.append(len(x))
        return encode_face(x.mul_(0.5))

    panel = make_attributes(encode)
    panel.controls["smile"].value = 1
    panel.set({"face": 1, "smile": 2})
    panel.set({"face": 0})
    assert calls == [1, 1] and torch.equal(FACES, before)
    assert (faces_shown(panel)[0] == pixels(FACES)[0]).all()


def test_attributes_start_where_they_are_told_with_aligned_labels():
    """Catches a still picture in which nothing is moved, and tracks that begin at other places."""
    panel = make_attributes(start={"glasses": -2})
    assert panel.frame.text == "Face 1 of 4: glasses −2.0; the others 0."
    moved = encode_face(FACES[:1]) - 2 * VECTORS["glasses"]
    assert (faces_shown(panel)[2] == pixels(decode_face(moved))[0]).all()
    assert len({c.style.description_width for c in panel.controls.values()}) == 1
    assert len({c.layout.width for c in panel.controls.values()}) == 1
    panel.buttons["reset"].click()
    assert panel.frame.text == "Face 1 of 4: all strengths are 0."


def test_buttons_of_the_attributes():
    """Catches a slider left behind, a face that changes with it, places off the sliders' stops."""
    runs = []
    for _ in range(2):
        panel, places = make_attributes(limit=1.0, seed=3), []
        panel.controls["face"].value = 2
        for _ in range(20):
            panel.buttons["random"].click()
            places.append([panel.values[name] for name in VECTORS])
        runs.append(places)
        panel.buttons["reset"].click()
        assert panel.frame.text == "Face 3 of 4: all strengths are 0." and panel.error is None
    places = np.array(runs[0])
    assert runs[0] == runs[1] and places.std(0).min() > 0.3 and abs(places).max() == 1
    assert places * 10 == pytest.approx(np.rint(places * 10), abs=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": FACES[:, :1]},
        {"encode": lambda x: encode_face(x)[0]},
        {"encode": lambda x: torch.distributions.Normal(encode_face(x), 1)},
        {"encode": lambda x: x.flatten(1)},
        {"decode": lambda z: z},
        {"vectors": {}},
        {"vectors": torch.eye(3)},
        {"vectors": {"face": torch.ones(3)}},
        {"vectors": {"smile": torch.ones(3), "glasses": torch.ones(2)}},
        {"vectors": {"smile": torch.eye(3)}},
        {"vectors": {"smile": torch.full((3,), torch.nan)}},
        {"vectors": {str(i): torch.ones(3) for i in range(9)}},
        {"units": {"smile": 1}},
        {"units": "one"},
        {"start": {"hat": 1}},
        {"start": {"smile": 4}},
        {"start": 2},
        {"limit": 0},
    ],
)
def test_attributes_refuse_arguments_that_do_not_fit(wrong):
    """Catches a posterior for its mean, vectors of another model, and units of other names."""
    given = {"images": FACES, "encode": encode_face, "decode": decode_face, "vectors": VECTORS}
    given |= {"shape": (3, 8, 8), **wrong}
    first = [given.pop(name) for name in ("images", "encode", "decode", "vectors")]
    with pytest.raises(CourseError) as error:
        widgets.attributes(*first, **given)
    assert one_line(error)


# --- class_samples ----------------------------------------------------------------------------

GRID, LARGE = "decode(τ z, class)", "from the first sample to the second"


def test_samples_are_those_of_class_temperature_and_place():
    """Catches τ used as τ², left out of the way, a class of another name, z₀ and z₁ swapped."""
    panel = make_samples()
    for y, tau, t in [(0, 1.0, 0.5), (2, 0.3, 0.0), (2, 0.3, 1.0), (1, 1.5, 0.25), (1, 0.0, 0.25)]:
        panel.set({"class": y, "temperature τ": tau, "t": t})
        samples = pixels(decode_class(tau * Z, torch.full((6,), y)))
        grid = unscaled(shown(panel, GRID), 400 // 36)
        tiles = [grid[9 * (i // 4) :, 9 * (i % 4) :][:8, :8] for i in range(6)]
        assert (np.array(tiles) == samples)[2:].all()
        ends = [(a == b)[3:].all() for a, b in zip(tiles[:2], samples[:2], strict=True)]
        assert all(ends)  # above lies the corner
        place = tau * bend(Z[0], Z[1], t)
        large = pixels(decode_class(place[None], torch.tensor([y])))[0]
        assert (unscaled(shown(panel, LARGE), 40) == large).all()
        name = panel.controls["class"].label
        assert name == ["cat", "dog", "owl"][y]
        told = f"Class {name}, temperature τ = {tau:.2f}, t = {t:.2f}: "
        norm = f"the code of the large image has the norm {place.norm():.2f}."
        assert panel.frame.text == told + norm


def test_the_ends_of_the_walk_have_a_corner():
    """Catches marks on other samples than the two between which t goes."""
    corner = coloured(shown(make_samples(), GRID), plots.VERMILION)
    columns = np.nonzero(corner[0])[0] / (400 // 36)
    assert {int(c // 9) for c in columns} == {0, 1} and (columns % 9 < 3).all()
    assert not corner[3 * (400 // 36) :].any()


def test_the_grid_stays_while_t_moves():
    """Catches a slider of t that decodes and encodes all samples again at each step."""
    counts = []
    panel = make_samples(lambda z, y: counts.append(len(z)) or decode_class(z, y))
    for t in (0.1, 0.2, 0.3):
        panel.controls["t"].value = t
    assert sorted(counts) == [1, 1, 1, 1, 6]


def test_slerp_is_the_students_and_sees_codes_that_are_not_scaled():
    """Catches a slerp of the widget's own, and one of codes that τ = 0 has made equal."""
    seen = []

    def slerp(a, b, t):
        seen.append((a.clone(), b.clone(), t))
        return a.mul_(2)

    before = Z.clone()
    panel = make_samples(slerp=slerp, start=(1, 0.0, 0.75))
    (a, b, t), *_ = seen
    assert torch.equal(a, Z[0]) and torch.equal(b, Z[1]) and t == 0.75
    panel.controls["temperature τ"].value = 1
    assert f"the norm {2 * Z[0].norm():.2f}" in panel.frame.text and torch.equal(Z, before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decode": lambda z, y: decode_class(z, y)[:1]},
        {"decode": lambda z, y: torch.distributions.Normal(decode_class(z, y), 1)},
        {"slerp": lambda a, b, t: a * torch.nan},
        {"slerp": lambda a, b, t: a[None]},
        {"slerp": lambda a, b, t: a[1:]},
        {"z": Z[0]},
        {"z": Z[:1]},
        {"z": None},
        {"names": []},
        {"names": ["cat", "cat"]},
        {"start": (3, 1, 0)},
        {"start": (0.5, 1, 0)},
        {"start": "cat"},
    ],
)
def test_samples_refuse_arguments_that_do_not_fit(wrong):
    """Catches a single code, a slerp that divides by 0, and classes that nobody can choose."""
    with pytest.raises(CourseError) as error:
        make_samples(**wrong)
    assert one_line(error)
