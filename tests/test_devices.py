"""Where is computed: a GPU that works, else the CPU with a reason; how many threads."""

import json
import os
import subprocess
import sys
import warnings

import pytest
import torch

from course_lib import devices
from course_lib.commands import checks

OLD_DRIVER = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). "
    "Please update your GPU driver by downloading and installing a new version from the URL."
)
NO_KERNELS = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel …"
LACKS = "The operator 'aten::pixel_shuffle' is not currently implemented for the MPS device. If …"


@pytest.fixture(autouse=True)
def fresh():
    """The device is chosen anew in each test, and after it."""
    devices.best_device.cache_clear()
    yield
    devices.best_device.cache_clear()


def offer(monkeypatch, *, cuda=False, mps=False, warning=None):
    """PyTorch says that it sees these GPUs."""

    def is_available():
        if warning:
            warnings.warn(warning, UserWarning, stacklevel=2)
        return cuda

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_gpu_that_works_is_used(kind, monkeypatch, capsys):
    """Catches a GPU that is left out, and words about one that is well."""
    offer(monkeypatch, **{kind: True})
    monkeypatch.setattr(devices, "_train_one_step", lambda kind: None)
    assert devices.best_device() == torch.device(kind)
    assert not capsys.readouterr().out


BROKEN = {
    "an architecture without kernels": ("cuda", RuntimeError(NO_KERNELS), "no kernel image"),
    "no memory": ("cuda", torch.OutOfMemoryError("CUDA out of memory. Tried …"), "out of memory"),
    "an operation that is lacking": ("mps", NotImplementedError(LACKS), "pixel_shuffle"),
    "a PyTorch without CUDA": ("cuda", AssertionError("Torch not compiled with CUDA"), "compiled"),
    "no word": ("cuda", RuntimeError(), "RuntimeError"),
}


@pytest.mark.parametrize(("kind", "error", "words"), BROKEN.values(), ids=BROKEN)
def test_a_gpu_that_fails_is_told_once_in_a_line(kind, error, words, monkeypatch, capsys):
    """Catches a notebook that ends with a traceback of CUDA, and one line in every training."""

    def fail(kind):
        raise error

    offer(monkeypatch, **{kind: True})
    monkeypatch.setattr(devices, "_train_one_step", fail)
    assert devices.best_device() == devices.best_device() == torch.device("cpu")
    (line,) = capsys.readouterr().out.splitlines()
    assert words in line and kind in line and line.endswith("computing on the CPU")


def test_a_driver_too_old_is_a_line_and_no_warning(monkeypatch, capsys, recwarn):
    """Catches PyTorch's paragraph about the driver in red, or silence."""
    offer(monkeypatch, warning=OLD_DRIVER)
    assert devices.best_device() == torch.device("cpu")
    assert "driver on your system is too old (found version 11040)" in capsys.readouterr().out
    assert not recwarn.list


def test_the_next_kind_is_tried(monkeypatch, capsys):
    """Catches a working GPU that is left out because another one fails."""
    offer(monkeypatch, warning=OLD_DRIVER, mps=True)
    monkeypatch.setattr(devices, "_train_one_step", lambda kind: None)
    assert devices.best_device() == torch.device("mps") and not capsys.readouterr().out


def test_the_trial_runs_and_changes_no_random_numbers(monkeypatch):
    """Catches a trial that fails on every device, and weights that depend on it."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    devices._train_one_step("cpu")
    assert torch.equal(before, torch.get_rng_state())
    monkeypatch.setattr(devices, "TRIAL_BYTES", 2**60)
    assert devices._trouble("cpu")


def test_without_a_gpu_nothing_is_said(monkeypatch, capsys):
    """Catches an excuse on the machines of most students."""
    offer(monkeypatch)
    assert devices.best_device() == torch.device("cpu") and not capsys.readouterr().out


def test_doctor_says_why_a_gpu_is_not_used(monkeypatch):
    """Catches a doctor that calls a GPU the device on which no notebook can run."""
    lines = [line for line in checks.PROBE.splitlines() if "choose()" not in line]
    lines.insert(2, "import torch; device, why_not = torch.device('cpu'), 'the GPU is too old'")
    monkeypatch.setattr(checks, "PROBE", "\n".join(lines))
    _, row, *_ = checks.torch_and_data()
    assert row.state == checks.NOTE and "the GPU is too old" in row.found and row.advice


def threads(first, **environment):
    """Threads and how they wait, in a fresh Python that first imports this."""
    code = f"{first}; import json, os, torch; from course_lib import machine; "
    code += "torch.set_num_threads(8); machine.cores = lambda: 6; import course_lib.training; "
    code += "print(json.dumps([torch.get_num_threads(), os.environ.get('OMP_WAIT_POLICY')]))"
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    env = {k: v for k, v in os.environ.items() if k not in names} | environment
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("first", "environment", "wanted"),
    [
        ("import course_lib", {}, [6, "passive"]),
        ("import torch", {}, [3, None]),
        ("import course_lib", {"OMP_WAIT_POLICY": "active"}, [6, "active"]),
        ("import course_lib", {"OMP_NUM_THREADS": "7"}, [8, "passive"]),
    ],
)
def test_threads_leave_room_for_others(first, environment, wanted, root):
    """Catches kernels whose spinning threads block each other, more threads than cores, and a
    choice of the user's own that is overridden."""
    assert threads(first, PYTHONPATH=str(root), **environment) == wanted
