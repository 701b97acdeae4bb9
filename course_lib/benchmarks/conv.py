"""Step time, and quality at equal time, of `ConvAutoencoder` against transposed convolutions.

The peer is the usual network for 64×64 images: four convolutions of kernel 4 and stride 2 with
ReLU, 32-64-128-256 channels, a linear layer to the code, and all of it mirrored. Both train in
fp32 on the same images in memory, with the same objective, batches, fused Adam and one-cycle rate.
Each is trained once with every peak rate of RATES, and shown at its best one.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import datasets
from course_lib.benchmarks.machine import load_per_core
from course_lib.benchmarks.report_models import usual_halves
from course_lib.losses import autoencoder_objective
from course_lib.metrics import psnr
from course_lib.models import ConvAutoencoder
from course_lib.training import best_device, to_float

LATENT_DIM, WIDTH, BATCH = 128, 112, 128
ROUNDS, STEPS = 15, 3  # of the timing
TRAIN_SECONDS, TURN_SECONDS = 30.0, 0.5  # of each training, and of its turns
RATES = (1e-3, 2e-3, 4e-3)


class TransposedAutoencoder(nn.Module):
    """3 × 64 × 64 through 256 × 4 × 4 to d numbers, and back by transposed convolutions."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder = usual_halves(latent_dim, latent_dim)
        self.to(memory_format=torch.channels_last)  # the faster layout for it too

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, 64, 64) to (B, d)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, d) to (B, 3, 64, 64) in [0, 1]."""
        return torch.sigmoid(self.decoder(z))


class Runner:
    """A network in training, with a clock that runs in its turns alone."""

    def __init__(self, model: nn.Module, images: Tensor, *, rate: float, seed: int = 0) -> None:
        self.model, self.images, self.rate = model.to(best_device()).train(), images, rate
        fused = best_device().type != "mps"
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate, fused=fused)
        self.shuffle = torch.Generator().manual_seed(seed)
        self.steps, self.seconds = 0, 0.0

    def step(self, share: float = 0.5) -> None:
        """One gradient step at the rate for this share of the training."""
        height = 0.5 - 0.5 * math.cos(math.pi * min(share / 0.3, (1 - share) / 0.7))
        self.optimizer.param_groups[0]["lr"] = self.rate * height
        batch = torch.randint(len(self.images), (BATCH,), generator=self.shuffle)
        loss, _ = autoencoder_objective(self.model, to_float(self.images[batch], best_device()))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()  # waits for a GPU
        self.steps += 1

    def turn(self, length: float, *, total: float) -> None:
        """Train for `length` seconds, of `total` in all."""
        start, before = time.perf_counter(), self.seconds
        while self.seconds < min(before + length, total):
            self.step(self.seconds / total)
            self.seconds = before + time.perf_counter() - start


def networks() -> dict[str, Callable[[], nn.Module]]:
    """The two networks, of about the same size."""
    return {
        "transposed": lambda: TransposedAutoencoder(LATENT_DIM),
        "course": lambda: ConvAutoencoder(LATENT_DIM, width=WIDTH),
    }


def runner(name: str, images: Tensor, *, rate: float = RATES[0]) -> Runner:
    """One of them, new, always from the same seed."""
    torch.manual_seed(0)
    return Runner(networks()[name](), images, rate=rate)


def step_times(images: Tensor) -> dict[str, list[float]]:
    """Milliseconds per training step, in rounds that alternate; the first round warms up."""
    pair = {name: runner(name, images) for name in networks()}
    times: dict[str, list[float]] = {name: [] for name in pair}
    for _ in tqdm(range(1 + ROUNDS), desc="timing"):
        for name, one in pair.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                one.step()
            times[name].append(1000 * (time.perf_counter() - start) / STEPS)
    return {name: values[1:] for name, values in times.items()}


def equal_time(images: Tensor) -> dict[str, list[Runner]]:
    """Train both equally long at each rate, in short turns: they share whatever else goes on."""
    trained = {name: [runner(name, images, rate=rate) for rate in RATES] for name in networks()}
    for _ in tqdm(range(math.ceil(TRAIN_SECONDS / TURN_SECONDS)), desc="training"):
        for i in range(len(RATES)):
            for some in trained.values():
                some[i].turn(TURN_SECONDS, total=TRAIN_SECONDS)
    return trained


@torch.no_grad()
def quality(model: nn.Module, images: Tensor) -> float:
    """Mean PSNR of the reconstructions, decibels."""
    parts = [to_float(part, best_device()) for part in images.split(500)]
    model.eval()
    return torch.cat([psnr(x, model.decode(model.encode(x))) for x in parts]).mean().item()


def run() -> dict:
    """Time both, train both for equal time, and print them side by side."""
    data = datasets.load("celeba", size=64)
    load = load_per_core()
    times = step_times(data.train.images)
    rows = {}
    for name, trained in equal_time(data.train.images).items():
        decibels = [quality(one.model, data.valid.images) for one in trained]
        best = max(range(len(RATES)), key=decibels.__getitem__)
        rows[name] = {
            "parameters": sum(p.numel() for p in trained[best].model.parameters()),
            "ms per step": statistics.median(times[name]),
            "steps": trained[best].steps,
            "rate": RATES[best],
            "psnr": decibels[best],
            "psnr by rate": dict(zip(map(str, RATES), decibels, strict=True)),
        }
    return report(times, rows) | {"load per core": load, "data": data.name}


def report(times: dict[str, list[float]], rows: dict[str, dict]) -> dict:
    """Print and return sizes, medians, the median of the rounds' ratios, and PSNRs."""
    ratio = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    for name, row in rows.items():
        print(f"  {name:11s} {row['parameters']:9,} parameters {row['ms per step']:7.1f} ms a step")
        print(
            f"  after {TRAIN_SECONDS:.0f} s: {row['steps']:9,} steps {row['psnr']:16.2f} dB", end=""
        )
        print(f", at rate {row['rate']:g}")
    print(f"  ratio {ratio:.2f}, {torch.get_num_threads()} threads, batches of {BATCH}")
    return {"ratio": ratio, "seconds": TRAIN_SECONDS, "times": times} | rows
