"""Two processes train as one does: the same losses, the same weights, files written once."""

import json
import os
import subprocess
import sys

import data_tools
import pytest
import torch
import two_processes

from course_lib import checkpoints, parallel
from course_lib.commands import cli


@pytest.fixture(scope="module")
def together(tmp_path_factory, root):
    """The folder in which two processes have left what they found."""
    out = tmp_path_factory.mktemp("two")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
         root / "tests/two_processes.py", out],
        cwd=root, capture_output=True, text=True, timeout=600,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("train faces: ") == 1  # only the first process tells
    return out


def test_two_processes_have_the_losses_of_one(together):
    """Catches gradients of half a batch, noise of its own in each process, a σ of half a batch."""
    first, second = (json.loads((together / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second  # the same weights, to the last bit
    alone = two_processes.curves()
    for name, found in alone.items():
        for key, value in found.items():
            flat = torch.tensor(value).flatten(), torch.tensor(first[name][key]).flatten()
            torch.testing.assert_close(
                *flat, rtol=1e-4, atol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
            )
    assert len({json.dumps(found) for found in alone.values()}) == len(alone)


def test_the_command_trains_faces_in_two_processes(together, monkeypatch, tmp_path):
    """Catches a curve of half the images, files that two processes write, a lost `--epochs`."""
    data_tools.cut_images(monkeypatch, two_processes.FEW)
    monkeypatch.setattr(cli.environment, "ensure", lambda *_, **__: None)
    assert cli.main(["train", "faces", "--epochs", "1", "--out", str(tmp_path)]) == 0
    names = checkpoints.names(tmp_path)
    assert names == checkpoints.names(together / "together") and len(names) == 8
    for name in names:
        one, two = (checkpoints.card(name, folder=f) for f in (tmp_path, together / "together"))
        assert one["training"]["epochs"] == two["training"]["epochs"] == 1
        for key in ("train", "valid"):
            assert len(two["curve"][key]) == 1
            assert two["curve"][key] == pytest.approx(one["curve"][key], rel=1e-3)


def test_alone_nothing_is_shared(monkeypatch):
    """Catches a process that waits for others without `torchrun`."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with parallel.group() as rank:
        assert rank == 0 and not parallel.is_on()
        index = torch.arange(5)
        assert torch.equal(parallel.part_of(index), index)


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("n", [1, 2, 16, 101])
def test_parts_make_up_the_batch(monkeypatch, n, size):
    """Catches an image that two processes count, or none does, and weights that do not sum to 1."""
    monkeypatch.setattr(parallel, "is_on", lambda: True)
    monkeypatch.setattr(parallel.dist, "get_world_size", lambda: size)
    parts, weights = [], []
    for rank in range(size):
        monkeypatch.setattr(parallel.dist, "get_rank", lambda rank=rank: rank)
        parts.append(parallel.part_of(torch.arange(n)))
        weights.append(parallel._weight(n))
    assert sum(weights) == pytest.approx(1)
    assert min(map(len, parts)) > 0
    if n >= size:
        assert torch.cat(parts).tolist() == list(range(n))
    else:
        assert all(part.tolist() == list(range(n)) for part in parts)


@pytest.mark.parametrize("draw", [
    lambda b: torch.randn(b, 3),
    lambda b: torch.rand(b),
    lambda b: torch.randn_like(torch.zeros(b, 2, 2)),
    lambda b: torch.empty(b, 5).normal_(),
    lambda b: torch.distributions.Normal(torch.zeros(b, 3), torch.ones(b, 3)).rsample(),
    lambda b: torch.randint(0, 1000, (b,)),
    lambda b: torch.nn.functional.dropout(torch.ones(b, 9)),
])  # fmt: skip
def test_noise_of_a_part_is_cut_from_that_of_the_whole(monkeypatch, draw):
    """Catches noise that depends on how many processes there are."""
    torch.manual_seed(0)
    whole = draw(8)
    monkeypatch.setattr(parallel, "is_on", lambda: True)
    monkeypatch.setattr(parallel.dist, "get_world_size", lambda: 2)
    for rank, own in ((0, slice(0, 4)), (1, slice(4, 8))):
        monkeypatch.setattr(parallel.dist, "get_rank", lambda rank=rank: rank)
        torch.manual_seed(0)
        with parallel.noise_of(8):
            part = draw(4)
        assert torch.equal(part, whole[own])
        after = torch.rand(3)
        torch.manual_seed(0)
        draw(8)
        assert torch.equal(after, torch.rand(3))
