"""`load`: every name, the order of the sources, stand-ins, and what bad input says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from data_tools import cache, mnist_files, pixels, shrink, tiny, write_files  # noqa: F401

from course_lib import datasets
from course_lib.datasets import catalog, digits, folder, loading, procedural, store
from course_lib.errors import CourseError

pytestmark = pytest.mark.usefixtures("cache")
REAL = Path(os.environ["COURSE_DATA"]) if os.environ.get("COURSE_DATA") else None


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """COURSE_DATA with an MNIST of 7 and 3 images."""
    shrink(monkeypatch, "mnist", (7, 3))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return write_files(tmp_path / "data" / "MNIST" / "raw", mnist_files())


@pytest.fixture
def few_faces(monkeypatch):
    """Draw 20 and 10 faces instead of thousands."""
    monkeypatch.setattr(procedural, "COUNTS", dict.fromkeys((32, 64, 128, 256), (20, 10)))


def one_line(error) -> str:
    """The message, after checking that it is a single line of reasonable length."""
    text = str(error.value)
    assert "\n" not in text and 10 < len(text) < 500
    return text


# --- the folder that COURSE_DATA names -------------------------------------------------------


def test_mnist_comes_from_course_data(mnist_folder, capsys):
    """Catches a transposed or rescaled image, a lost label, a split taken for the other."""
    data = datasets.load("mnist")
    assert torch.equal(data.train.images, torch.from_numpy(pixels(7, 28, 28, seed=0))[:, None])
    assert torch.equal(data.test.images, torch.from_numpy(pixels(3, 28, 28, seed=1))[:, None])
    assert data.train.labels.tolist() == list(range(7)) and data.train.labels.dtype == torch.int64
    assert not data.stand_in and data.label_names == tuple("0123456789")
    assert str(mnist_folder) in data.source and data.valid is None
    assert capsys.readouterr().out == ""


def test_official_mnist_has_its_sizes(monkeypatch):
    """Catches counts that do not let the real files through; needs them in COURSE_DATA."""
    if REAL is None or not folder.present(catalog.SPECS["mnist"], REAL):
        pytest.skip("no MNIST in COURSE_DATA")
    monkeypatch.setenv("COURSE_DATA", str(REAL))
    data = datasets.load("mnist")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train.labels.bincount()[:3].tolist() == [5923, 6742, 5958]


@pytest.mark.parametrize("damage", ["cut", "empty", "missing", "labels", "shape", "count"])
def test_damaged_mnist_is_one_clear_line(mnist_folder, monkeypatch, damage):
    """Catches a traceback, a silent stand-in, or wrong images where COURSE_DATA is damaged."""
    images = mnist_folder / "train-images-idx3-ubyte"
    if damage == "cut":
        images.write_bytes(images.read_bytes()[:-500])
    elif damage == "empty":
        images.write_bytes(b"")
    elif damage == "missing":
        images.unlink()
    elif damage == "labels":
        name = "train-labels-idx1-ubyte"
        (mnist_folder / name).write_bytes(mnist_files(n_train=6)[name])
    elif damage == "shape":
        write_files(mnist_folder, mnist_files(side=27))
    else:
        write_files(mnist_folder, mnist_files(n_train=8))
    with pytest.raises(CourseError) as error:
        datasets.load("mnist")
    assert str(mnist_folder) in one_line(error)


def test_a_missing_course_data_says_so(monkeypatch, tmp_path):
    """Catches a mistyped COURSE_DATA that silently ends in a stand-in."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(CourseError) as error:
        datasets.load("mnist")
    assert "COURSE_DATA" in one_line(error) and "nowhere" in one_line(error)
    assert dict(datasets.at_hand())["mnist"] is None  # the table of `doctor` goes on


# --- the order of the sources ----------------------------------------------------------------


def test_order_of_sources(mnist_folder, monkeypatch, capsys):
    """Catches a stand-in where there are real images, or a cache that hides COURSE_DATA."""
    spec = catalog.SPECS["mnist"]
    data = tiny("mnist", source="imported")
    store.write(catalog.cache_file(spec, 28), store.parts_of(data), store.describe(data))
    assert "torchvision" in datasets.load("mnist").source
    monkeypatch.delenv("COURSE_DATA")
    assert datasets.load("mnist").source == "imported"
    assert capsys.readouterr().out == ""
    catalog.cache_file(spec, 28).unlink()
    monkeypatch.setattr(loading, "download", lambda spec: tiny("mnist", source="downloaded"))
    assert datasets.load("mnist").source == "downloaded"


def test_at_hand_names_the_place(mnist_folder, monkeypatch):
    """Catches a stand-in counted as real, and real images that are overlooked."""
    places = dict(datasets.at_hand())
    assert list(places) == list(catalog.SPECS)
    assert places["mnist"] == str(mnist_folder) and places["fashion_mnist"] is None
    datasets.load("fashion_mnist")
    assert dict(datasets.at_hand())["fashion_mnist"] is None
    data = tiny("cifar10", size=32, channels=3)
    path = catalog.cache_file(catalog.SPECS["cifar10"], 32)
    store.write(path, store.parts_of(data), store.describe(data))
    assert dict(datasets.at_hand())["cifar10"] == str(path)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnits", "mnist"),
        ("CIFAR-10", "cifar10"),
        ("fashion-mnist", "fashion_mnist"),
        ("x", "celeba"),
    ],
)
def test_unknown_names_get_a_hint(name, hint):
    """Catches a KeyError, and a suggestion that does not help."""
    for call in (datasets.load, datasets.get, lambda name: datasets.import_images(".", name)):
        with pytest.raises(CourseError) as error:
            call(name)
        assert hint in one_line(error)


@pytest.mark.parametrize("size", [0, -64, 63, 512, "64", 64.5, True])
def test_unknown_sizes_name_the_choices(size):
    """Catches a crash deep inside, or a size that is quietly ignored."""
    with pytest.raises(CourseError, match="64, 128, 256"):
        datasets.load("celeba", size=size)
    with pytest.raises(CourseError, match="28"):
        datasets.load("mnist", size=size)


# --- stand-ins -------------------------------------------------------------------------------


def test_stand_in_is_announced_in_one_line_and_cached(monkeypatch, capsys):
    """Catches a silent stand-in, and one that is drawn again at every start."""
    first = datasets.load("mnist")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and "python -m course_lib data get mnist" in lines[0]
    assert "digits" in lines[0] and first.stand_in
    monkeypatch.setitem(loading.DRAW, "mnist", None)
    again = datasets.load("mnist")
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.test.labels, again.test.labels) and again.stand_in


def test_fashion_stand_in_says_that_it_shows_digits(capsys):
    """Catches digits labelled as clothes."""
    data = datasets.load("fashion_mnist")
    assert "digits" in capsys.readouterr().out and data.label_names == tuple("0123456789")


@pytest.fixture(scope="module")
def digits_set():
    """The stand-in for MNIST, drawn once."""
    return digits.draw_digits(catalog.SPECS["mnist"], 28)


def test_digits_look_like_mnist(digits_set):
    """Catches digits that fill the frame, are grey on black, inverted or without contrast."""
    images = digits_set.train.images
    assert images.shape == (12_000, 1, 28, 28) and digits_set.test.images.shape[0] == 2_000
    assert (images.amax(dim=(1, 2, 3)) == 255).all() and (images.amin(dim=(1, 2, 3)) == 0).all()
    border = images.float()
    border[:, :, 3:25, 3:25] = 0
    assert border.mean() < 2  # MNIST: 0.3
    assert 0.10 < images.float().mean() / 255 < 0.17  # MNIST: 0.131
    counts = digits_set.train.labels.bincount()
    assert counts.min() > 1000 and counts.max() < 1400


def test_digits_can_be_told_apart(digits_set):
    """Catches blobs and mixed-up labels: the nearest training image mostly has the same label."""
    train = digits_set.train.images[:4000].flatten(1).float()
    test = digits_set.test.images[:500].flatten(1).float()
    nearest = torch.cdist(test, train).argmin(dim=1)
    hits = digits_set.train.labels[nearest] == digits_set.test.labels[:500]
    assert hits.float().mean() > 0.93


def test_no_original_is_behind_both_splits(monkeypatch):
    """Catches leakage: a warped copy of a training digit among the test digits."""
    seen = []
    vary = digits._vary
    monkeypatch.setattr(
        digits, "_vary", lambda x, y, **k: seen.append(x) or vary(x, y, **{**k, "n": 20})
    )
    digits.draw_digits(catalog.SPECS["mnist"], 28)
    train, test = ({bytes(x.numpy().tobytes()) for x in originals} for originals in seen)
    assert len(train) > 1500 and len(test) > 200 and not train & test


def test_digits_are_the_same_every_time(digits_set):
    """Catches warps that depend on the global random state."""
    torch.manual_seed(1)
    again = digits.draw_digits(catalog.SPECS["mnist"], 28)
    assert torch.equal(again.test.images, digits_set.test.images)


def test_cifar10_stand_in_has_ten_equal_classes(few_faces, capsys):
    """Catches labels that do not belong to the picture's factors, or classes left empty."""
    data = datasets.load("cifar10")
    assert data.train.images.shape == (20, 3, 32, 32) and data.stand_in
    assert data.train.labels.bincount().tolist() == [2] * 10 and len(data.label_names) == 10
    assert "data get cifar10" in capsys.readouterr().out


@pytest.mark.parametrize("size", [None, 64, 128])
def test_celeba_stand_in_has_attributes(few_faces, size, capsys):
    """Catches a stand-in without what the notebooks need of CelebA: attributes, three splits."""
    data = datasets.load("celeba", size=size)
    side = size or 64
    assert data.valid.images.shape == (10, 3, side, side)
    assert data.train.factors.shape == (20, len(data.factor_names))
    assert set(data.train.factors.unique().tolist()) == {0, 1}
    assert not torch.equal(data.test.images, data.valid.images)
    assert "on request" in capsys.readouterr().out


def test_faces_keep_their_factors(few_faces, capsys):
    """Catches factors that do not belong to the images: drawing them again gives the images."""
    for size in (None, 32):
        data = datasets.load("faces", size=size)
        again = procedural.faces.render(data.test.factors, size=size or 64)
        assert torch.equal(again, data.test.images) and not data.stand_in
    assert capsys.readouterr().out == ""


def test_sprites_are_the_whole_grid_split_in_two():
    """Catches a sprite in both splits, a lost one, or factors in another order than the images."""
    data = datasets.load("sprites")
    factors = torch.cat([data.train.factors, data.test.factors])
    assert len(factors.unique(dim=0)) == len(factors) == 61_440
    assert len(data.test) == 6_144 and data.train.images.shape[1:] == (1, 32, 32)
    again = procedural.sprites.render(data.test.factors[:50])
    assert torch.equal(again, data.test.images[:50])


# --- splits ----------------------------------------------------------------------------------


def test_hold_out_divides_without_overlap():
    """Catches validation images that stay among the training images, or labels left behind."""
    split = tiny("mnist", n=50).train
    split = datasets.Split(split.images, torch.arange(50), torch.arange(50)[:, None])
    rest, held = datasets.hold_out(split, 12, seed=3)
    assert len(rest) == 38 and len(held) == 12
    assert sorted(rest.labels.tolist() + held.labels.tolist()) == list(range(50))
    assert torch.equal(held.images, split.images[held.labels])
    assert torch.equal(rest.factors[:, 0], rest.labels)
    assert torch.equal(datasets.hold_out(split, 12, seed=3)[1].labels, held.labels)
    assert not torch.equal(datasets.hold_out(split, 12, seed=4)[1].labels, held.labels)


@pytest.mark.parametrize("n", [0, -1, 6, 7, 2.5, True])
def test_hold_out_refuses_impossible_numbers(n):
    """Catches an empty training set, or a slice that wraps around."""
    with pytest.raises(CourseError, match="1 to 5"):
        datasets.hold_out(tiny("mnist").train, n)


def test_split_refuses_shapes_that_do_not_fit():
    """Catches images in (N, H, W) or float, and labels or factors of another length."""
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    for bad in (
        (images[:, 0], None, None),
        (images.float(), None, None),
        (images.permute(0, 2, 3, 1), None, None),
        (images, torch.zeros(3), None),
        (images, None, torch.zeros(4)),
    ):
        with pytest.raises(CourseError):
            datasets.Split(*bad)


def test_import_is_light():
    """Catches torchvision, scikit-learn or matplotlib imported before anything is loaded."""
    code = (
        "import sys, course_lib.datasets; "
        "print([m for m in ('torchvision', 'sklearn', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
