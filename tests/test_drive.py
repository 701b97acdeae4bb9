"""CelebA from Google Drive, by a stand-in for `gdown`: quota, damage, no room, no network."""

# ruff: noqa: F811  (a fixture is imported by its name)

import dataclasses
import os
import sys
from types import SimpleNamespace

import pytest
import torch
import torchvision.datasets
from data_tools import cache, change_entry  # noqa: F401
from loopback import md5, names

from course_lib import datasets
from course_lib.datasets import drive
from course_lib.errors import CourseError


@pytest.fixture
def gdown(monkeypatch, cache):
    """A `gdown` that gives what `drive.files` holds, by file name."""
    files = {name: name.encode() for name in drive.FILE_NAMES}
    files["img_align_celeba.zip"] = b"PK\5\6" + bytes(18)  # a ZIP without members
    fake = SimpleNamespace(files=files, asked=[])

    def download(id, output, **options):
        name = os.path.basename(output)
        fake.asked.append(name)
        if name not in fake.files:
            raise RuntimeError("Too many users have viewed or downloaded this file recently.\nmore")
        with open(output, "wb") as file:
            file.write(fake.files[name])

    sums = [("id", md5(data), name) for name, data in files.items()]
    monkeypatch.setattr(torchvision.datasets.CelebA, "file_list", sums)
    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace(download=download))
    monkeypatch.setattr(drive, "reachable", lambda url: True)
    monkeypatch.setenv("COURSE_OFFLINE", "")
    return fake


def test_celeba_comes_by_get(gdown, cache):
    """Catches files put where `load` does not look, or fetched twice."""
    assert "three files" in datasets.get("celeba")
    assert names(cache / "celeba") == sorted(drive.FILE_NAMES)
    assert "at hand" in datasets.get("celeba") and len(gdown.asked) == 3


def test_a_quota_page_in_the_cache_is_not_at_hand(gdown, cache):
    """Catches "nothing to download" where a browser has saved Drive's page as the images."""
    datasets.get("celeba")
    (cache / "celeba" / "img_align_celeba.zip").write_bytes(b"<html>Quota exceeded</html>")
    with pytest.raises(CourseError, match="web page"):
        datasets.get("celeba")


@pytest.mark.parametrize("trouble", ["quota", "checksum", "no gdown"])
def test_celeba_over_quota_says_how_to_get_it_by_hand(gdown, cache, trouble, monkeypatch):
    """Catches a traceback from Drive's refusal, a damaged file in place, lost earlier files."""
    if trouble == "quota":
        del gdown.files["img_align_celeba.zip"]
    elif trouble == "checksum":
        gdown.files["img_align_celeba.zip"] = b"<html>"
    else:
        monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(CourseError) as error:
        datasets.get("celeba")
    text = str(error.value)
    assert "by hand" in text and str(cache / "celeba") in text and "\n" not in text
    assert drive.PROJECT_PAGE in text and "img_align_celeba.zip" in text
    left = [] if trouble == "no gdown" else ["list_attr_celeba.txt", "list_eval_partition.txt"]
    assert names(cache / "celeba") == left


def test_celeba_without_room_or_network(gdown, monkeypatch, cache):
    """Catches 1.4 GB begun on a disk that cannot take it, and a wait without a network."""
    monkeypatch.setattr(drive.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(CourseError, match=r"1\.5 GB"):
        datasets.get("celeba")
    monkeypatch.setattr(drive, "reachable", lambda url: False)
    with pytest.raises(CourseError, match="no connection"):
        datasets.get("celeba")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(CourseError, match="COURSE_OFFLINE"):
        datasets.get("celeba")
    assert gdown.asked == []


def test_load_never_downloads_celeba(gdown, monkeypatch):
    """Catches a notebook that begins with 1.4 GB."""
    change_entry(monkeypatch, "celeba", stand_in=lambda spec, size: dataclasses.replace(FACES))
    assert datasets.load("celeba").stand_in and gdown.asked == []


FACES = datasets.Dataset(
    "celeba",
    "stand-in",
    *(datasets.Split(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)) for _ in range(2)),
    stand_in=True,
)
