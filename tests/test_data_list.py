"""`data list`: what is at hand, where, how large, and where the cache is; `doctor` agrees."""

# ruff: noqa: F811  (a fixture is imported by its name)

import pytest
from data_tools import cache, mnist_files, shrink, tiny, write_files  # noqa: F401

from course_lib import datasets
from course_lib.commands import checks
from course_lib.datasets import catalog, registry, store

pytestmark = pytest.mark.usefixtures("cache")


def keep(name, **shape):
    """An imported set in the cache."""
    data, spec = tiny(name, **shape), registry.SPECS[name]
    path = catalog.cache_file(spec, spec.sizes[0], stand_in=data.stand_in)
    made_by = {"made_by": "x"} if data.stand_in or spec.procedural else {}
    store.write(path, store.parts_of(data), {**store.describe(data), **made_by})
    return path


def listed(here, capsys, *arguments) -> tuple[dict[str, str], str]:
    """The lines of the table by data set, and the last line; nothing else is on stdout."""
    assert here(["data", *arguments]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    rows = dict(line.split(maxsplit=1) for line in lines)
    assert list(rows) == list(registry.SPECS)
    return rows, last


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_the_table(here, capsys, cache, tmp_path, monkeypatch, arguments):
    """Catches a set that is left out, a wrong size or place, and a cache that nobody finds."""
    shrink(monkeypatch, "mnist", (5000, 1000))
    folder = tmp_path / "data" / "MNIST" / "raw"
    write_files(folder, mnist_files(n_train=5000, n_test=1000))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    cifar = keep("cifar10", n=1000, size=32, channels=3)
    keep("celeba", n=500, size=64, channels=3, stand_in=True)
    keep("sprites", n=1000, size=32)
    rows, last = listed(here, capsys, *arguments)
    assert rows["mnist"] == f"5 MB  {folder}"
    assert rows["cifar10"] == f"6 MB  {cifar}"
    assert rows["celeba"].startswith("12 MB  a stand-in; ")
    assert rows["celeba"].endswith("python -m course_lib data get celeba")
    assert rows["fashion_mnist"].startswith("-  a stand-in; ")
    assert rows["sprites"] == "2 MB  drawn by the course"
    assert rows["faces"] == "-  drawn by the course"
    assert last == f"cache: {cache}"


def test_why_files_do_not_count(here, capsys, tmp_path, monkeypatch):
    """Catches a damaged set shown as at hand, or as if nothing were there."""
    keep("cifar10").write_bytes(b"cut")
    write_files(tmp_path / "MNIST" / "raw", {"train-images-idx3-ubyte": b"cut"})
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    rows, _ = listed(here, capsys)
    assert "train-images-idx3-ubyte has the wrong length" in rows["mnist"]
    assert "cifar10-32.safetensors is cut off" in rows["cifar10"]
    found = {row.what: row for row in checks.data_sets()}
    assert found["data mnist"].state == checks.BAD and "replace" in found["data mnist"].advice
    assert "train-images-idx3-ubyte" in found["data mnist"].found
    assert found["data cifar10"].state == checks.NOTE and "cut" in found["data cifar10"].found
    assert found["data sprites"] == checks.Row("data sprites", "drawn by the course")


def test_a_pipe_gets_the_table_alone(course, cache, tmp_path):
    """Catches `using …` or a notice among the lines that a script reads."""
    done = course("data", "list", COURSE_CACHE=str(cache), COURSE_OFFLINE="1", COURSE_DATA="")
    lines = done.stdout.splitlines()
    names = [*registry.SPECS, "cache:"]
    assert done.returncode == 0 and [line.split()[0] for line in lines] == names
    members = write_files(tmp_path / "x", {"a.txt": b""})
    done = course("data", "import", members, "cifar10", COURSE_CACHE=str(cache))
    assert done.returncode == 2 and done.stdout == "" and "no images" in done.stderr


def test_sizes_follow_no_link_that_leads_nowhere(tmp_path):
    """Catches a list that ends in a traceback, or that counts a folder's links."""
    from course_lib.commands.data import size_on_disk

    write_files(tmp_path / "a", {"b/c": b"12345", "d": b"678"})
    try:
        (tmp_path / "a" / "lost").symlink_to("nowhere")
        (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert 8 <= size_on_disk(tmp_path / "a") < 8 + 500
    assert datasets.at_hand()
