"""`load`: the order of the sources, what bad input says, and the splits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from data_tools import (  # noqa: F401
    cache,
    change_entry,
    mnist_files,
    notices,
    pixels,
    shrink,
    tiny,
    write_files,
)

from course_lib import datasets
from course_lib.datasets import catalog, idx, registry, store
from course_lib.errors import CourseError

pytestmark = pytest.mark.usefixtures("cache")
REAL = Path(os.environ["COURSE_DATA"]) if os.environ.get("COURSE_DATA") else None


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """COURSE_DATA with an MNIST of 7 and 3 images."""
    shrink(monkeypatch, "mnist", (7, 3))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return write_files(tmp_path / "data" / "MNIST" / "raw", mnist_files())


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
    assert notices(capsys) == []


def test_official_mnist_has_its_sizes(monkeypatch):
    """Catches counts that do not let the real files through; needs them in COURSE_DATA."""
    if REAL is None or not idx.find(registry.SPECS["mnist"], REAL):
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
    spec = registry.SPECS["mnist"]
    data = tiny("mnist", source="imported")
    store.write(catalog.cache_file(spec, 28), store.parts_of(data), store.describe(data))
    assert "torchvision" in datasets.load("mnist").source
    monkeypatch.delenv("COURSE_DATA")
    assert datasets.load("mnist").source == "imported"
    assert notices(capsys) == []
    catalog.cache_file(spec, 28).unlink()
    fetched = tiny("mnist", source="downloaded")
    change_entry(monkeypatch, "mnist", download_in_load=lambda spec: fetched)
    assert datasets.load("mnist").source == "downloaded"


def test_a_data_set_is_one_entry(monkeypatch, tmp_path, capsys):
    """Catches a data set that has to be named anywhere else than in the table."""

    def made(source):
        return lambda spec, *_: tiny(spec.name, size=8, source=source)

    spec = catalog.Spec(
        "checks", "Checks", 1, (8,), made("drawn"), folder="checks",
        prepare=made("prepared"), download=lambda spec: "downloaded",
    )  # fmt: skip
    monkeypatch.setitem(registry.SPECS, "checks", spec)
    assert datasets.load("checks").source == "drawn"
    assert "data get checks" in notices(capsys)[0]
    assert datasets.get("checks") == "downloaded"
    (tmp_path / "checks").mkdir()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert datasets.load("checks").source == "prepared"
    assert dict(datasets.at_hand())["checks"] == str(tmp_path / "checks")
    monkeypatch.setitem(registry.SPECS, "dots", catalog.Spec("dots", "dots", 1, (8,), made("own")))
    assert datasets.load("dots").source == "own" and "nothing" in datasets.get("dots")


def test_at_hand_names_the_place(mnist_folder, monkeypatch):
    """Catches a stand-in counted as real, and real images that are overlooked."""
    places = dict(datasets.at_hand())
    assert list(places) == list(registry.SPECS)
    assert places["mnist"] == str(mnist_folder) and places["fashion_mnist"] is None
    datasets.load("fashion_mnist")
    assert dict(datasets.at_hand())["fashion_mnist"] is None
    data = tiny("cifar10", size=32, channels=3)
    path = catalog.cache_file(registry.SPECS["cifar10"], 32)
    store.write(path, store.parts_of(data), store.describe(data))
    assert dict(datasets.at_hand())["cifar10"] == str(path)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnits", "mean mnist"),
        ("CIFAR-10", "mean cifar10"),
        ("fashion-mnist", "mean fashion_mnist"),
        ("x", "cifar10, celeba"),
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
