"""The compiler that is imported late: nothing before it is needed, all of it from then on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINS = """
import course_lib, sys, torch, torchvision.datasets
model = torch.nn.Linear(3, 1)
adam = torch.optim.Adam(model.parameters(), fused=True)
for _ in range(3):
    adam.zero_grad()
    model(torch.ones(2, 3)).sum().backward()
    adam.step()
slope = torch.func.vmap(torch.func.grad(lambda x: x**3))(torch.ones(2))
assert torch.equal(slope, torch.full((2,), 3.0))
"""
UNUSED = "assert 'torch._dynamo.convert_frame' not in sys.modules, 'imported without need'\n"
WHOLE = """
import importlib
real = importlib.import_module("torch._dynamo")
assert real.__file__ and torch._dynamo is real and real.utils is sys.modules["torch._dynamo.utils"]
assert real.config is sys.modules["torch._dynamo.config"] and real.config.__spec__.origin
assert real.compiled_autograd is sys.modules["torch._dynamo.compiled_autograd"]
assert real.compiled_autograd.__file__
"""
COMPILED = """
double = torch.compile(lambda x: 2 * x + 1, backend="eager")
assert torch.equal(double(torch.ones(3)), torch.full((3,), 3.0))
"""
FAILS = """
import os, traceback
def fails(code):
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    try:
        exec(code, globals())
        os._exit(0)
    except BaseException:
        print(code, traceback.format_exc(), file=sys.stderr, flush=True)
        os._exit(1)
"""
ASKED = (
    "import torch._dynamo.config",
    "from torch._dynamo import config",
    "from torch._dynamo.backends.registry import list_backends; assert list_backends()",
    "import torch._dynamo; torch._dynamo.reset()",
    "import torch._dynamo.utils as u; u.counters",
    "from torch._dynamo import compiled_autograd as c; c.reset()",
)


def run(code):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def run_each(cases):
    """Run each by itself after TRAINS; where the system can fork, torch is loaded only once."""
    if hasattr(os, "fork"):
        cases = [f"{FAILS}\nassert not sum([fails(code) for code in {cases!r}])"]
    for code in cases:
        run(f"{TRAINS}\n{code}")


def test_what_asks_for_the_compiler_gets_all_of_it():
    """Catches two copies of a module, of which one is configured and the other is used."""
    run_each([f"{asked}\n{WHOLE}\n{TRAINS}" for asked in ASKED])


def test_an_operator_that_asks_whether_it_may_be_compiled_works():
    """Catches a stand-in without what torchvision takes from it."""
    ask = "from torchvision.ops import roi_align as r; r.__globals__['is_compile_supported']('cpu')"
    call = "r(torch.ones(1, 1, 4, 4), [torch.tensor([[0.0, 0, 2, 2]])], 2)"
    run(f"{TRAINS}\n{ask}\n{call}\n{WHOLE}")


@pytest.mark.parametrize("before", ["import torch", "import course_lib, importlib, torch"])
def test_training_imports_no_compiler_and_a_student_may_compile(before):
    """Catches seconds before the first figure, in every kernel and every sandbox; a stand-in that
    torch.compile takes for the compiler; both in notebooks too, whose first line imports torch."""
    run(f"{before}\n{TRAINS}{UNUSED}{COMPILED}{WHOLE}")


def test_a_compiler_that_is_there_already_stays():
    """Catches a package that is changed below a program which uses it."""
    run(
        f"import torch._dynamo; real = torch._dynamo\n{TRAINS}\nassert torch._dynamo is real{WHOLE}"
    )
