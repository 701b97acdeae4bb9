"""The benchmark command: refuses bad input before it measures, and writes whole files."""

import json

import pytest
import torch

from course_lib import writing
from course_lib.benchmarks import conv, peers, train
from course_lib.benchmarks.products import layer_products
from course_lib.commands import bench, cli
from course_lib.datasets import Dataset, Split


@pytest.fixture
def tiny(monkeypatch):
    """Ninety images in place of sixty thousand, one round, one epoch to a goal near at hand."""

    def few(name, size=28):
        images = torch.randint(0, 255, (90, 3 if size == 64 else 1, size, size), dtype=torch.uint8)
        split = Split(images, torch.arange(90) % 10)
        return Dataset(name, "", split, split)

    monkeypatch.setattr(train.datasets, "load", few)
    monkeypatch.setattr(train, "ROUNDS", 1)
    monkeypatch.setattr(train, "GOAL", 1000.0)
    monkeypatch.setattr(peers, "is_there", lambda module: False)


def test_a_goal_out_of_reach_is_said(tiny, monkeypatch, capsys):
    """Catches a time to a goal that no training reached, and figures that are no JSON."""
    monkeypatch.setattr(train, "GOAL", 0.0)
    monkeypatch.setattr(train, "MOST_EPOCHS", 1)
    table = {"images": 90, "ways": {"fit": {"seconds": 1.0}, "bound": {"seconds": 1.0}}}
    found = train.time_to_goal({task.name: table for task in train.TASKS})
    assert json.dumps(found, allow_nan=False) and found["fit"]["minutes"] is None
    assert "fit              not reached in 1 epochs" in capsys.readouterr().out


def test_both_ways_train_on_the_same_images(tiny, tmp_path):
    """Catches a peer that reads other images, or labels in their place."""
    split = train.datasets.load("mnist").train
    read = peers.as_dataset(split, tmp_path)
    assert torch.equal(read.data, split.images[:, 0])
    assert torch.equal(read.targets, split.labels)


def test_figures_are_printed_and_written(tiny, tmp_path, capsys):
    """Catches a table without its ratio, or figures that are not in the file."""
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "train", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["train"]
    assert {"processor", "threads", "torch"} <= figures["machine"].keys()
    printed = capsys.readouterr().out
    for task in train.TASKS:
        found = figures[task.name]
        assert found["images"] == 90 and {"fit", "bare loop", "DataLoader loop"} <= {*found["ways"]}
        for name, row in found["ways"].items():
            base = found["ways"][row["of"]]
            assert row["ratio"] == pytest.approx(row["all"][0] / base["all"][0])  # of one round
            assert row["of"] == (name.replace("fit", "bound") if "fit" in name else "fit")
            assert row["least"] <= row["ratio"] <= row["most"]
    assert printed.count("pythae is left out: pip install pythae") == len(train.TASKS)
    goal, tables = figures["time to goal"], {t.batch: figures[t.name] for t in train.TASKS[:2]}
    assert goal.keys() == {"fit", "DataLoader loop"}
    for way, row in goal.items():  # the same epochs at each batch: then the faster one is best
        seconds = {batch: table["ways"][way]["seconds"] for batch, table in tables.items()}
        assert row["epochs"] == (2 if way == "fit" else 1)
        assert row["batch"] == min(seconds, key=seconds.get)
        assert row["minutes"] * 60 == pytest.approx(row["epochs"] * seconds[row["batch"]])
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("task", train.TASKS, ids=lambda task: task.name)
def test_all_ways_train_the_same_network(task, tiny, tmp_path, monkeypatch):
    """Catches a peer with another network, another loss, or one that does not train it."""
    data, made, losses = task.images(), [], []
    monkeypatch.setattr(peers, "is_there", train.peers.importlib.util.find_spec)

    def model():
        torch.manual_seed(0)
        made.append(task.model())
        made[-1].start = torch.nn.utils.parameters_to_vector(made[-1].parameters()).detach()
        return made[-1]

    def objective(net, x):
        loss, terms = task.objective(net, x)
        losses.append(loss.item())
        return loss, terms

    spied = task._replace(model=model, objective=objective, batch=90)
    names = {name for name, (package, _) in peers.PACKAGES.items() if peers.is_there(package)}
    for name, epoch in train.ways(spied, data, tmp_path).items():
        made.clear(), losses.clear()
        epoch()
        if name != "bound":
            end = torch.nn.utils.parameters_to_vector(made[-1].parameters()).detach()
            assert not torch.equal(end, made[-1].start), name
            names.discard(name)
    assert not names


@pytest.mark.parametrize("task", train.TASKS, ids=lambda task: task.name)
def test_the_bound_has_each_product_of_a_step(task, tiny, monkeypatch):
    """Catches a layer or a gradient that is left out, and one that a step does not compute."""
    model, x = task.model(), task.images().images[:8] / 255
    counted = {}
    for name, run in (
        ("step", lambda: task.objective(model, x)[0].backward()),
        ("bound", layer_products(model, x, 8)),
    ):
        with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
            run()
        counted[name] = counter.get_total_flops()
    assert counted["bound"] == counted["step"] > 0


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


def test_clocks_run_in_turns_alone(few_faces, monkeypatch):
    """Catches a network whose clock runs while the other one trains."""
    now = 0.0

    def step(self, share=0.5):
        nonlocal now
        now += 0.03
        self.steps += 1

    monkeypatch.setattr(conv.time, "perf_counter", lambda: now)
    monkeypatch.setattr(conv.Runner, "step", step)
    trained = conv.equal_time(conv.datasets.load("celeba", size=64).train.images)
    for runner in [*trained["transposed"], *trained["course"]]:
        assert runner.seconds == pytest.approx(0.03 * runner.steps)
        assert conv.TRAIN_SECONDS <= runner.seconds < conv.TRAIN_SECONDS + 0.03


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
