"""What else the machine is doing while it measures."""

from __future__ import annotations

import os


def load_per_core() -> float | None:
    """What other programs ask of each core, with a warning where that spoils the figures."""
    if not hasattr(os, "getloadavg"):  # Windows
        return None
    load = os.getloadavg()[0] / (os.cpu_count() or 1)  # both of the whole machine
    if load > 0.6:
        print(f"  other programs are busy ({load:.1f} per core): the ratio will come out too low")
    return load
