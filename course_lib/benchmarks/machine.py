"""Which machine measures, and what else it is doing."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from course_lib.training import best_device


def described() -> dict[str, str | int]:
    """Processor or GPU, what of it is used, and versions: what figures belong to."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):  # not Linux
        name = platform.processor() or platform.machine()
    found: dict[str, str | int] = {"processor": name, "threads": torch.get_num_threads()}
    found |= {"instructions": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__}
    if best_device().type == "cuda":
        found["GPU"] = torch.cuda.get_device_name()
    return found


def load_per_core() -> float | None:
    """What other programs ask of each core, with a warning where that spoils the figures."""
    if not hasattr(os, "getloadavg"):  # Windows
        return None
    load = os.getloadavg()[0] / (os.cpu_count() or 1)  # both of the whole machine
    if load > 0.6:
        print(f"  other programs are busy ({load:.1f} per core): the ratio will come out too low")
    return load
