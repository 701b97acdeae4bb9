"""Official files as people have them, and a listing that promises what `load` then does."""

# ruff: noqa: F811  (a fixture is imported by its name)

import gzip
import shutil
import tarfile
import time

import pytest
import torch
from data_tools import (  # noqa: F401
    cache,
    change_entry,
    cifar_archive,
    encoded,
    idx,
    mnist_files,
    notices,
    pixels,
    shrink,
    tiny,
    write_files,
)

from course_lib import datasets
from course_lib.datasets import catalog, cifar, registry, store
from course_lib.errors import CourseError

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """COURSE_DATA, with room for small sets."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    shrink(monkeypatch, "mnist", (7, 3))
    shrink(monkeypatch, "fashion_mnist", (7, 3))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def packed(files) -> dict[str, bytes]:
    """As they are downloaded."""
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


def agree(name="mnist") -> bool:
    """Whether the listing and `load` say the same; returns what they say."""
    listed = dict(datasets.at_hand())[name]
    try:
        loaded = not datasets.load(name).stand_in
    except CourseError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
        loaded = False
    assert bool(listed) == loaded
    return loaded


# --- MNIST -----------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["MNIST/raw", "MNIST", "raw", ""])
@pytest.mark.parametrize("form", ["gz", "raw", "both", "mixed", "half unpacked"])
def test_mnist_as_it_was_downloaded(root, below, form):
    """Catches MNIST's .gz that are overlooked, wherever they lie, and an unpacking cut short."""
    files = mnist_files()
    if form == "mixed":
        kept = "t10k-labels-idx1-ubyte"
        files = {**packed(files), kept: files[kept]}
        del files[f"{kept}.gz"]
    elif form != "raw":
        files = packed(files) | (files if form == "both" else {})
    if form == "half unpacked":
        files["train-images-idx3-ubyte"] = b"\0\0\x08\x03"
    folder = write_files(root / below, files)
    assert dict(datasets.at_hand())["mnist"] == str(folder)
    assert dict(datasets.at_hand())["fashion_mnist"] is None
    data = datasets.load("mnist")
    assert torch.equal(data.train.images, torch.from_numpy(pixels(7, 28, 28, seed=0))[:, None])
    assert data.test.labels.tolist() == [0, 1, 2] and str(folder) in data.source
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted(files)


@pytest.mark.parametrize("form", ["gz", "raw"])
def test_fashion_mnist_has_the_same_file_names(root, monkeypatch, form):
    """Catches clothes loaded as digits from a folder that does not say which it holds."""
    for name in ("mnist", "fashion_mnist"):
        shrink(monkeypatch, name, (7, 10))
    files = mnist_files(n_test=10)
    files["t10k-labels-idx1-ubyte"] = idx([9, 2, 1, 1, 6, 1, 4, 6, 5, 7])
    write_files(root, packed(files) if form == "gz" else files)
    assert agree("fashion_mnist") and not agree("mnist")
    write_files(root / "MNIST", packed(mnist_files(n_test=10)))
    assert agree("mnist") and datasets.load("mnist").test.labels[0] == 0


@pytest.mark.parametrize(
    "damage", ["cut", "web page", "missing", "empty", "other length", "raw cut"]
)
def test_damaged_mnist_is_not_at_hand(root, damage):
    """Catches a set that is listed as at hand and then refused, and a line that does not help."""
    files = packed(mnist_files())
    name = "t10k-images-idx3-ubyte.gz"
    if damage == "other length":
        files[name] = gzip.compress(mnist_files(n_test=4)[name[:-3]])
    elif damage == "raw cut":
        files = mnist_files()
        files["t10k-images-idx3-ubyte"] = files["t10k-images-idx3-ubyte"][:-1]
    else:
        new = {"cut": files[name][:-9], "web page": b"<html>", "empty": b""}.get(damage)
        files = {**files, name: new} if new is not None else files
        if damage == "missing":
            del files[name]
    write_files(root / "MNIST" / "raw", files)
    assert not agree()
    with pytest.raises(CourseError, match="web page" if damage == "web page" else "t10k-images"):
        datasets.load("mnist")
    (status,) = [status for status in datasets.survey() if status.spec.name == "mnist"]
    assert status.fails and "t10k-images" in status.problem


def test_an_empty_folder_is_no_data_set(root):
    """Catches a class stopped by the folder that a failed download left."""
    (root / "MNIST" / "raw").mkdir(parents=True)
    (root / "celeba").mkdir()
    assert not agree()
    assert dict(datasets.at_hand())["celeba"] is None


def test_content_is_checked_where_lengths_agree(root):
    """Catches a .gz whose inside is damaged taken for images."""
    files = packed(mnist_files())
    data = bytearray(files["train-images-idx3-ubyte.gz"])
    data[len(data) // 2] ^= 255
    files["train-images-idx3-ubyte.gz"] = bytes(data)
    write_files(root / "MNIST", files)
    with pytest.raises(CourseError, match="damaged"):
        datasets.load("mnist")


@pytest.mark.parametrize("below", ["", "MNIST/raw"])
def test_import_of_official_mnist(tmp_path, monkeypatch, below, capsys):
    """Catches official files that are refused because they are no images."""
    shrink(monkeypatch, "mnist", (7, 3))
    write_files(tmp_path / "x" / below, packed(mnist_files()))
    assert "7 train and 3 test" in datasets.import_images(tmp_path / "x", "mnist")
    assert not datasets.load("mnist").stand_in and notices(capsys) == []
    assert "nothing to download" in datasets.get("mnist")


# --- CIFAR-10 --------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["data", "cache"])
def test_the_archive_of_cifar10(root, cache, monkeypatch, where, capsys):
    """Catches cifar-10-python.tar.gz that has to be unpacked by hand, or is unpacked each time."""
    folder = write_files(
        root if where == "data" else cache, {cifar.ARCHIVE: cifar_archive(monkeypatch)}
    )
    assert dict(datasets.at_hand())["cifar10"] == str(folder / cifar.ARCHIVE)
    data = datasets.load("cifar10")
    assert data.train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5] and not data.stand_in
    assert torch.equal(
        data.test.images, torch.from_numpy(pixels(2, 3072, seed=5)).view(2, 3, 32, 32)
    )
    assert agree("cifar10") and notices(capsys) == []
    monkeypatch.setattr(cifar, "_read_archive", None)
    assert torch.equal(datasets.load("cifar10").train.images, data.train.images)
    assert "nothing to download" in datasets.get("cifar10")


def test_the_archive_leaves_somebodys_images_alone(root, cache, monkeypatch, tmp_path):
    """Catches an import that is gone once the archive is taken away again."""
    images = {f"{i}.png": encoded(pixels(32, 32, 3, seed=i)) for i in range(6)}
    datasets.import_images(write_files(tmp_path / "mine", images), "cifar10")
    write_files(root, {cifar.ARCHIVE: cifar_archive(monkeypatch)})
    assert len(datasets.load("cifar10").train) == 10
    (root / cifar.ARCHIVE).unlink()
    assert "imported: mine" in datasets.load("cifar10").source


@pytest.mark.parametrize("name", [cifar.ARCHIVE, "cifar-10-python (1).tar.gz"])
def test_import_of_the_archive(tmp_path, monkeypatch, name):
    """Catches an archive taken for a ZIP of images, and one known by its name alone."""
    write_files(tmp_path, {name: cifar_archive(monkeypatch)})
    assert "10 train and 2 test" in datasets.import_images(tmp_path / name, "cifar10")
    data = datasets.load("cifar10")
    assert data.label_names == registry.CIFAR10_CLASSES and len(data.test) == 2
    assert "nothing to download" in datasets.get("cifar10")


def test_import_of_the_batches(tmp_path, monkeypatch):
    """Catches the unpacked archive refused for want of images, under whatever name."""
    write_files(tmp_path, {cifar.ARCHIVE: cifar_archive(monkeypatch)})
    shutil.unpack_archive(tmp_path / cifar.ARCHIVE, tmp_path)
    (tmp_path / "cifar-10-batches-py").rename(tmp_path / "batches")
    assert "10 train and 2 test" in datasets.import_images(tmp_path / "batches", "cifar10")


@pytest.mark.parametrize("damage", ["cut", "web page", "junk", "empty", "another", "checksum"])
@pytest.mark.parametrize("where", ["data", "cache", "import"])
def test_a_broken_archive_of_cifar10(root, cache, tmp_path, monkeypatch, damage, where):
    """Catches a traceback, a silent stand-in, or a listing that counts what `load` refuses."""
    data = cifar_archive(monkeypatch)
    if damage == "checksum":
        import torchvision.datasets

        wrong = [["test_batch", "0" * 32]]
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", wrong)
    data = {
        "cut": data[: len(data) // 2], "web page": b"<html>Sorry</html>", "junk": b"junk" * 99,
        "empty": b"", "another": gzip.compress(b"another"), "checksum": data,
    }[damage]  # fmt: skip
    folder = {"data": root, "cache": cache, "import": tmp_path / "x"}[where]
    write_files(folder, {cifar.ARCHIVE: data})
    if where == "import":
        with pytest.raises(CourseError) as error:
            datasets.import_images(folder / cifar.ARCHIVE, "cifar10")
        assert cifar.ARCHIVE in str(error.value) and "\n" not in str(error.value)
    elif damage == "checksum":  # what only reading all of it can tell
        with pytest.raises(CourseError, match="checksum"):
            datasets.load("cifar10")
    else:
        monkeypatch.setattr(datasets.loading, "_drawn", lambda spec, size: tiny("x", stand_in=True))
        assert not agree("cifar10")
        (status,) = [status for status in datasets.survey() if status.spec.name == "cifar10"]
        assert cifar.ARCHIVE in status.problem and status.fails == (where == "data")
    assert not (cache / "cifar10-32.safetensors").exists()


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_unpacked_batches(root, monkeypatch, damage):
    """Catches a folder of batches that is listed and then refused, and the archive beside it."""
    write_files(root, {cifar.ARCHIVE: cifar_archive(monkeypatch)})
    shutil.unpack_archive(root / cifar.ARCHIVE, root)
    assert dict(datasets.at_hand())["cifar10"] == str(root / "cifar-10-batches-py")
    batch = root / "cifar-10-batches-py" / "data_batch_4"
    batch.write_bytes(batch.read_bytes()[:3000]) if damage == "cut" else batch.unlink()
    assert dict(datasets.at_hand())["cifar10"] == str(root / cifar.ARCHIVE) and agree("cifar10")
    (root / cifar.ARCHIVE).unlink()
    assert not agree("cifar10")


@pytest.mark.parametrize("what", ["mnist", "cifar10", "images"])
def test_no_room_to_unpack(root, tmp_path, monkeypatch, what):
    """Catches a full disk reported as a damaged archive, which would be fetched again."""

    def full(*args):
        raise OSError(28, "No space left on device")

    write_files(root, {cifar.ARCHIVE: cifar_archive(monkeypatch), **packed(mnist_files())})
    with tarfile.open(tmp_path / "images.tar.gz", "w:gz") as tar:
        tar.add(root / cifar.ARCHIVE)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(CourseError, match=r"the disk is full at .* TMPDIR"):
        if what == "images":
            datasets.import_images(tmp_path / "images.tar.gz", "mnist")
        else:
            datasets.load(what)


# --- the cache -------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["", "cut", "empty", "format", "stand-in", "folder"])
def test_a_cache_file_at_hand_is_one_that_can_be_read(cache, damage, capsys):
    """Catches a cut or outdated cache file that is listed and then replaced by a stand-in."""
    path = catalog.cache_file(registry.SPECS["mnist"], 28)
    data = tiny("mnist")
    info = {**store.describe(data), **({"made_by": "x"} if damage == "stand-in" else {})}
    if damage == "format":
        info["format"] = 0
    store.write(path, store.parts_of(data), info)
    whole = path.read_bytes()
    if damage in ("cut", "empty"):
        path.write_bytes(whole[:-10] if damage == "cut" else b"")
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    assert dict(datasets.at_hand())["mnist"] == (None if damage else str(path))
    assert agree() == (not damage)
    (status,) = [status for status in datasets.survey() if status.spec.name == "mnist"]
    assert (str(path) in status.problem) == bool(damage) and not status.fails
    said = notices(capsys)
    assert len(said) == bool(damage) and all(str(path) in line for line in said)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "celeba"])
def test_files_that_cannot_be_read(root, monkeypatch, name):
    """Catches a listing that ends in a traceback at a folder of somebody else's."""

    def refuse(spec, place):
        raise PermissionError(13, "Permission denied", str(place / "x"))

    change_entry(monkeypatch, name, find=refuse)
    assert dict(datasets.at_hand())[name] is None
    with pytest.raises(CourseError, match="cannot be read"):
        datasets.load(name)


def test_nothing_is_at_hand_where_course_data_is_wrong(tmp_path, monkeypatch):
    """Catches a cached set listed although every `load` stops at the mistyped folder."""
    data = tiny("mnist")
    path = catalog.cache_file(registry.SPECS["mnist"], 28)
    store.write(path, store.parts_of(data), store.describe(data))
    assert agree()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    assert not agree()


def test_listing_is_fast(root):
    """Catches a listing that reads the images of 20,000 files, or all of a large one."""
    images = root / "celeba" / "img_align_celeba"
    images.mkdir(parents=True)
    for i in range(20_000):
        (images / f"{i}.jpg").touch()
    for name in ("list_attr_celeba.csv", "list_eval_partition.csv"):
        (root / "celeba" / name).write_text("x")
    with open(root / "train-images-idx3-ubyte", "wb") as file:
        file.truncate(2**32)
    start = time.process_time()
    assert dict(datasets.at_hand())["celeba"] == str(root / "celeba")
    assert time.process_time() - start < 0.15
