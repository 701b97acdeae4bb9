"""Where PyTorch's wheels come from: its own CPU index spares 4 GB where there is no NVIDIA GPU."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"  # Windows only: Linux's ordinary wheels do
CHOICES = ("auto", "cpu", "cuda")
INDEX_TIMEOUT_S = 3.0
CUDA_GB = 8.5  # free space that Linux's ordinary wheels take: unpacked, and once as downloads


class Source(NamedTuple):
    """`index` is None for the ordinary wheels; `line` says which and why, `doubt` what if not."""

    name: str
    index: str | None
    gigabytes: float
    line: str
    doubt: str = ""


def choose(
    wanted: str,
    *,
    platform: str = sys.platform,
    cpu_index: str = CPU_INDEX,
    nvidia: bool | None = None,
) -> Source:
    """Decides by `--torch`, the system, the NVIDIA driver and whether the index answers in 3 s."""
    name = forced(wanted, platform=platform)
    if name == "cuda-index":
        return Source(name, CUDA_INDEX, 7.0, "PyTorch with CUDA from its own index: --torch cuda")
    if name == "ordinary" and platform != "linux":
        return Source(name, None, 2.5, "PyTorch's ordinary wheels: the right ones for this system")
    if name == "ordinary":
        return Source(name, None, CUDA_GB, "PyTorch's ordinary wheels, with CUDA: --torch cuda")
    if wanted == "auto" and (has_nvidia_driver() if nvidia is None else nvidia):
        why = "an NVIDIA driver is here"
        return Source("ordinary", None, CUDA_GB, f"PyTorch's ordinary wheels, with CUDA: {why}")
    trouble = problem(f"{cpu_index}/torch/")
    if trouble is None or trouble.of_this_network:
        why = "--torch cpu" if wanted == "cpu" else "no NVIDIA driver is here"
        line = f"PyTorch for CPUs from its own index: {why}"
        if trouble is None:
            return Source("cpu-index", cpu_index, 2.5, line)
        # pip has certificates and proxies of its own, and does not need what Python's lacks.
        return Source(
            "cpu-index", cpu_index, 2.5, f"{line} (asking it failed, pip tries: {trouble.reason})",
            f" ({trouble.reason}: set PIP_CERT or HTTPS_PROXY as your network wants it, "
            "or take the ordinary wheels, 5 GB, with --torch cuda)",
        )  # fmt: skip
    if wanted == "cpu":
        raise CourseError(
            f"{cpu_index} does not answer ({trouble.reason}): try later, or leave --torch cpu out"
        )
    why = f"no NVIDIA driver is here, but PyTorch's CPU index does not answer: {trouble.reason}"
    return Source("ordinary", None, CUDA_GB, f"PyTorch's ordinary wheels (5 GB): {why}")


def forced(wanted: str, *, platform: str = sys.platform) -> str | None:
    """Name of the source where `wanted` and the system alone decide; None: choose() has to look."""
    if platform == "linux":
        return "ordinary" if wanted == "cuda" else None
    if wanted == "cuda" and platform == "darwin":
        raise CourseError("--torch cuda: a Mac has no CUDA; leave it out, its GPU works as mps")
    return "cuda-index" if wanted == "cuda" else "ordinary"


def keeps(stamped: str | None, wanted: str | None) -> bool:
    """Whether an installed source satisfies `--torch`; without --torch, any does."""
    if stamped is None or wanted in (None, "auto"):
        return True
    return stamped == (forced(wanted) or "cpu-index")


def has_nvidia_driver() -> bool:
    """The driver's own file, or its tool (which is all that there is under WSL)."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


class Problem(NamedTuple):
    """Why an address did not answer; `of_this_network` where a certificate or a proxy refused."""

    reason: str
    of_this_network: bool


def problem(url: str, *, timeout: float = INDEX_TIMEOUT_S) -> Problem | None:
    """None if `url` gives 200 in time, name resolution and redirects included."""
    import urllib.request  # slow to import, and only an installation needs it

    verdict: list[Problem | None] = []

    def ask() -> None:
        try:
            with urllib.request.build_opener().open(url, timeout=timeout):  # not 2xx: raises
                verdict.append(None)
        except (OSError, ValueError) as error:  # no name, no route, refused, an HTTP error
            verdict.append(_problem_of(error, proxied="https" in urllib.request.getproxies()))

    # urlopen's timeout counts per socket call and not at all in name resolution: a thread's does.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    return verdict[0] if verdict else Problem(f"nothing in {timeout:.0f} s", False)


def _problem_of(error: Exception, *, proxied: bool) -> Problem:
    import ssl  # as slow

    cause = getattr(error, "reason", error)
    text = " ".join(str(cause if isinstance(cause, Exception) else error).split())
    if isinstance(cause, ssl.SSLError):
        return Problem(f"its certificate: {getattr(cause, 'verify_message', '') or text}", True)
    code = getattr(error, "code", None)
    if code == 407 or "407" in text:
        return Problem(f"the proxy wants a password: {text}", True)
    refuses = code is not None or "Tunnel" in text  # a proxy's 403 is an index that is blocked
    return Problem(f"the proxy: {text}" if proxied else text, proxied and not refuses)
