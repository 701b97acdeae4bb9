"""The cache: whole files only, damage noticed, full and unwritable disks, two processes at once."""

# ruff: noqa: F811  (a fixture is imported by its name)

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from data_tools import cache, change_entry, notices, tiny  # noqa: F401

from course_lib import datasets
from course_lib.datasets import catalog, digits, registry, store
from course_lib.datasets.splits import Dataset, Split
from course_lib.errors import CourseError
from course_lib.losses import ErrorTerms
from course_lib.training import fit


@pytest.fixture
def path(cache):
    """Where the tests write."""
    return cache / "set.safetensors"


def put(path, data, **info):
    """Write without the forgiving of `keep`."""
    store.write(path, store.parts_of(data), {**store.describe(data), **info})


def same(a: Dataset, b: Dataset) -> bool:
    """Whether two data sets agree in every tensor and name."""
    if store.describe(a) != store.describe(b) or a.splits().keys() != b.splits().keys():
        return False
    pairs = [(a.splits()[key], b.splits()[key], f) for key in a.splits() for f in store.FIELDS]
    tensors = [(getattr(x, f), getattr(y, f)) for x, y, f in pairs]
    return all(x is y is None or (x.dtype == y.dtype and torch.equal(x, y)) for x, y in tensors)


def full_set() -> Dataset:
    """Three splits with everything, in odd sizes so that nothing is aligned by luck."""

    def split(n):
        images = torch.randint(0, 256, (n, 1, 5, 5), dtype=torch.uint8)
        return Split(images, torch.arange(n), torch.rand(n, 3))

    names = {"label_names": ("a", "é"), "factor_names": ("x", "y", "z")}
    return Dataset("mnist", "a test", split(7), split(3), split(1), stand_in=True, **names)


def test_round_trip(path):
    """Catches a lost tensor, dtype, split, name or order."""
    data = full_set()
    put(path, data, made_by="me")
    read, info = store.read(path, made_by="me")
    assert same(read, data) and info["made_by"] == "me"
    read.train.images.add_(1)  # a copy in memory, not the file
    assert same(store.read(path, made_by="me")[0], data)


def test_other_tools_can_read_it(path):
    """Catches a file that only looks like safetensors."""
    from safetensors.torch import load_file

    data = full_set()
    put(path, data)
    assert torch.equal(load_file(path)["valid.factors"], data.valid.factors)


@pytest.mark.parametrize("damage", ["cut", "header", "flipped", "empty", "json", "longer"])
def test_damage_is_noticed_said_and_removed(path, capsys, damage):
    """Catches wrong images from a damaged cache, a crash on it, and damage that stays for ever."""
    put(path, full_set())
    whole = bytearray(path.read_bytes())
    if damage == "flipped":
        whole[-20] ^= 1
    elif damage == "header":
        whole[:8] = b"\xff" * 8
    elif damage == "json":
        whole[10] ^= 4
    cut = {"cut": whole[:-1], "empty": b"", "longer": whole + b"x"}.get(damage, whole)
    path.write_bytes(cut)
    assert store.read(path) is None
    assert len(notices(capsys)) == 1 and not path.exists()


def test_a_damaged_stand_in_is_drawn_again(cache, capsys):
    """Catches a class that stands still because of one bad file in the cache."""
    first = datasets.load("mnist")
    file = catalog.cache_file(registry.SPECS["mnist"], 28, stand_in=True)
    file.write_bytes(file.read_bytes()[:-100])
    capsys.readouterr()
    assert same(datasets.load("mnist"), first)
    (line,) = notices(capsys)
    assert "damaged" in line
    assert same(datasets.load("mnist"), first)


def test_new_drawing_code_draws_again(cache, monkeypatch):
    """Catches pictures of an older version of the course that stay in the cache."""
    datasets.load("mnist")
    monkeypatch.setattr(digits, "N_TRAIN", 50)
    assert len(datasets.load("mnist").train) == 12_000
    monkeypatch.setattr(store, "fingerprint", lambda *modules: "other")
    assert len(datasets.load("mnist").train) == 50


def test_fingerprint_follows_the_sources(tmp_path):
    """Catches a fingerprint that does not change with the code."""
    digits_before = store.fingerprint(digits)
    copy = type(digits)("copy")
    copy.__file__ = str(tmp_path / "copy.py")
    Path(copy.__file__).write_text(Path(digits.__file__).read_text())
    assert store.fingerprint(copy) == digits_before
    Path(copy.__file__).write_text(Path(digits.__file__).read_text() + "#")
    assert store.fingerprint(copy) != digits_before


def breaking(error, data):
    """The parts of a data set, of which the last one fails half-way."""
    *parts, last = store.parts_of(data)

    def blocks():
        array = np.concatenate(list(last.blocks))
        yield array[: len(array) // 2]
        raise error

    return [*parts, last._replace(blocks=blocks())]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (CourseError("3 images cannot be read"), "3 images"),
        (KeyboardInterrupt(), None),
    ],
)
def test_nothing_half_written(path, error, words):
    """Catches a half-written or lost cache file after a full disk, an error or Ctrl-C."""
    old = full_set()
    put(path, old)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else CourseError
    with pytest.raises(expected, match=words):
        store.write(path, breaking(error, tiny("mnist")), {})
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert same(store.read(path)[0], old)


def test_too_few_bytes_are_no_cache_file(path):
    """Catches a file whose header promises more images than came."""
    *parts, last = store.parts_of(tiny("mnist"))
    short = last._replace(blocks=[next(iter(last.blocks))[:-1]])
    with pytest.raises(CourseError, match="bytes came"):
        store.write(path, [*parts, short], {})
    assert list(path.parent.iterdir()) == []


def test_load_goes_on_when_the_disk_is_full(cache, monkeypatch, capsys):
    """Catches a notebook that stops because a stand-in cannot be cached."""

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "_write_blocks", full)
    assert len(datasets.load("mnist").train) == 12_000
    said = notices(capsys)
    assert len(said) == 2 and "disk is full" in said[0] and "memory only" in said[0]
    assert list(cache.iterdir()) == []


def test_load_goes_on_without_a_cache(tmp_path, monkeypatch, capsys):
    """Catches a home directory that cannot be written, as on lab machines: one line, no failure."""
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "cache"))
    assert len(datasets.load("mnist").train) == 12_000
    assert "memory only" in notices(capsys)[0]


def test_large_sets_are_mapped(path, monkeypatch):
    """Catches 2 GB read into memory at every start, or a file changed through a tensor."""
    data = full_set()
    put(path, data)
    monkeypatch.setattr(store, "MAX_IN_MEMORY_BYTES", 1)
    mapped = store.read(path)[0]
    assert same(mapped, data)
    if sys.platform == "linux":
        assert path.name in Path("/proc/self/maps").read_text()
    mapped.train.images.zero_()
    assert same(store.read(path)[0], data)


def test_small_sets_are_not_mapped(path):
    """Catches a cache file that Windows cannot replace because a notebook holds it open."""
    put(path, full_set())
    held = store.read(path)
    if sys.platform == "linux":
        assert path.name not in Path("/proc/self/maps").read_text()
    assert held


def test_two_processes_at_once(cache):
    """Catches processes that tread on each other's unfinished files."""
    code = "from course_lib.datasets import load; print(load('mnist').train.images.sum().item())"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = [run.communicate(timeout=120)[0].splitlines()[-1] for run in runs]
    assert sums[0] == sums[1] and all(run.returncode == 0 for run in runs)
    assert [p.name for p in cache.iterdir()] == ["mnist-28-stand-in.safetensors"]


def test_images_are_drawn_by_one_while_others_wait(cache, monkeypatch):
    """Catches notebooks, or workers of a grader, that all draw the same faces for half a minute."""
    drawn, said, waits = [], [], threading.Event()
    draw = registry.SPECS["mnist"].stand_in

    def slow(spec, size):
        drawn.append(spec.name)
        assert waits.wait(timeout=60)
        return draw(spec, size)

    def notice(line):
        said.append(line)
        waits.set()

    change_entry(monkeypatch, "mnist", stand_in=slow)
    monkeypatch.setattr(store, "notice", notice)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: datasets.load("mnist"), range(2))
    assert drawn == ["mnist"] and torch.equal(one.train.images, other.train.images)
    assert said == ["mnist: another process is drawing it; waiting"]


def test_leftovers_of_a_killed_process_are_swept(path):
    """Catches a cache that fills with unfinished files, and one process removing another's."""
    path.parent.mkdir()
    old, new = (path.with_name(f"{path.name}.{n}.part") for n in "ab")
    for file in (old, new):
        file.write_bytes(b"")
    os.utime(old, (0, 0))
    put(path, full_set())
    assert not old.exists() and new.exists()


def resident_bytes(name):
    """How much of a mapped file is in this process's memory."""
    entries = Path("/proc/self/smaps").read_text().split("VmFlags")
    sizes = [e.split("Rss:")[1].split()[0] for e in entries if name in e and "Rss:" in e]
    return 1024 * sum(map(int, sizes))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_training_gives_a_mapped_file_back(path, monkeypatch):
    """Catches a process that in the end has all of CelebA in memory."""
    images = torch.randint(0, 256, (3000, 3, 64, 64), dtype=torch.uint8)
    put(path, Dataset("celeba", "", Split(images), Split(images[:9])))
    monkeypatch.setattr(store, "MAX_IN_MEMORY_BYTES", 1)
    data = store.read(path)[0]
    most = 0

    def objective(model, x):
        nonlocal most
        most = max(most, resident_bytes(path.name))
        loss = (model(x.flatten(1)) ** 2).mean()
        return loss, ErrorTerms(loss[None])

    model = torch.nn.Linear(3 * 64 * 64, 1)
    list(fit(model, objective, data.train.images, epochs=1, batch_size=100))
    assert most < images.nbytes / 4
    assert torch.equal(data.train.images, images)  # they come again
