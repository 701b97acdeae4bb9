"""Where to compute: a GPU that works, else the CPU, on the cores that this process may use."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import machine

TRIAL_BYTES = 512 * 2**20  # of memory that a GPU must have free to be of use


@functools.cache
def best_device() -> torch.device:
    """CUDA if there is one that works, else Apple's GPU, else the CPU; says once why not a GPU."""
    device, why_not = choose()
    if why_not:
        print(f"{why_not}: computing on the CPU")
    return device


def choose() -> tuple[torch.device, str]:
    """The device, and one line on a GPU that is there and cannot be used, or ""."""
    why_not = ""
    for kind, trouble in _offered().items():
        trouble = trouble or _trouble(kind)
        if not trouble:
            return torch.device(kind), ""
        why_not = f"the GPU ({kind}) is not used, {trouble}"
    return torch.device("cpu"), why_not


def generators(device: torch.device) -> list[torch.Generator]:
    """Those that random numbers on the CPU and on this device come from."""
    found = [torch.default_generator]
    if device.type == "cuda":
        found.append(torch.cuda.default_generators[torch.cuda.current_device()])
    elif device.type == "mps":
        found.append(torch.mps._get_default_mps_generator())
    return found


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Random numbers from this seed, on the CPU and the device; the caller's own stay as they were.

    Code of students too draws from the one generator of a device: its state is lent, which takes
    microseconds; `torch.random.fork_rng` with `torch.manual_seed` takes a quarter of a millisecond.
    """
    lent = generators(torch.device(device))
    states = [generator.get_state() for generator in lent]
    for generator in lent:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(lent, states, strict=True):
            generator.set_state(state)


def resident(data: tuple[Tensor, ...], device: torch.device) -> tuple[Tensor, ...]:
    """The data on the GPU where they take at most half of what is free there, else as they are."""
    room = _free_bytes(device)
    return tuple(t.to(device) for t in data) if 2 * sum(t.nbytes for t in data) <= room else data


def _free_bytes(device: torch.device) -> int:
    """Of a GPU's memory; a CPU has the data already."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return 0


def _offered() -> dict[str, str]:
    """The kinds of GPU that PyTorch sees, each with what it says against it: a driver too old."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cuda = torch.cuda.is_available()
    found = {"cuda": "" if cuda else _first_line(said[-1].message)} if cuda or said else {}
    return found | ({"mps": ""} if torch.backends.mps.is_available() else {})


def _trouble(kind: str) -> str:
    """Why one step of training fails on this device, in a line; "" where it works."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # says of old GPUs what the error says again
            _train_one_step(kind)
    except (RuntimeError, AssertionError, TypeError) as error:
        return _first_line(error)
    return ""


def _train_one_step(kind: str) -> None:
    """What every training of the course does: bytes to floats, a small network, Adam."""
    torch.empty(TRIAL_BYTES, dtype=torch.uint8, device=kind)
    x = torch.zeros(2, 3, 8, 8, dtype=torch.uint8).to(kind).float()
    with torch.random.fork_rng(devices=[]):  # the weights are of no use: the caller's numbers stay
        first, last = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(1024, 4)
    model = nn.Sequential(first, nn.PixelShuffle(2), nn.Flatten(), last).to(kind)
    z = model(x)
    loss = F.mse_loss(z, torch.ones_like(z))
    optimizer = torch.optim.Adam(model.parameters(), fused=kind != "mps")
    loss.backward()
    optimizer.step()
    if not loss.isfinite().item():
        raise RuntimeError("it computes nan")


def _first_line(error: Exception | Warning) -> str:
    """The first sentence of a message: PyTorch's go on for a paragraph."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0].rstrip(".:")[:150]


def limit_threads() -> None:
    """A thread per core that this process has, where the user has not said how many.

    Where torch was loaded before the course, its threads spin while they wait, and two programs
    with a thread per core slow each other down many times over: then half as many.
    """
    if {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & os.environ.keys():
        return
    spins = not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    most = max(1, machine.cores() // 2) if spins else machine.cores()
    torch.set_num_threads(min(torch.get_num_threads(), most))


limit_threads()
