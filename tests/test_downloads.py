"""Whole data sets from a server on loopback, unpacked and read by torchvision's classes."""

# ruff: noqa: F811  (a fixture is imported by its name)

import gzip
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
import torchvision.datasets
from data_tools import (  # noqa: F401
    cache,
    change_entry,
    cifar_archive,
    encoded,
    mnist_files,
    notices,
    pixels,
    shrink,
    write_files,
)
from loopback import md5, names, server  # noqa: F401

from course_lib import datasets
from course_lib.datasets import downloads, fetch, registry, store
from course_lib.errors import CourseError


@pytest.fixture
def mnist(server, monkeypatch, cache):
    """An MNIST of 7 and 3 images that torchvision's class finds on the server."""
    server.files = {f"{k}.gz": gzip.compress(v, mtime=0) for k, v in mnist_files().items()}
    resources = [(name, md5(data)) for name, data in server.files.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setenv("COURSE_OFFLINE", "0")
    change_entry(monkeypatch, "mnist", servers=(server.url,))
    return shrink(monkeypatch, "mnist", (7, 3))


def test_load_downloads_once(mnist, server, cache, capsys):
    """Catches wrong images, a stand-in in spite of a network, archives left behind."""
    data = datasets.load("mnist")
    assert torch.equal(data.train.images[:, 0], torch.from_numpy(pixels(7, 28, 28)))
    assert not data.stand_in and "downloaded" in data.source and notices(capsys) == []
    assert len(server.seen) == 4
    again = datasets.load("mnist")
    assert len(server.seen) == 4 and torch.equal(again.test.images, data.test.images)
    assert names(cache) == ["downloads", "mnist-28.safetensors"]
    assert names(cache / "downloads") in ([], ["mnist.lock"])


def test_get_says_where(mnist, server, cache):
    """Catches a second download, and a sentence that does not say where the images are."""
    assert "7 training and 3 test images" in datasets.get("mnist")
    line = datasets.get("mnist")
    assert "at hand" in line and str(cache) in line and len(server.seen) == 4
    assert dict(datasets.at_hand())["mnist"] == str(cache / "mnist-28.safetensors")


def test_get_replaces_an_import(mnist, tmp_path):
    """Catches `data get` that is content with somebody's own images."""
    members = {f"{i}.png": encoded(pixels(28, 28)) for i in range(4)}
    datasets.import_images(write_files(tmp_path / "mine", members), "mnist")
    assert "imported" in datasets.load("mnist").source
    datasets.get("mnist")
    assert "downloaded" in datasets.load("mnist").source


def test_interrupted_download_in_a_class(mnist, server, capsys):
    """Catches a class stopped by a broken download, and one that has to begin again."""
    server.mode = "break"
    data = datasets.load("mnist")
    (line,) = notices(capsys)
    assert data.stand_in and "broke off" in line
    done = [name for name, _ in server.seen]
    assert not datasets.load("mnist").stand_in
    resumed = [(name, part) for name, part in server.seen[len(done) :] if part]
    assert [name for name, _ in resumed] == [done[-1]]


def test_get_with_a_wrong_checksum(mnist, server, cache):
    """Catches a data set made of damaged archives."""
    server.files["t10k-labels-idx1-ubyte.gz"] += b"x"
    with pytest.raises(CourseError, match="wrong checksum"):
        datasets.get("mnist")
    assert names(cache) == ["downloads"] and dict(datasets.at_hand())["mnist"] is None


def test_second_mirror(mnist, server, monkeypatch):
    """Catches a download that gives up when the first mirror is gone."""
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url + "old/", server.url])
    assert "7 training" in datasets.get("mnist")


def test_archive_that_is_not_what_it_says(mnist, server, monkeypatch, cache):
    """Catches a traceback where an archive has the right checksum but the wrong content."""
    name = "train-images-idx3-ubyte.gz"
    server.files[name] = gzip.compress(b"junk")
    resources = [(key, md5(data)) for key, data in server.files.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    with pytest.raises(CourseError) as error:
        datasets.get("mnist")
    assert "\n" not in str(error.value) and names(cache) == ["downloads"]


def test_get_on_a_full_disk(mnist, monkeypatch, cache):
    """Catches `data get` that claims success although nothing could be kept."""

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write_blocks", full)
    with pytest.raises(CourseError, match="disk is full"):
        datasets.get("mnist")
    assert names(cache) == ["downloads"]


def test_download_without_a_cache(mnist, tmp_path, monkeypatch, capsys):
    """Catches a download that fails because the home directory cannot be written."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "cache"))
    assert not datasets.load("mnist").stand_in
    assert "memory only" in notices(capsys)[0]


def test_offline(mnist, server, monkeypatch, capsys):
    """Catches a request in spite of COURSE_OFFLINE=1."""
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    assert datasets.load("mnist").stand_in and "COURSE_OFFLINE" in notices(capsys)[0]
    with pytest.raises(CourseError, match="COURSE_OFFLINE"):
        datasets.get("mnist")
    assert server.seen == []


def test_no_network(mnist, monkeypatch, capsys):
    """Catches a class that hangs without a network."""
    monkeypatch.setattr(fetch, "PROBE_TIMEOUT_S", 0.2)
    change_entry(monkeypatch, "mnist", servers=("http://127.0.0.1:9/",))
    assert datasets.load("mnist").stand_in and "no connection" in notices(capsys)[0]
    with pytest.raises(CourseError, match="no connection"):
        datasets.get("mnist")


def test_two_at_once_download_once(mnist, server):
    """Catches two notebooks that write into the same unfinished file."""
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(downloads.download(mnist))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 2 and len(server.seen) == 4
    assert torch.equal(results[0].train.images, results[1].train.images)


def test_course_data_needs_no_download(mnist, tmp_path, monkeypatch, server):
    """Catches a download of what the lecturer has already put there."""
    write_files(tmp_path / "data" / "MNIST" / "raw", mnist_files())
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    assert "nothing to download" in datasets.get("mnist") and server.seen == []
    assert "nothing to download" in datasets.get("sprites")


def test_cifar10(server, monkeypatch, cache):
    """Catches channels last, labels as a list, an archive unpacked in the wrong place."""
    data = cifar_archive(monkeypatch)
    server.files = {"cifar-10-python.tar.gz": data}
    loader = torchvision.datasets.CIFAR10
    monkeypatch.setattr(loader, "url", server.url + "cifar-10-python.tar.gz")
    monkeypatch.setattr(loader, "tgz_md5", md5(data))
    monkeypatch.setenv("COURSE_OFFLINE", "")
    change_entry(monkeypatch, "cifar10", servers=(server.url,))
    cifar = datasets.load("cifar10")
    expected = np.concatenate([pixels(2, 3072, seed=i) for i in range(5)]).reshape(10, 3, 32, 32)
    assert torch.equal(cifar.train.images, torch.from_numpy(expected))
    assert cifar.train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert cifar.label_names == registry.CIFAR10_CLASSES and cifar.test.labels.tolist() == [5, 4]
    assert not (cache / "downloads" / "cifar10").exists()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_the_servers_are_those_that_torchvision_asks(name):
    """Catches a network that is called missing because another server than torchvision's is."""
    spec = registry.SPECS[name]
    urls = [url for urls, _, _ in downloads._archives(spec) for url in urls]
    assert {"://".join(urlsplit(url)[:2]) for url in urls} == set(spec.servers)
