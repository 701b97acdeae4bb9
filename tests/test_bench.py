"""The benchmark command: refuses bad input before it measures, and writes whole files."""

import json

import pytest
import torch

from course_lib import writing
from course_lib.benchmarks import conv, train
from course_lib.commands import bench, cli
from course_lib.datasets import Dataset, Split


@pytest.fixture
def tiny(monkeypatch):
    """Ninety images in place of sixty thousand, one round."""
    images = torch.randint(0, 255, (90, 1, 28, 28), dtype=torch.uint8)
    split = Split(images, torch.arange(90) % 10)
    monkeypatch.setattr(train.datasets, "load", lambda name: Dataset(name, "", split, split))
    monkeypatch.setattr(train, "ROUNDS", 1)


def test_both_ways_train_on_the_same_images(tiny, tmp_path):
    """Catches a peer that reads other images, or labels in their place."""
    split = train.datasets.load("mnist").train
    read = train.torchvision_mnist(split, tmp_path)
    assert torch.equal(read.data, split.images[:, 0])
    assert torch.equal(read.targets, split.labels)


def test_figures_are_printed_and_written(tiny, tmp_path, capsys):
    """Catches a table without its ratio, or figures that are not in the file."""
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "train", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["train"]
    assert figures["images"] == 90
    assert figures["ratio"] > 0
    assert "ratio" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def few_faces(monkeypatch):
    """Ninety images in place of twenty thousand, a second in place of minutes."""
    images = torch.randint(0, 255, (90, 3, 64, 64), dtype=torch.uint8)
    data = Dataset("celeba", "", Split(images), Split(images), valid=Split(images))
    monkeypatch.setattr(conv.datasets, "load", lambda name, size: data)
    for name, value in {"ROUNDS": 2, "STEPS": 1, "TRAIN_SECONDS": 0.4, "TURN_SECONDS": 0.1}.items():
        monkeypatch.setattr(conv, name, value)


def test_convolutions_are_compared_at_equal_size_and_time(few_faces, tmp_path, capsys):
    """Catches networks of different size or depth, and one that trains longer than the other."""
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "conv", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["conv"]
    peer, course = figures["transposed"], figures["course"]
    assert 0.75 < course["parameters"] / peer["parameters"] < 1.25
    assert min(peer["steps"], course["steps"]) > 0
    assert min(peer["psnr"], course["psnr"]) > 3  # decibels, of noise
    assert len(figures["times"]["course"]) == conv.ROUNDS
    assert course["psnr"] == max(course["psnr by rate"].values())
    assert "ratio" in capsys.readouterr().out


def test_the_peer_mirrors_four_convolutions_of_stride_two():
    """Catches a peer that is made slow, or that is not what it is said to be."""
    peer = conv.networks()["transposed"]()
    for part, kind in ((peer.encoder, torch.nn.Conv2d), (peer.decoder, torch.nn.ConvTranspose2d)):
        layers = [layer for layer in part if isinstance(layer, kind)]
        assert [layer.stride for layer in layers] == [(2, 2)] * 4
    x = torch.rand(2, 3, 64, 64)
    assert peer.decode(peer.encode(x)).shape == x.shape


def test_clocks_run_in_turns_alone(few_faces):
    """Catches a network whose clock runs while the other one trains."""
    trained = conv.equal_time(conv.datasets.load("celeba", size=64).train.images)
    slowest_step = 2.0  # seconds, on a busy machine
    for runner in [*trained["transposed"], *trained["course"]]:
        assert conv.TRAIN_SECONDS <= runner.seconds < conv.TRAIN_SECONDS + slowest_step


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "unknown benchmark 'trian': did you mean train?"),
        (["train", "--json", "."], "is not the path of a file"),
        (["train", "--json", "nowhere/figures.json"], "is not the path of a file"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(arguments, words, monkeypatch, capsys):
    """Catches minutes of work that end in an error that was there from the start."""
    monkeypatch.setattr(train, "run", lambda: pytest.fail("measured"))
    assert cli.main(["bench", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    """Catches a truncated file of figures, or an internal error."""

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "replace", full)
    with pytest.raises(bench.CourseError, match="No space left"):
        writing.write_whole(tmp_path / "figures.json", b"{}")
    assert not list(tmp_path.iterdir())
