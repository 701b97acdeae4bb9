"""CelebA, on files in its own layout: folder or ZIP, attributes, partition, sizes, damage."""

# ruff: noqa: F811  (a fixture is imported by its name)

import zipfile
from types import SimpleNamespace

import pytest
import torch
from data_tools import ATTRIBUTES, cache, celeba_files, encoded, pixels, write_files  # noqa: F401

from course_lib import datasets
from course_lib.datasets import celeba, store
from course_lib.errors import CourseError

pytestmark = pytest.mark.usefixtures("cache")


def packed(members, *, nested) -> dict[str, bytes]:
    """The images as img_align_celeba.zip, the lists beside it."""
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            if name.endswith(".jpg"):
                archive.writestr(name if nested else name.split("/")[-1], data)
    lists = {name: data for name, data in members.items() if name.endswith(".txt")}
    return {**lists, "img_align_celeba.zip": buffer.getvalue()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """COURSE_DATA with a CelebA of 4, 2 and 3 images."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return write_files(tmp_path / "data" / "celeba", celeba_files())


def check(data, size):
    """Order, attributes and crop of the nine images that `celeba_files` makes."""
    assert [len(split) for split in data.splits().values()] == [4, 2, 3]
    assert data.factor_names == tuple(ATTRIBUTES) and data.train.labels is None
    whole = torch.cat([split.factors for split in data.splits().values()])
    assert torch.equal(whole, torch.eye(40, dtype=torch.int64)[:9])
    images = torch.cat([split.images for split in data.splits().values()]).float()
    assert images.shape == (9, 3, size, size)
    red = images[:, 0].mean(dim=(1, 2))
    assert torch.allclose(red, 10.0 * torch.arange(9), atol=3)  # image i belongs to row i
    # The centre square of 148 runs from 15 to 163 across and from 35 to 183 down.
    across, down = images[:, 1].mean(dim=(0, 1)), images[:, 2].mean(dim=(0, 2))
    step = 148 / size
    expected = step * (torch.arange(size) + 0.5) - 0.5
    inner = slice(2, -2)
    assert torch.allclose(across[inner], 15 + expected[inner], atol=3)
    assert torch.allclose(down[inner], 35 + expected[inner], atol=3)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_folder_layout_at_every_size(folder, size):
    """Catches attributes of another image, swapped splits, a wrong crop, x and y exchanged."""
    data = datasets.load("celeba", size=size)
    check(data, size)
    assert not data.stand_in and "148×148" in data.source and str(folder) in data.source


@pytest.mark.parametrize("nested", [True, False])
def test_images_in_their_zip(tmp_path, monkeypatch, nested):
    """Catches a loader that wants 200,000 files unpacked first."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    write_files(tmp_path / "celeba", packed(celeba_files(), nested=nested))
    check(datasets.load("celeba"), 64)


def as_csv(members) -> dict[str, bytes]:
    """The lists as Kaggle's CSV, the images one folder deeper."""
    found = {}
    for name, data in members.items():
        lines = data.decode().splitlines() if name.endswith(".txt") else []
        if name.startswith("list_attr"):
            lines = [f"image_id {lines[1]}", *lines[2:]]
        elif lines:
            lines = ["image_id partition", *lines]
        if lines:
            text = "\r\n".join(",".join(line.split()) for line in lines)
            found[name.replace(".txt", ".csv")] = b"\xef\xbb\xbf" + text.encode() + b"\r\n"
        else:
            found[f"img_align_celeba/{name}"] = data
    return {**found, "list_bbox_celeba.csv": b"image_id,x_1\n"}


def official(members) -> dict[str, bytes]:
    """The authors' folders."""
    places = {"list_attr_celeba.txt": "Anno", "list_eval_partition.txt": "Eval"}
    return {f"{places.get(name, 'Img')}/{name}": data for name, data in members.items()}


LAYOUTS = {
    "kaggle": as_csv(celeba_files()),
    "official": official(celeba_files()),
    "official, packed": official(packed(celeba_files(), nested=True)),
    "deeper": {f"celeba/{name}": data for name, data in celeba_files().items()},
    "kaggle, deeper": {f"archive/{name}": data for name, data in as_csv(celeba_files()).items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", ["celeba", "CelebA"])
def test_layouts_that_people_have(tmp_path, monkeypatch, layout, place):
    """Catches a CelebA that only torchvision's own folder satisfies; lists and images mixed up."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    folder = write_files(tmp_path / place, LAYOUTS[layout])
    assert dict(datasets.at_hand())["celeba"] == str(folder)
    check(datasets.load("celeba"), 64)


@pytest.mark.parametrize("layout", ["kaggle", "official", "deeper"])
@pytest.mark.parametrize("how", ["folder", "zip"])
def test_import_of_these_layouts(tmp_path, layout, how):
    """Catches a layout that `load` takes and `import` refuses."""
    path = write_files(tmp_path / "x", LAYOUTS[layout])
    if how == "zip":
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for name, data in LAYOUTS[layout].items():
                archive.writestr(name, data)
        path = tmp_path / "x.zip"
    assert "4 train and 2 valid and 3 test" in datasets.import_images(path, "celeba")
    check(datasets.load("celeba"), 64)


def test_kaggle_straight_in_course_data(tmp_path, monkeypatch):
    """Catches lists beside the images' folder that are overlooked for want of a folder celeba."""
    monkeypatch.setenv("COURSE_DATA", str(write_files(tmp_path / "x", as_csv(celeba_files()))))
    check(datasets.load("celeba"), 64)


@pytest.mark.parametrize("name", ["img_align_celeba.zip", "list_attr_celeba.txt"])
def test_a_quota_page_in_place_of_a_file(tmp_path, monkeypatch, name):
    """Catches "is it cut off?" for Google Drive's page, and a listing that counts it."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    members = packed(celeba_files(), nested=True)
    members[name] = b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"
    write_files(tmp_path / "celeba", members)
    assert dict(datasets.at_hand())["celeba"] is None
    for call in (
        lambda: datasets.load("celeba"),
        lambda: datasets.import_images(tmp_path / "celeba", "celeba"),
    ):
        with pytest.raises(CourseError, match=f"{name} is a web page") as error:
            call()
        assert "\n" not in str(error.value)


def test_images_packed_twice(tmp_path):
    """Catches a line that denies the ZIP in a ZIP that Google Drive makes of a folder."""
    with zipfile.ZipFile(tmp_path / "CelebA.zip", "w") as archive:
        for name, data in LAYOUTS["official, packed"].items():
            archive.writestr(name, data)
    with pytest.raises(CourseError, match="unpack that first"):
        datasets.import_images(tmp_path / "CelebA.zip", "celeba")


@pytest.mark.parametrize("lost", ["img_align_celeba", "list_attr_celeba.txt"])
def test_at_hand_means_complete(folder, lost):
    """Catches a folder celeba that is listed and then refused."""
    assert dict(datasets.at_hand())["celeba"] == str(folder)
    target = folder / lost
    target.rename(folder / "other")
    assert dict(datasets.at_hand())["celeba"] is None
    with pytest.raises(CourseError, match="lacks"):
        datasets.load("celeba")


def test_at_another_size_only(tmp_path):
    """Catches a listing of what the notebooks, at 64 pixels, would not get."""
    path = write_files(tmp_path / "x", celeba_files())
    datasets.import_images(path, "celeba", size=128)
    assert dict(datasets.at_hand())["celeba"] == str(path)  # made anew from the originals
    path.rename(tmp_path / "gone")
    assert dict(datasets.at_hand())["celeba"] is None
    (status,) = [status for status in datasets.survey() if status.spec.name == "celeba"]
    assert "only at size 128" in status.problem and not status.fails
    check(datasets.load("celeba", size=128), 128)


def test_prepared_once_per_size(folder, monkeypatch):
    """Catches images decoded again at every start, and a size served for another."""
    datasets.load("celeba")
    monkeypatch.setattr(celeba, "read_layout", None)
    check(datasets.load("celeba"), 64)
    with pytest.raises(TypeError):
        datasets.load("celeba", size=128)


def test_prepared_under_another_path(folder, monkeypatch, tmp_path):
    """Catches 200,000 images decoded again by every notebook that a sandbox runs."""
    datasets.load("celeba")
    folder.parent.rename(tmp_path / "mounted")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "mounted"))
    monkeypatch.setattr(celeba, "read_layout", None)
    check(datasets.load("celeba"), 64)


def test_changed_files_are_prepared_again(folder):
    """Catches the cache of an earlier folder served for the present one."""
    datasets.load("celeba")
    write_files(folder, celeba_files(parts=(5, 2, 2)))
    assert len(datasets.load("celeba").train) == 5


@pytest.mark.parametrize("kind", ["folder", "parent", "zip"])
def test_import_and_other_sizes_later(tmp_path, kind):
    """Catches an import that knows only one size, or only one way to pack the images."""
    path = tmp_path / "faces"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in celeba_files().items():
                archive.writestr(f"CelebA/{name}", data)
    else:
        write_files(path / ("celeba" if kind == "parent" else ""), celeba_files())
    line = datasets.import_images(path, "celeba")
    assert "4 train and 2 valid and 3 test images with 40 attributes" in line
    assert dict(datasets.at_hand())["celeba"].endswith("celeba-64.safetensors")
    check(datasets.load("celeba"), 64)
    check(datasets.load("celeba", size=128), 128)


def test_what_get_brought_is_found(cache):
    """Catches a download that `load` does not find."""
    write_files(cache / "celeba", packed(celeba_files(), nested=True))
    check(datasets.load("celeba"), 64)


def test_a_download_that_is_half_there_is_no_data_set(cache, monkeypatch, capsys):
    """Catches a class stopped by an interrupted `data get celeba`."""
    members = packed(celeba_files(), nested=True)
    del members["img_align_celeba.zip"]
    write_files(cache / "celeba", members)
    assert dict(datasets.at_hand())["celeba"] is None
    from course_lib.datasets import loading

    monkeypatch.setattr(loading, "_drawn", lambda spec, size: "stand-in")
    monkeypatch.setattr(loading, "_announced", lambda data, why: data)
    assert datasets.load("celeba") == "stand-in"


def test_large_sets_go_to_disk_in_blocks(folder, monkeypatch):
    """Catches 2 GB of images gathered in memory before they are written."""
    monkeypatch.setattr(store, "MAX_IN_MEMORY_BYTES", 1)
    monkeypatch.setattr(celeba, "_in_memory", None)
    check(datasets.load("celeba"), 64)


def test_a_disk_too_small_is_said_before_the_work(folder, monkeypatch, cache):
    """Catches an hour of decoding that ends at a full disk."""
    monkeypatch.setattr(store, "MAX_IN_MEMORY_BYTES", 1)
    monkeypatch.setattr(celeba.shutil, "disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(CourseError, match="GB"):
        datasets.load("celeba")
    assert not cache.exists() or list(cache.iterdir()) == []


def edit(folder, name, old, new):
    """Change a list; the text must be there."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no attributes", "lacks list_attr_celeba.txt"),
        ("no partition", "lacks list_eval_partition.txt"),
        ("no images", "lacks img_align_celeba"),
        ("image gone", "1 of 9 images are missing"),
        ("image cut", "1 of 4 images"),
        ("not aligned", "64×64, not 178×218"),
        ("attributes cut", "list_attr_celeba.txt"),
        ("wrong values", "−1 or 1"),
        ("count", "10 announced"),
        ("partition cut", "does not fit"),
        ("partition code", "does not fit"),
        ("zip cut", "cut off"),
    ],
)
def test_damage_is_one_line(folder, cache, damage, words):
    """Catches a traceback, or images and attributes that silently no longer belong together."""
    attributes, partition = "list_attr_celeba.txt", "list_eval_partition.txt"
    image = folder / "img_align_celeba" / "000002.jpg"
    if damage == "no attributes":
        (folder / attributes).unlink()
    elif damage == "no partition":
        (folder / partition).unlink()
    elif damage in ("no images", "zip cut"):
        for path in image.parent.iterdir():
            path.unlink()
        image.parent.rmdir()
        if damage == "zip cut":
            (folder / "img_align_celeba.zip").write_bytes(b"PK\x03\x04 cut")
    elif damage == "image gone":
        image.unlink()
    elif damage == "image cut":
        image.write_bytes(image.read_bytes()[:600])
    elif damage == "not aligned":
        image.write_bytes(encoded(pixels(64, 64, 3), "JPEG"))
    elif damage == "attributes cut":
        text = (folder / attributes).read_text()
        (folder / attributes).write_text(text[:-20])
    elif damage == "wrong values":
        edit(folder, attributes, "000003.jpg -1", "000003.jpg 0")
    elif damage == "count":
        edit(folder, attributes, "9\n", "10\n")
    elif damage == "partition cut":
        edit(folder, partition, "000009.jpg 2\n", "")
    elif damage == "partition code":
        edit(folder, partition, "000009.jpg 2\n", "000009.jpg 3\n")
    with pytest.raises(CourseError) as error:
        datasets.load("celeba")
    assert words in str(error.value) and "\n" not in str(error.value)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_import_of_something_else(tmp_path):
    """Catches a folder of photographs taken for CelebA, and a path that is not there."""
    photos = write_files(tmp_path / "x", {"a.png": encoded(pixels(64, 64, 3))})
    for path, words in ((photos, "lacks list_attr_celeba.txt"), (tmp_path / "y", "not exist")):
        with pytest.raises(CourseError, match=words):
            datasets.import_images(path, "celeba")
