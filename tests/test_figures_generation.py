"""Figures of notebook 05: they draw what a run gives them, and their titles say what is true."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_lib import plots
from course_lib.figures import generation as figures

rng = np.random.default_rng(0)
CLASSES = ["cat", "automobile", "afro with glasses"]


@pytest.fixture(autouse=True)
def on_a_page():
    with plots.course_style():
        yield
        for number in plt.get_fignums():
            page = plt.figure(number)
            page.canvas.draw()
            assert page.get_figwidth() == plots.style.PAGE_WIDTH
    plt.close("all")


def faces(count=3, side=64):
    return rng.random((count, 3, side, side), dtype=np.float32)


def titles():
    return [ax.get_title(loc) for ax in plt.gcf().axes for loc in ("left", "center")]


def labels():
    axes = [a for ax in plt.gcf().axes for a in (ax, *ax.child_axes)]
    return [text.get_text() for ax in axes for text in ax.texts]


def test_words_of_attributes():
    """Catches names of columns in pictures."""
    assert figures.words("Blond_Hair") == "blond hair"
    assert figures.words("5_o_Clock_Shadow") == "5 o’clock shadow"


def test_faces_and_their_eyes():
    """Catches eyes of another place, and a number at the row of the test faces."""
    rows = {"test face": faces(), "AE": faces(), "VAE": faces()}
    figures.faces_in_detail(rows, errors={"AE": 3.0, "VAE": 2.0}, title="the middle")
    assert figures.zoomed(faces()).shape == (3, 3, 28, 28)
    assert "the middle" in titles() and labels() == ["3", "2"]


def test_codes_of_several_sizes():
    """Catches a width that is not that of the codes shown."""
    codes = {
        (k, n): (1 + (k == "AE")) * rng.standard_normal((50, 4))
        for k in ("AE", "VAE")
        for n in (2, 3)
    }
    figures.codes_and_maps(codes, {key: z[:, :2] for key, z in codes.items()}, rng.random(50))
    assert f"AE, n = 2: width {codes['AE', 2][:, 0].std():.2f}" in titles()


def test_groups_of_rows_have_headings_and_numbers():
    """Catches a number at another row."""
    groups = {"first": {"a": faces(), "b": faces()}, "second": {"c": faces(2)}}
    figures.groups_of_rows(
        groups, values={"a": 1.0, "b": 2000.0, "c": 30.0}, value_label="distance"
    )
    assert {"first", "second"} <= set(titles())
    assert [text for text in labels() if text != "distance"] == ["1", "2,000", "30"]


@pytest.mark.parametrize("parts", [("train", "valid"), ("train",)])
def test_curves_of_cards_of_models_trained_here_or_elsewhere(parts):
    """Catches a card without validation, as models have that were trained in the notebook."""
    cards = {
        (k, n): {"curve": {p: [9.0, 5.0 + n, 3.0 - n] for p in parts}}
        for k in ("AE", "VAE")
        for n in (1, 2)
    }
    figures.curves_of_cards(cards)
    assert "AE: lowest at the end with n = 2" in titles() and {"n = 1", "n = 2"} <= set(labels())


def test_own_training_tells_where_the_loss_passes_zero():
    """Catches a crossing that is claimed where there is none."""
    sigma, kl = [0.3] * 5, [1.0] * 5
    figures.own_training(range(1, 6), loss=[5, 2, -1, -2, -3], sigma=sigma, kl=kl)
    assert "−ELBO: below 0 at step 3" in titles()
    figures.own_training(range(1, 6), loss=[5, 4, 3, 2, 1], sigma=sigma, kl=kl)
    assert "−ELBO: not below 0" in titles()


def test_distances_of_attributes_and_decoders():
    """Catches a share of the wrong two distances."""
    figures.sight({"Blond_Hair": (2.0, 9.0), "Bald": (2.0, 3.0)}, blind=["Bald"])
    assert any("blind to 1 of 2" in title for title in titles())
    ruler = {"training images": 1, "8 × 8 means": 50, "noise": 90}
    ruler |= {
        "AE 2, N(0, I)": 80,
        "AE 2, Gaussian": 20,
        "VAE 2, N(0, I)": 40,
        "VAE 2, Gaussian": 30,
    }
    figures.kept_promises(ruler, ["AE 2", "VAE 2"])
    assert any("is 0.25 to 0.75 times" in title for title in titles())


def test_likelihoods_and_edits():
    """Catches a mean change of signed values, which cancel."""
    rows = {"test face": faces(), "σ = 1": faces()}
    figures.likelihoods(rows, rows, errors={"σ = 1": 0.05}, distances={"σ = 1": 300.0})
    assert labels() == ["0.05", "300"]
    before = np.full((2, 3, 64, 64), 0.5)
    change = np.where(np.arange(64) % 2, 0.1, -0.1)
    figures.edits({"Blond_Hair": before}, {"Blond_Hair": before + change})
    assert titles()[0] == "blond hair: 10.0%"


def test_side_effects_name_the_largest_beside_the_diagonal():
    """Catches the edit's own attribute, row and column swapped, and a lost sign."""
    figures.side_effects([[0.9, -0.2], [0.1, 0.8]], ["Blond_Hair", "Black_Hair"], strength=2)
    assert "Largest side effect: blond hair added, black hair −0.20" in titles()


def test_ways_and_temperatures():
    """Catches a middle that is not halfway, and a least distance of another row."""
    lengths, middles = {"lerp": [4, 3, 4], "slerp": [4, 4, 4]}, {"lerp": faces(), "slerp": faces()}
    figures.two_ways([0, 0.5, 1], lengths, middles, sphere=4, distances={"lerp": 9.0, "slerp": 5.0})
    assert "Length halfway, of √n: lerp 75%, slerp 100%" in titles()
    measures = {0.0: (90, 0, 0), 0.7: (20, 0.9, 0.1), 1.0: (30, 0.8, 0.2)}
    figures.temperatures({tau: faces() for tau in measures}, measures, floor=5)
    beside = plt.gcf().axes[0].child_axes[0]
    assert beside.get_title("left") == "least at τ = 0.7"


def test_rows_by_class_and_with_nearest():
    """Catches long names of classes, and a number at the samples instead of their neighbours."""
    ax = figures.by_class(
        {"a": faces(side=32), "b": faces(side=32)}, CLASSES, values={"a": 1.0, "b": 2.0}
    )
    assert [t.get_text() for t in ax.get_xticklabels()] == [
        "cat",
        "automobile",
        "afro with\nglasses",
    ]
    found = {"one": (faces(side=32), faces(side=32)), "two": (faces(side=32), faces(side=32))}
    figures.with_nearest(found, {"one": 1.5, "two": 2.5}, title="copies")
    assert labels() == ["1.5", "2.5"]


def test_pairs_and_counts():
    """Catches factors turned over, and a hyphen for a minus."""
    figures.pairs({"x and noise": faces(2, 32)}, {"x and noise": (-0.01, 0.99)})
    assert "SSIM −0.01, not 0.9900" in titles()[0]
    spreads = {
        "Fréchet distance": {"training": ([8, 2], [1, 1])},
        "kernel distance": {"training": ([0, 1], [1, 1])},
    }
    figures.by_count(spreads, [100, 400])
    assert any("training × 4.0" in title for title in titles())


def test_noise_quality_and_time():
    """Catches DDIM's points unlabelled, and a run that is not the nearest named so."""
    kept = np.linspace(1, 0, 11)
    figures.noise_film({"cat": faces(3, 32)}, [0, 5, 10], kept)
    assert any("t = 6" in title for title in titles())
    points = {"VAE": (0.1, 90, 9), "DDIM, 5 steps": (10, 50, 5), "DDIM, 10 steps": (20, 40, 5)}
    rows = {name: faces(3, 32) for name in [*points, "test images"]}
    figures.quality_and_time(points, rows, names=CLASSES, floor=7, apart=["test images"])
    assert any(
        title.startswith("Least distance: DDIM, 10 steps, which takes 200 times")
        for title in titles()
    )
    assert {"VAE", "10"} <= set(labels())


def test_people():
    """Catches groups bottom-up, sizes of other groups, and shares of marks transposed."""
    reports = {"Bald": {0: (5, 4, 6), 1: (9, 8, 10)}, "Mustache": {0: (5, 4, 6), 1: (5, 4, 6)}}
    figures.groups_of_people(reports, {"Bald": 12, "Mustache": 500}, total=1000)
    assert [t.get_text() for t in plt.gca().get_yticklabels()][-1] == "bald, 12 of 1,000"
    assert "Largest difference: bald, 9.0 with, 5.0 without" in titles()
    rows = {"test faces": faces(2, 32), "half": faces(2, 32), "few": faces(2, 32)}
    figures.rare_group(rows, {"half": 1.0, "few": 1.3}, change=-0.3, half=0.1)
    assert any("−0.30 ± 0.10" in title for title in titles())
    pictures = {"the file": faces(1)[0], "JPEG": faces(1)[0]}
    figures.marks(pictures, pictures, [[1, 0], [1, 1], [0.5, 0]], kinds=["text", "bits", "corner"])
    assert labels() == ["1.00", "0.00", "1.00", "1.00", "0.50", "0.00"]
