"""One epoch of an MLP VAE (784-256-256-64, batch 256, fp32): `fit` against a DataLoader loop."""

from __future__ import annotations

import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST
from tqdm import tqdm

from course_lib import datasets
from course_lib.benchmarks.machine import load_per_core
from course_lib.datasets import Split
from course_lib.losses import vae_objective
from course_lib.models import MLPVAE
from course_lib.training import best_device, fit

BATCH, ROUNDS = 256, 5


def epoch_from_memory(images: torch.Tensor) -> None:
    """The course's own loop."""
    for _ in fit(MLPVAE(64), vae_objective, images, epochs=1, batch_size=BATCH):
        pass


def epoch_from_loader(data: MNIST) -> None:
    """What most tutorials do: torchvision's MNIST, ToTensor for each image, DataLoader, Adam."""
    device = best_device()
    model = MLPVAE(64).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for x, _ in DataLoader(data, batch_size=BATCH, shuffle=True):
        loss, _ = vae_objective(model, x.to(device).flatten(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def torchvision_mnist(split: Split, root: Path) -> MNIST:
    """The same images, stand-ins too, through torchvision's own class, which reads IDX files."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):  # the class looks for both
        n, _, h, w = split.images.shape
        head, labels = struct.pack(">IIII", 2051, n, h, w), split.labels.to(torch.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + split.images.numpy().tobytes())
        head = struct.pack(">II", 2049, n)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.numpy().tobytes())
    return MNIST(root, transform=transforms.ToTensor())


def seconds(epoch: Callable[[], None]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    epoch()
    return time.perf_counter() - start


def run() -> dict:
    """Alternate the two, after a warm-up of each, and compare medians and pairwise ratios."""
    train = datasets.load("mnist").train
    load = load_per_core()
    with tempfile.TemporaryDirectory() as root:
        loader_set = torchvision_mnist(train, Path(root))
        ways = {
            "DataLoader loop": lambda: epoch_from_loader(loader_set),
            "from memory": lambda: epoch_from_memory(train.images),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for name in tqdm([*ways] * (1 + ROUNDS), desc="epochs"):
            times[name].append(seconds(ways[name]))
    times = {name: values[1:] for name, values in times.items()}  # the first warms up
    return report(times, images=len(train.images)) | {"load per core": load}


def report(times: dict[str, list[float]], *, images: int) -> dict:
    """Print and return medians, and the median of the ratios of neighbouring runs."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    for name, value in medians.items():
        print(f"  {name:16s} {value:6.2f} s per epoch of {images:,} images")
    print(f"  {'ratio':16s} {ratio:6.2f}, {torch.get_num_threads()} threads, {ROUNDS} rounds")
    return {"seconds": times, "median": medians, "ratio": ratio, "images": images}
