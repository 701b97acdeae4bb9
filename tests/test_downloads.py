"""Downloads, from a server on loopback: checksums, broken connections, resume, time-outs."""

import dataclasses
import gzip
import hashlib
import io
import os
import pickle
import socket
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision.datasets
from data_tools import cache, mnist_files, pixels, shrink  # noqa: F401

from course_lib import datasets
from course_lib.datasets import catalog, downloads, drive, fetch, store
from course_lib.errors import CourseError

NAME = "big.bin"
DATA = pixels(300_000).tobytes()


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files`; `server.mode` says what goes wrong with the next GET."""

    def log_message(self, *args):
        """Be quiet."""

    def do_HEAD(self):
        """What the probe asks."""
        if self.server.mode == "deaf":
            time.sleep(3)
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        """One file, or the part that Range asks for."""
        server, name = self.server, self.path.lstrip("/")
        server.seen.append((name, self.headers.get("Range")))
        mode, data = server.mode, server.files.get(name)
        if data is None or mode == "busy":
            return self.send_error(503 if mode == "busy" else 404)
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if mode == "no range":
            start = 0
        if start and start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            wrong = 7 if mode == "wrong range" else 0
            self.send_header("Content-Range", f"bytes {start + wrong}-{len(data) - 1}/{len(data)}")
        if mode != "no length":
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:]
        if mode in ("break", "hang"):
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            server.mode = "" if mode == "break" else mode
            server.release.wait(3 if mode == "hang" else 0)
            return self.connection.close()
        self.wfile.write(rest)


@pytest.fixture
def server(monkeypatch):
    """A server on loopback, without proxies in between."""
    for key in list(os.environ):
        if key.lower().endswith("_proxy"):
            monkeypatch.delenv(key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}/"
    server.files, server.mode, server.seen = {NAME: DATA}, "", []
    server.release = threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


def md5(data) -> str:
    """As torchvision's classes keep it."""
    return hashlib.md5(data).hexdigest()


def names(folder) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


# --- one file --------------------------------------------------------------------------------


def get_file(server, tmp_path, *, checksum=None):
    """Fetch the server's big file."""
    path = tmp_path / NAME
    fetch.fetch(server.url + NAME, path, md5=checksum or md5(DATA))
    return path


@pytest.mark.parametrize("mode", ["", "no length"])
def test_right_file(server, tmp_path, mode):
    """Catches a lost or doubled chunk, and a file left under its temporary name."""
    server.mode = mode
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert names(tmp_path) == [NAME]


def test_progress_is_visible(server, tmp_path, capsys):
    """Catches a download that looks like a standstill."""
    get_file(server, tmp_path)
    assert NAME in capsys.readouterr().err


def test_wrong_checksum(server, tmp_path):
    """Catches a wrong file put in place, or one that poisons every later try."""
    with pytest.raises(CourseError, match="wrong checksum"):
        get_file(server, tmp_path, checksum="0" * 32)
    assert names(tmp_path) == []


def test_broken_connection_and_resume(server, tmp_path):
    """Catches half a file taken for a whole one, and a second try that begins again."""
    server.mode = "break"
    with pytest.raises(CourseError, match="broke off"):
        get_file(server, tmp_path)
    assert names(tmp_path) == [NAME + ".part"]
    half = (tmp_path / (NAME + ".part")).stat().st_size
    assert 0 < half < len(DATA)
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert server.seen[-1] == (NAME, f"bytes={half}-") and names(tmp_path) == [NAME]


def test_server_that_ignores_ranges(server, tmp_path):
    """Catches the whole file appended to the half that was there."""
    (tmp_path / (NAME + ".part")).write_bytes(DATA[:1000])
    server.mode = "no range"
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert len(server.seen) == 1


def test_server_that_sends_another_range(server, tmp_path):
    """Catches bytes from the wrong place appended without a look at Content-Range."""
    (tmp_path / (NAME + ".part")).write_bytes(DATA[:1000])
    server.mode = "wrong range"
    with pytest.raises(CourseError, match="unexpected answer"):
        get_file(server, tmp_path)
    assert (tmp_path / (NAME + ".part")).read_bytes() == DATA[:1000]


@pytest.mark.parametrize("start", [b"x" * 1000, b"x" * 300_000, b"x" * 400_000])
def test_wrong_beginning_is_thrown_away(server, tmp_path, start):
    """Catches a `.part` of another file, as long or longer, that spoils every later try."""
    (tmp_path / (NAME + ".part")).write_bytes(start)
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert len(server.seen) == 2 and server.seen[1][1] is None


def test_part_that_is_already_whole(server, tmp_path):
    """Catches a download repeated because its last step, the renaming, was interrupted."""
    (tmp_path / (NAME + ".part")).write_bytes(DATA)
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert len(server.seen) == 1


@pytest.mark.parametrize(("mode", "code"), [("", "404"), ("busy", "503")])
def test_refusals(server, tmp_path, mode, code):
    """Catches a traceback, or an error page kept as the file."""
    server.mode, server.files = mode, {}
    with pytest.raises(CourseError, match=code):
        get_file(server, tmp_path)
    assert names(tmp_path) == []


def test_server_that_hangs(server, tmp_path, monkeypatch):
    """Catches a class that waits for ever for a server that has fallen silent."""
    monkeypatch.setattr(fetch, "STALL_SECONDS", 0.3)
    server.mode = "hang"
    start = time.monotonic()
    with pytest.raises(CourseError, match="broke off"):
        get_file(server, tmp_path)
    assert time.monotonic() - start < 2.5 and names(tmp_path) == [NAME + ".part"]


def test_full_disk(server, tmp_path, monkeypatch):
    """Catches a full disk reported as a network fault."""

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch, "_copy", full)
    with pytest.raises(CourseError, match="disk is full"):
        get_file(server, tmp_path)
    assert not (tmp_path / NAME).exists()


def test_probe(server, monkeypatch):
    """Catches a probe that hangs, and one that takes a closed door for an open one."""
    assert fetch.reachable("http://127.0.0.1:9/", server.url)
    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.3)
    server.mode = "deaf"
    start = time.monotonic()
    assert not fetch.reachable(server.url)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert not fetch.reachable(f"http://127.0.0.1:{closed.getsockname()[1]}/")

    def no_answer(*args, **kwargs):
        time.sleep(1.5)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", no_answer)  # a name server that is silent
    assert not fetch.reachable("http://nowhere.invalid/", "http://nowhere2.invalid/")
    assert time.monotonic() - start < 1.4


# --- whole data sets, by torchvision's classes -----------------------------------------------


@pytest.fixture
def mnist(server, monkeypatch, cache):  # noqa: F811
    """An MNIST of 7 and 3 images that torchvision's class finds on the server."""
    server.files = {f"{k}.gz": gzip.compress(v, mtime=0) for k, v in mnist_files().items()}
    resources = [(name, md5(data)) for name, data in server.files.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setenv("COURSE_OFFLINE", "0")
    return shrink(monkeypatch, "mnist", (7, 3))


def test_load_downloads_once(mnist, server, cache, capsys):  # noqa: F811
    """Catches wrong images, a stand-in in spite of a network, archives left behind."""
    data = datasets.load("mnist")
    assert torch.equal(data.train.images[:, 0], torch.from_numpy(pixels(7, 28, 28)))
    assert not data.stand_in and "downloaded" in data.source and capsys.readouterr().out == ""
    assert len(server.seen) == 4
    again = datasets.load("mnist")
    assert len(server.seen) == 4 and torch.equal(again.test.images, data.test.images)
    assert names(cache) == ["downloads", "mnist-28.safetensors"]
    assert names(cache / "downloads") in ([], ["mnist.lock"])


def test_get_says_where(mnist, server, cache):  # noqa: F811
    """Catches a second download, and a sentence that does not say where the images are."""
    assert "7 training and 3 test images" in datasets.get("mnist")
    line = datasets.get("mnist")
    assert "at hand" in line and str(cache) in line and len(server.seen) == 4
    assert dict(datasets.at_hand())["mnist"] == str(cache / "mnist-28.safetensors")


def test_get_replaces_an_import(mnist, tmp_path):
    """Catches `data get` that is content with somebody's own images."""
    from data_tools import encoded, write_files

    members = {f"{i}.png": encoded(pixels(28, 28)) for i in range(4)}
    datasets.import_images(write_files(tmp_path / "mine", members), "mnist")
    assert "imported" in datasets.load("mnist").source
    datasets.get("mnist")
    assert "downloaded" in datasets.load("mnist").source


def test_interrupted_download_in_a_class(mnist, server, capsys):
    """Catches a class stopped by a broken download, and one that has to begin again."""
    server.mode = "break"
    data = datasets.load("mnist")
    line = capsys.readouterr().out
    assert data.stand_in and "broke off" in line and line.count("\n") == 1
    done = [name for name, _ in server.seen]
    assert not datasets.load("mnist").stand_in
    resumed = [(name, part) for name, part in server.seen[len(done) :] if part]
    assert [name for name, _ in resumed] == [done[-1]]


def test_get_with_a_wrong_checksum(mnist, server, cache):  # noqa: F811
    """Catches a data set made of damaged archives."""
    server.files["t10k-labels-idx1-ubyte.gz"] += b"x"
    with pytest.raises(CourseError, match="wrong checksum"):
        datasets.get("mnist")
    assert names(cache) == ["downloads"] and dict(datasets.at_hand())["mnist"] is None


def test_second_mirror(mnist, server, monkeypatch):
    """Catches a download that gives up when the first mirror is gone."""
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url + "old/", server.url])
    assert "7 training" in datasets.get("mnist")


def test_archive_that_is_not_what_it_says(mnist, server, monkeypatch, cache):  # noqa: F811
    """Catches a traceback where an archive has the right checksum but the wrong content."""
    name = "train-images-idx3-ubyte.gz"
    server.files[name] = gzip.compress(b"junk")
    resources = [(key, md5(data)) for key, data in server.files.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    with pytest.raises(CourseError) as error:
        datasets.get("mnist")
    assert "\n" not in str(error.value) and names(cache) == ["downloads"]


def test_get_on_a_full_disk(mnist, monkeypatch, cache):  # noqa: F811
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
    assert "memory only" in capsys.readouterr().out


def test_offline(mnist, server, monkeypatch, capsys):
    """Catches a request in spite of COURSE_OFFLINE=1."""
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    assert datasets.load("mnist").stand_in and "COURSE_OFFLINE" in capsys.readouterr().out
    with pytest.raises(CourseError, match="COURSE_OFFLINE"):
        datasets.get("mnist")
    assert server.seen == []


def test_no_network(mnist, monkeypatch, capsys):
    """Catches a class that hangs without a network."""
    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert datasets.load("mnist").stand_in and "no connection" in capsys.readouterr().out
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
    from data_tools import write_files

    write_files(tmp_path / "data" / "MNIST" / "raw", mnist_files())
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    assert "nothing to download" in datasets.get("mnist") and server.seen == []
    assert "nothing to download" in datasets.get("sprites")


def cifar_archive(monkeypatch) -> bytes:
    """CIFAR-10's archive, two images per batch; torchvision's class is given its checksums."""
    loader = torchvision.datasets.CIFAR10
    members = {}
    for i, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        batch = {"data": pixels(2, 3072, seed=i), "labels": [i, 9 - i]}
        members[name] = pickle.dumps(batch)
    members["batches.meta"] = pickle.dumps({"label_names": list(catalog.THINGS)})
    sums = [[name, md5(data)] for name, data in members.items()]
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


def test_cifar10(server, monkeypatch, cache):  # noqa: F811
    """Catches channels last, labels as a list, an archive unpacked in the wrong place."""
    data = cifar_archive(monkeypatch)
    server.files = {"cifar-10-python.tar.gz": data}
    loader = torchvision.datasets.CIFAR10
    monkeypatch.setattr(loader, "url", server.url + "cifar-10-python.tar.gz")
    monkeypatch.setattr(loader, "tgz_md5", md5(data))
    monkeypatch.setenv("COURSE_OFFLINE", "")
    shrink(monkeypatch, "cifar10", (10, 2))
    cifar = datasets.load("cifar10")
    expected = np.concatenate([pixels(2, 3072, seed=i) for i in range(5)]).reshape(10, 3, 32, 32)
    assert torch.equal(cifar.train.images, torch.from_numpy(expected))
    assert cifar.train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert cifar.label_names == catalog.THINGS and cifar.test.labels.tolist() == [5, 4]
    assert not (cache / "downloads" / "cifar10").exists()


# --- CelebA from Google Drive ----------------------------------------------------------------


@pytest.fixture
def gdown(monkeypatch, cache):  # noqa: F811
    """A `gdown` that gives what `drive.files` holds, by file name."""
    fake = SimpleNamespace(files={name: name.encode() for name in drive.NEEDED}, asked=[])

    def download(id, output, **options):
        name = os.path.basename(output)
        fake.asked.append(name)
        if name not in fake.files:
            raise RuntimeError("Too many users have viewed or downloaded this file recently.\nmore")
        with open(output, "wb") as file:
            file.write(fake.files[name])

    sums = [("id", md5(name.encode()), name) for name in drive.NEEDED]
    monkeypatch.setattr(torchvision.datasets.CelebA, "file_list", sums)
    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace(download=download))
    monkeypatch.setattr(drive, "reachable", lambda url: True)
    monkeypatch.setenv("COURSE_OFFLINE", "")
    return fake


def test_celeba_comes_by_get(gdown, cache):  # noqa: F811
    """Catches files put where `load` does not look, or fetched twice."""
    assert "three files" in datasets.get("celeba")
    assert names(cache / "celeba") == sorted(drive.NEEDED)
    assert "at hand" in datasets.get("celeba") and len(gdown.asked) == 3


@pytest.mark.parametrize("trouble", ["quota", "checksum", "no gdown"])
def test_celeba_over_quota_says_how_to_get_it_by_hand(gdown, cache, trouble, monkeypatch):  # noqa: F811
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
    assert drive.PAGE in text and "img_align_celeba.zip" in text
    left = [] if trouble == "no gdown" else ["list_attr_celeba.txt", "list_eval_partition.txt"]
    assert names(cache / "celeba") == left


def test_celeba_without_room_or_network(gdown, monkeypatch, cache):  # noqa: F811
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
    from course_lib.datasets import loading

    monkeypatch.setitem(loading.DRAW, "celeba", lambda spec, size: dataclasses.replace(FACES))
    assert datasets.load("celeba").stand_in and gdown.asked == []


FACES = datasets.Dataset(
    "celeba",
    "stand-in",
    *(datasets.Split(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)) for _ in range(2)),
    stand_in=True,
)
