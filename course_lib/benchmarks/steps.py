"""One step of a slider, timed in a kernel: the course's panels, and what they are held against.

Beside a panel: a slider and a picture of ipywidgets that show its decoded image and nothing else,
the least that a live image can cost; and `interact` with a figure, as notebooks often have it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import ipywidgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from torch import Tensor

from course_lib import checkpoints, plots, widgets
from course_lib.widgets import Panel

MLP, PAD, CONV = "MLP, sliders", "MLP, pad", "conv 64×64, sliders"
PEER = {name: f"{name}: interact" for name in (MLP, CONV)}
PEER_ALONE = {name: f"{name}: interact, image alone" for name in PEER}
PEERS = {*PEER.values(), *PEER_ALONE.values()}
BARE = {name: f"{name}: image alone" for name in (MLP, PAD, CONV)}
SHAPES = {MLP: (1, 28, 28), PAD: (1, 28, 28), CONV: (3, 64, 64)}
CHECKPOINTS = {MLP: "mnist-decoder-64-beta-1", PAD: "mnist-decoder-2", CONV: "faces-vae-128"}
SLIDERS, LIMIT, STEP = 8, 3.0, 0.1
ROUNDS = 20  # after a first one that is not counted
OWN_STEPS, PEER_STEPS = 15, 3  # in each round


def decoder(name: str) -> Callable[[Tensor], Tensor]:
    """z to the mean of p(x|z), of the committed model that this panel shows."""
    model, _ = checkpoints.load(CHECKPOINTS[name])
    return lambda z: model.decode(z).mean


@torch.no_grad()
def effect(name: str) -> Tensor:
    """How much each latent changes the image, (d,): puts the sliders into an order without data."""
    model, _ = checkpoints.load(CHECKPOINTS[name])
    d = checkpoints.card(CHECKPOINTS[name])["model"]["arguments"]["latent_dim"]
    images = model.decode(torch.cat([torch.zeros(1, d), 2 * torch.eye(d)])).mean.flatten(1)
    return (images[1:] - images[0]).square().sum(1)


def panel(name: str) -> Panel:
    """One of the course's panels on a committed model."""
    if name == PAD:
        codes = torch.randn(3_000, 2, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(3_000) % 10
        ends = (-3, 3, -3, 3)
        return widgets.pad(decoder(name), codes=codes, labels=labels, extent=ends, manifold=True)
    return widgets.latents(decoder(name), effect(name), shape=SHAPES[name], shown=SLIDERS)


def bare(name: str) -> list[ipywidgets.FloatSlider]:
    """A slider for one latent, and the decoded image at its own size: decode, encode, send."""
    decode, heights = decoder(name), effect(name)
    slider = ipywidgets.FloatSlider(min=-LIMIT, max=LIMIT, step=STEP)
    image, strongest = ipywidgets.Image(format="png"), int(heights.argmax())

    def show(change: dict) -> None:
        z = torch.zeros(1, len(heights))
        z[0, strongest] = change["new"]
        with torch.no_grad():
            image.value = plots.to_png(decode(z).reshape(SHAPES[name]))

    slider.observe(show, names="value")
    return [slider]


def interact(name: str, *, alone: bool) -> list[ipywidgets.FloatSlider]:
    """The same model behind `interact`, which draws a new figure at each step.

    The figure has the panel's two pictures, or the image alone: the least that shows anything.
    """
    decode, heights = decoder(name), effect(name).sort(descending=True)
    order, begin = heights.indices[:SLIDERS], torch.zeros(1, len(heights.values))

    def show(**values: float) -> None:
        z = begin.clone()
        z[0, order] = torch.tensor(list(values.values()))
        with torch.no_grad():
            image = decode(z).reshape(SHAPES[name]).permute(1, 2, 0).clamp(0, 1)
        count = 1 if alone else 2
        figure, axes = plt.subplots(1, count, figsize=(4 * count, 4), squeeze=False)
        axes[0, 0].imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
        axes[0, 0].set_axis_off()
        if not alone:
            axes[0, 1].bar(range(1, 1 + len(heights.values)), heights.values.numpy())
        display(figure)  # as a figure is shown at the end of a cell
        plt.close(figure)

    ends = {"min": -LIMIT, "max": LIMIT, "step": STEP}
    sliders = {f"z{i + 1}": ipywidgets.FloatSlider(**ends) for i in order.tolist()}
    ipywidgets.interact(show, **sliders)
    return list(sliders.values())


def move(slider: ipywidgets.FloatSlider, value: float) -> tuple[float, float]:
    """Milliseconds that the kernel takes for the message a front end sends when a slider moves.

    By the clock on the wall, and of processor time, in which other programs do not count.
    """
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    message = {"content": {"data": data}, "buffers": []}
    start, worked = time.perf_counter(), time.process_time()
    slider._handle_msg(message)
    wall, processor = time.perf_counter() - start, time.process_time() - worked
    return 1000 * wall, 1000 * processor


def walk(
    sliders: list[ipywidgets.FloatSlider], rng: np.random.Generator, count: int
) -> list[tuple[float, float]]:
    """`move` of so many moves of one slider, picked at random, to neighbouring stops."""
    slider = sliders[rng.integers(len(sliders))]
    first = slider.min + slider.step * rng.integers(20)
    move(slider, round(first, 6))
    return [move(slider, round(first + i * slider.step, 6)) for i in range(1, count + 1)]


def measure() -> dict[str, list[tuple[float, float]]]:
    """`move` of each step, by panel: all of them in turns, so that they share the machine."""
    mpl.rcdefaults()  # what the peer draws with, whatever the user's own settings
    panels = {name: panel(name) for name in (MLP, PAD, CONV)}
    movers = {name: [p.controls[k] for k in p.controls if k != "map"] for name, p in panels.items()}
    movers |= {BARE[name]: bare(name) for name in BARE}
    movers |= {PEER[name]: interact(name, alone=False) for name in PEER}
    movers |= {PEER_ALONE[name]: interact(name, alone=True) for name in PEER}
    rng, times = np.random.default_rng(0), {name: [] for name in movers}
    for number in range(1 + ROUNDS):
        for name, sliders in movers.items():
            count = PEER_STEPS if name in PEERS else OWN_STEPS
            found = walk(sliders, rng, count)
            times[name] += found if number else []
    return times


def report() -> None:
    """Print what was measured, as JSON on a line of its own."""
    times = measure()
    print(json.dumps({"milliseconds": times}), flush=True)
