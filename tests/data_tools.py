"""Small data sets in the layouts of the real ones, for the tests of `course_lib.datasets`."""

import dataclasses
import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib import datasets
from course_lib.datasets import loading, registry
from course_lib.datasets.splits import Dataset, Split

ATTRIBUTES = [f"Attribute_{i}" for i in range(38)] + ["Male", "Smiling"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no COURSE_DATA and no network: what a test finds is what it made."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(loading, "_announced_names", set())
    return folder


def notices(capsys):
    """The lines on stderr that stay there, which progress bars do not; stdout is empty."""
    out, error = capsys.readouterr()
    assert out == ""
    return [line for line in (text.split("\r")[-1] for text in error.split("\n")) if line.strip()]


def shrink(monkeypatch, name, counts):
    """Let a data set be complete with only these numbers of training and test images."""
    return change_entry(monkeypatch, name, counts=counts)


def change_entry(monkeypatch, name, **changes):
    """Change fields of a data set's entry in the table."""
    changed = dataclasses.replace(registry.SPECS[name], **changes)
    monkeypatch.setitem(registry.SPECS, name, changed)
    return changed


def cut_images(monkeypatch, few):
    """From now on `datasets.load` gives this many images of each split, all over it."""
    import torch

    load = datasets.load

    def cut(name, **options):
        data = load(name, **options)
        parts = {
            key: split.take(torch.linspace(0, len(split) - 1, few[key]).long())  # all factors vary
            for key, split in data.splits().items()
        }
        if name == "mnist":  # so that what belongs to committed models of real digits runs as well
            data = data.renamed(stand_in=False)
        return data.renamed(**parts)

    monkeypatch.setattr(datasets, "load", cut)


def pixels(*shape, seed=0):
    """Random uint8 images."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def tiny(name, *, n=6, size=28, channels=1, seed=0, **fields) -> Dataset:
    """A data set of n training and n test images."""
    import torch

    def split(offset):
        images = torch.from_numpy(pixels(n, channels, size, size, seed=seed + offset))
        return Split(images, torch.arange(n) % 3)

    fields = {"source": "a test", "label_names": ("a", "b", "c"), **fields}
    return Dataset(name, train=split(0), test=split(1), **fields)


def idx(array) -> bytes:
    """The IDX format of MNIST: 0, 0, type 8 (uint8), dimensions, sizes, data."""
    array = np.asarray(array, dtype=np.uint8)
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def mnist_files(*, n_train=7, n_test=3, side=28) -> dict[str, bytes]:
    """The four files of an MNIST with few images; labels count up from 0."""
    files = {}
    for prefix, n, seed in (("train", n_train, 0), ("t10k", n_test, 1)):
        files[f"{prefix}-images-idx3-ubyte"] = idx(pixels(n, side, side, seed=seed))
        files[f"{prefix}-labels-idx1-ubyte"] = idx(np.arange(n) % 10)
    return files


def cifar_archive(monkeypatch) -> bytes:
    """The archive of a CIFAR-10 of 10 and 2 images; torchvision's class is given its checksums."""
    import torchvision.datasets

    shrink(monkeypatch, "cifar10", (10, 2))
    loader = torchvision.datasets.CIFAR10
    members = {}
    for i, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        batch = {"data": pixels(2, 3072, seed=i), "labels": [i, 9 - i]}
        members[name] = pickle.dumps(batch)
    members["batches.meta"] = pickle.dumps({"label_names": list(registry.CIFAR10_CLASSES)})
    sums = [[name, hashlib.md5(data).hexdigest()] for name, data in members.items()]
    monkeypatch.setattr(loader, "train_list", sums[:5])
    monkeypatch.setattr(loader, "test_list", sums[5:6])
    monkeypatch.setattr(loader, "meta", {**loader.meta, "md5": sums[6][1]})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files by relative name; returns the folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def encoded(array, kind="PNG") -> bytes:
    """An image file of an array (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def celeba_files(*, parts=(4, 2, 3), width=178, height=218) -> dict[str, bytes]:
    """CelebA's layout: aligned images, 40 attributes, partition; image i has attribute i alone.

    The red channel of image i is 10 i, green rises to the right and blue downwards.
    """
    n = sum(parts)
    names = [f"{i + 1:06}.jpg" for i in range(n)]
    down, right = np.mgrid[:height, :width]
    files = {}
    for i, name in enumerate(names):
        image = np.stack([np.full_like(down, 10 * i), right, down], axis=2).astype(np.uint8)
        files[f"img_align_celeba/{name}"] = encoded(image, "JPEG")
    signs = [["1" if j == i else "-1" for j in range(40)] for i in range(n)]
    rows = [f"{name} {'  '.join(sign)}" for name, sign in zip(names, signs, strict=True)]
    table = [str(n), " ".join(ATTRIBUTES) + " ", *rows]
    codes = np.repeat([0, 1, 2], parts)
    partition = [f"{name} {code}" for name, code in zip(names, codes, strict=True)]
    files["list_attr_celeba.txt"] = "\n".join(table).encode() + b"\n"
    files["list_eval_partition.txt"] = "\n".join(partition).encode() + b"\n"
    return files
