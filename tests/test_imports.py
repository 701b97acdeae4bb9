"""`data import`: any folder or ZIP of images, in three layouts, or not at all."""

# ruff: noqa: F811  (a fixture is imported by its name)

import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from data_tools import cache, encoded, notices, pixels, write_files  # noqa: F401

from course_lib import datasets
from course_lib.datasets import files, registry, store
from course_lib.errors import CourseError

pytestmark = pytest.mark.usefixtures("cache")
COLOURS = {"airplane": (255, 0, 0), "truck": (0, 0, 255), "cat": (0, 255, 0)}


def plain(colour, size=32) -> bytes:
    """A PNG of one colour."""
    return encoded(np.full((size, size, 3), colour, dtype=np.uint8))


def classes(*, n=3, prefix="", size=32) -> dict[str, bytes]:
    """n images of each class, each class in its own colour."""
    return {
        f"{prefix}{name}/{i}.png": plain(colour, size)
        for name, colour in COLOURS.items()
        for i in range(n)
    }


def pack(path, members):
    """A ZIP with these members."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def colours_fit(split, label_names) -> bool:
    """Whether every image has the colour of its label."""
    named = [COLOURS[label_names[label]] for label in split.labels.tolist()]
    return split.images[:, :, 5, 7].tolist() == [list(colour) for colour in named]


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a top folder"])
def test_train_and_test_folders(tmp_path, kind, capsys):
    """Catches labels that do not belong to the images, classes renumbered, swapped splits."""
    top = "cifar/" if "top" in kind else ""
    members = {
        **classes(prefix=f"{top}train/", n=4),
        **classes(prefix=f"{top}test/", n=2),
        f"{top}train/.DS_Store": b"",
        f"__MACOSX/{top}train/airplane/._0.png": b"junk",
        f"{top}README.txt": b"hello",
    }
    path = tmp_path / "pictures.zip"
    path = pack(path, members) if "zip" in kind else write_files(tmp_path / "pictures", members)
    line = datasets.import_images(path, "cifar10")
    assert "12 train and 6 test" in line
    data = datasets.load("cifar10")
    assert (len(data.train), len(data.test), data.stand_in) == (12, 6, False)
    assert data.label_names == registry.CIFAR10_CLASSES  # the official numbers of these classes
    assert colours_fit(data.train, data.label_names) and colours_fit(data.test, data.label_names)
    assert data.source == f"CIFAR-10 (imported: {path.name})"
    (line,) = notices(capsys)
    assert line.endswith("left out: 2 hidden, 1 .txt")


def test_the_first_images_are_a_fair_sample(tmp_path):
    """Catches splits that stay sorted by class, so that a prefix of them holds one class only."""
    members = {**classes(prefix="train/", n=40), **classes(prefix="test/", n=40)}
    datasets.import_images(pack(tmp_path / "p.zip", members), "cifar10")
    data = datasets.load("cifar10")
    for split in (data.train, data.test):
        counts = split.labels[:30].bincount()
        assert sorted(counts[counts > 0].tolist())[0] >= 4
        assert colours_fit(split, data.label_names)
    again = datasets.import_images(tmp_path / "p.zip", "cifar10")
    assert again
    assert torch.equal(datasets.load("cifar10").train.labels, data.train.labels)


def test_class_folders_alone(tmp_path, capsys):
    """Catches a test set that overlaps the training set, and a split that nobody mentions."""
    members = {f"my/{k}".replace("truck", "Zebra"): v for k, v in classes(n=8).items()}
    datasets.import_images(pack(tmp_path / "pets.zip", members), "cifar10")
    assert "4 held out" in notices(capsys)[0]
    data = datasets.load("cifar10")
    assert data.label_names == ("Zebra", "airplane", "cat")
    assert (len(data.train), len(data.test)) == (20, 4)


@pytest.mark.parametrize("prefix", ["", "album/", "album/summer/"])
def test_flat(tmp_path, prefix):
    """Catches a common folder taken for a class."""
    members = {f"{prefix}{i}.png": encoded(pixels(32, 32, 3, seed=i)) for i in range(12)}
    datasets.import_images(pack(tmp_path / "flat.zip", members), "cifar10")
    data = datasets.load("cifar10")
    assert data.train.labels is None and data.label_names == ()
    assert (len(data.train), len(data.test)) == (10, 2)
    seen = torch.cat([data.train.images, data.test.images]).flatten(1)
    assert len(seen.unique(dim=0)) == 12


def test_pixels_come_through(tmp_path):
    """Catches a transposed image, swapped channels, resizing where none is needed."""
    image = pixels(32, 32, 3)
    members = {"train/a.png": encoded(image), "train/b.png": encoded(image), "test/c.png": plain(0)}
    datasets.import_images(write_files(tmp_path / "x", members), "cifar10")
    expected = torch.from_numpy(image).permute(2, 0, 1)
    assert torch.equal(datasets.load("cifar10").train.images[0], expected)


def test_other_sizes_are_cropped_and_said(tmp_path, capsys):
    """Catches a squeezed image, one cut off-centre, and a change that nobody mentions."""
    wide = np.zeros((64, 128, 3), dtype=np.uint8)
    wide[:, 32:96] = 255  # the centre square is white
    members = {f"train/{i}.png": plain(9) for i in range(3)} | {"test/wide.png": encoded(wide)}
    datasets.import_images(write_files(tmp_path / "x", members), "cifar10")
    assert "1 of 4 images were not 32×32" in notices(capsys)[0]
    assert (datasets.load("cifar10").test.images == 255).all()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_any_kind_of_image(tmp_path, mode):
    """Catches images with a palette, transparency or one channel that cannot be read."""
    from PIL import Image

    picture = Image.fromarray(pixels(40, 40)) if mode != "I;16" else Image.new("I;16", (40, 40))
    folder = tmp_path / "x"
    folder.mkdir()
    for i in range(3):
        (picture if mode == "I;16" else picture.convert(mode)).save(folder / f"{i}.tif")
    for name, channels in (("cifar10", 3), ("mnist", 1)):
        datasets.import_images(folder, name)
        assert datasets.load(name).train.images.shape[1] == channels


def test_photographs_stand_upright(tmp_path):
    """Catches a photograph from a telephone that lies on its side."""
    from PIL import Image

    array = np.zeros((60, 60), dtype=np.uint8)
    array[:, :30] = 255  # left half white; orientation 6 turns it to the top
    exif = Image.Exif()
    exif[0x0112] = 6
    folder = tmp_path / "x"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(array).save(folder / f"{i}.jpg", exif=exif)
    datasets.import_images(folder, "mnist")
    data = datasets.load("mnist")
    assert (data.train.images[0, 0, 2] > 250).all() and (data.train.images[0, 0, -2] < 5).all()
    assert "JPEG copy" in data.source


@pytest.mark.parametrize("bad", [b"", b"no image", "cut", "bomb"])
def test_unreadable_images_are_counted_and_named(tmp_path, bad, cache):
    """Catches black images in place of damaged ones, and a half-finished import."""
    image = encoded(pixels(64, 64, 3), "JPEG")
    if bad == "bomb":  # a small file that would unpack to 30,000 × 30,000 pixels
        bad = b"P4 30000 30000\n" + b"\0" * 100
    members = classes(n=5) | {
        "cat/7.jpg": image[: len(image) // 2] if bad == "cut" else bad,
        "cat/8.jpg": b"",
    }
    old = datasets.import_images(pack(tmp_path / "good.zip", classes(prefix="train/")), "cifar10")
    with pytest.raises(CourseError) as error:
        datasets.import_images(pack(tmp_path / "bad.zip", members), "cifar10")
    text = str(error.value)
    assert "2 of 17" in text and "cat/7.jpg" in text and "\n" not in text
    assert "good.zip" in datasets.load("cifar10").source and "good.zip" in old
    assert [p.name for p in cache.iterdir()] == ["cifar10-32.safetensors"]


def test_paths_in_a_zip_lead_nowhere(tmp_path):
    """Catches a ZIP that writes outside: nothing of it is ever unpacked."""
    members = {"../../evil.png": plain(1), "/abs/evil.png": plain(2), "ok.png": plain(3)}
    before = {*tmp_path.parent.rglob("evil.png")}
    datasets.import_images(pack(tmp_path / "evil.zip", members), "cifar10")
    assert {*tmp_path.parent.rglob("evil.png")} == before
    assert not os.path.exists("/abs/evil.png")


def test_a_member_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    """Catches a ZIP bomb: 64 MiB and more are never unpacked."""
    monkeypatch.setattr(files, "MAX_IMAGE_BYTES", 10_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * 10_001)
    with pytest.raises(CourseError, match="larger than"):
        datasets.import_images(path, "cifar10")


@pytest.mark.parametrize("what", ["missing", "text", "cut", "empty folder", "empty zip", "one"])
def test_what_cannot_be_imported_is_one_line(tmp_path, what):
    """Catches a traceback for a wrong path, a cut ZIP, or a folder without images."""
    path = tmp_path / "x"
    if what == "text":
        path.write_text("hello")
    elif what == "cut":
        pack(path, classes())
        path.write_bytes(path.read_bytes()[:-30])
    elif what == "empty folder":
        path.mkdir()
    elif what == "empty zip":
        pack(path, {})
    elif what == "one":
        write_files(path, {"a.png": plain(1)})
    with pytest.raises(CourseError) as error:
        datasets.import_images(path, "cifar10")
    assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("name", ["sprites", "faces"])
def test_drawn_sets_take_no_images(tmp_path, name):
    """Catches an import that nothing ever reads."""
    with pytest.raises(CourseError, match="drawn by the course"):
        datasets.import_images(write_files(tmp_path / "x", classes()), name)


def test_a_full_disk_stops_the_import(tmp_path, monkeypatch, cache):
    """Catches an import that claims success, or leaves half a file."""
    import errno

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "_write_blocks", full)
    with pytest.raises(CourseError, match="disk is full"):
        datasets.import_images(write_files(tmp_path / "x", classes()), "cifar10")
    assert list(cache.iterdir()) == []


def tar(path, members, *, mode="w:gz"):
    """A tar archive with these members, as `tar czf x.tgz .` names them."""
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar(tmp_path, mode):
    """Catches a tar refused, its leading ./ taken for hidden files, files mixed up by threads."""
    members = {**classes(prefix="train/", n=50), **classes(prefix="test/", n=30)}
    datasets.import_images(tar(tmp_path / "pets.tar", members, mode=mode), "cifar10")
    data = datasets.load("cifar10")
    assert (len(data.train), len(data.test)) == (150, 90)
    assert colours_fit(data.train, data.label_names) and colours_fit(data.test, data.label_names)


def test_what_is_left_out_is_counted_by_its_ending(tmp_path, capsys):
    """Catches files that are silently dropped, and endings in capitals or of rarer kinds."""
    from PIL import Image

    picture = Image.fromarray(pixels(32, 32, 3))
    folder = write_files(
        tmp_path / "x",
        {f"a/{i}.HEIC": b"x" for i in range(3)}
        | {
            "a/notes": b"",
            "a/Thumbs.db": b"",
            ".hidden/1.png": b"x",
            "b/y.txt": b"",
            "b/z.TXT": b"",
        },
    )
    for name in (
        "1.PNG",
        "2.JPG",
        "3.jfif",
        "4.JPEG",
        "5.tga",
        "6.jp2",
        "7.TIFF",
        "8.ico",
        "9.pcx",
    ):
        kind = {"jfif": "JPEG", "jp2": "JPEG2000"}.get(name[2:])
        picture.save(folder / "b" / name, kind)
    assert "8 train and 1 test" in datasets.import_images(folder, "cifar10")
    said = "".join(notices(capsys))
    for words in ("3 .heic", "1 without a suffix", "1 .db", "1 hidden", "2 .txt"):
        assert words in said
    for path in folder.glob("b/[0-9]*"):
        path.unlink()
    with pytest.raises(CourseError, match=r"holds no images, only other files \(3 .heic, 2 .txt"):
        datasets.import_images(folder, "cifar10")


def test_names_that_are_not_ascii(tmp_path):
    """Catches class names that macOS and Windows write in other ways, turned into nonsense."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(4):
            archive.writestr(f"grün/{i}.png", plain(1))  # with the flag for UTF-8
            archive.writestr(f"train\\{i}.png", plain(2))
            archive.writestr(f"mac/{i}.png", plain(3))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"mac/", "ü/".encode() + b"/"))  # without it, as macOS does
    datasets.import_images(path, "cifar10")
    assert datasets.load("cifar10").label_names == ()
    classes = {name.split("/")[0] for name in files.open_files(path).names}
    assert classes == {"grün", "train", "ü"}


def test_linked_folders(tmp_path):
    """Catches classes that are links and silently lost, and a link to the top that never ends."""
    real = write_files(
        tmp_path / "elsewhere", {f"{i}.png": plain(COLOURS["cat"]) for i in range(6)}
    )
    folder = write_files(
        tmp_path / "x", {f"truck/{i}.png": plain(COLOURS["truck"]) for i in range(6)}
    )
    try:
        (folder / "cat").symlink_to(real, target_is_directory=True)
        (folder / "truck" / "up").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    datasets.import_images(folder, "cifar10")
    data = datasets.load("cifar10")
    assert len(data.train) + len(data.test) == 12 and colours_fit(data.train, data.label_names)
    (folder / "cat" / "lost.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CourseError, match="1 of 13"):
        datasets.import_images(folder, "cifar10")


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_a_web_page_saved_as_an_archive(tmp_path, name):
    """Catches "is it cut off?" for the page of a login or a quota."""
    (tmp_path / name).write_bytes(b"\n<!DOCTYPE html><html>Sign in</html>")
    with pytest.raises(CourseError, match="is a web page"):
        datasets.import_images(tmp_path / name, "cifar10")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_cut_off(tmp_path, mode, cache):
    """Catches a traceback, or the images before the cut taken for all of them."""
    members = {f"{i}.png": encoded(pixels(32, 32, 3, seed=i)) for i in range(20)}
    path = tar(tmp_path / "x.tar", members, mode=mode)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(CourseError, match="cut off"):
        datasets.import_images(path, "cifar10")
    assert not cache.exists()
