"""The second run: single exercises alone, and code that tries to be taken for an answer."""

import json
import os
import re
import subprocess
import sys

import pytest

from course_lib.exercises import EXERCISES, edits
from course_lib.grading.inside.probe import MISSING, payload_of
from course_lib.grading.sandbox import payload
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import ROOT, make_place
from course_lib.grading.submission.answers_run import Runner
from course_lib.grading.submission.judge import judge

pytestmark = pytest.mark.grading
KL, SEED = "kl_std_normal", 77
RIGHT = "0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)"
IMPORTS = ("needed", "import torch\nfrom torch import Tensor, nn\nimport torch.nn.functional as F")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """alone(source): the judged answer to one exercise, run alone with this cell, so long."""
    place = make_place(tmp_path_factory.mktemp("alone"))
    made = []

    def ask(source, name=KL, *, seconds=8):
        if not made or not made[-1].alive():
            made.append(Runner(place, level="process", limits=Limits(cell_seconds=8), root=ROOT))
        pieces = [IMPORTS, ("own", source)]
        job = {"name": name, "seed": SEED, "pieces": pieces, "seconds": seconds}
        answer = made[-1].ask(job)
        if not answer["payload"]:
            return {"status": "lost", "hint": answer["lost"]}
        return judge(name, answer["payload"], SEED)

    yield ask
    made[-1].stop("", "")


def function(body, result=RIGHT):
    """An answer that does something first."""
    return f"def kl_std_normal(mu, log_var):\n    {body}\n    return {result}\n"


def test_right_and_wrong(alone):
    """Catches a second run that judges otherwise than the first."""
    assert alone(function("pass"))["status"] == "right"
    assert alone(function("pass", "mu.sum(-1)"))["status"] == "wrong"
    assert alone(function("raise NotImplementedError"))["status"] == "open"
    said = alone("1 / 0\n" + function("pass"))
    assert said["status"] == "missing" and "ZeroDivisionError" in said["errors"][0]


HARMLESS = {
    "a dataclass": "from dataclasses import dataclass\n"
    "    @dataclass\n    class A:\n        x: int",
    "a named tuple": "from collections import namedtuple; namedtuple('A', 'x y')(1, 2)",
    "a warning": "import warnings; warnings.warn('slow')",
    "a print": "print(mu.shape, flush=True)",
    "IPython": "from IPython.display import display, HTML; display(HTML('x'))",
    "no_grad": "with torch.no_grad(): mu.sum()",
    "an import": "import statistics, decimal, scipy.special",
    "numpy": "import numpy as np; np.random.seed(0); np.linalg.norm(mu.detach().numpy())",
    "a module": "nn.Sequential(nn.Linear(3, 3), nn.ReLU()).double()(torch.ones(1, 3).double())",
    "a manual seed": "torch.manual_seed(3); torch.randn(3)",
    "an optimizer": "torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)",
    "a try": "try:\n        1 / 0\n    except ZeroDivisionError as error:\n        str(error)",
    "partial": "import functools; functools.partial(print)('x'); functools.reduce(max, [1, 2])",
    "the check": "from course_lib.exercises import check; check('x', print)",
    "a lambda cache": "import functools; functools.lru_cache(lambda x: x)(1)",
    "a log": "import logging; logging.getLogger(__name__).warning('slow'); logging.warning('x')",
    "a progress bar": "from tqdm.auto import tqdm; list(tqdm(range(3), desc='x'))",
    "a printed error": "import traceback\n    try:\n        1 / 0\n    except Exception:\n"
    "        traceback.print_exc()",
    "a figure": "import matplotlib.pyplot as plt; plt.plot(mu.detach()); plt.close()",
    "an enumeration": "import enum; enum.Enum('E', 'a b').a",
    "a typed tuple": "import typing; typing.NamedTuple('A', [('x', int)])(1)",
    "a signature": "import inspect; inspect.signature(print); inspect.getsource(nn.Linear)",
    "a loader": "from torch.utils.data import DataLoader, TensorDataset as T\n"
    "    [len(x) for x, in DataLoader(T(mu.detach()), batch_size=2, shuffle=True)]",
    "a hook": "nn.Linear(2, 2).register_forward_hook(lambda *a: None)",
    "inference mode": "with torch.inference_mode(): mu.sum()",
    "frames": "import sys; sys._getframe(1).f_locals",
    "a stack": "import inspect; inspect.stack()",
    "the collector": "import gc; gc.collect()",
    "a default dtype": "torch.set_default_dtype(torch.float64)",
    "a pool": "from concurrent.futures import ThreadPoolExecutor as P\n"
    "    with P(1) as pool: pool.submit(print).result()",
    "a thread": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "a command": "import subprocess; subprocess.run(['true'])",
    "a compiled function": "torch.compile(lambda x: x + 1, backend='eager')(mu.detach())",
    "a trace": "import sys; sys.settrace(None)",
    "ctypes": "import ctypes; ctypes.sizeof(ctypes.c_int)",
    "a patch of its own": "F.twice = lambda x: 2 * x",
    "vmap": "torch.func.vmap(lambda x: x.sum())(mu)",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_code_is_right(alone, name):
    """Catches a run that does not stand what students do, or ask about, every day."""
    said = alone(function(HARMLESS[name]), seconds=60)  # a compiler may have to be imported
    assert said["status"] == "right", said


# What an answer may do to its own process, each time with a wrong result: it earns nothing.
EVERYWHERE = {
    "replaced allclose": "torch.allclose = torch.equal = lambda *a, **k: True",
    "replaced comparison": "torch.Tensor.__eq__ = torch.Tensor.all = lambda *a, **k: True",
    "replaced gradient": "torch.autograd.grad = lambda y, xs, **k: [x * 0 for x in xs]",
    "replaced numpy": "import numpy; numpy.allclose = numpy.isclose = lambda *a, **k: True",
    "replaced built-in": "import builtins; builtins.isinstance = lambda *a: True",
    "replaced json": "import json; json.dumps = lambda *a, **k: '{\"records\": []}'",
    "replaced encoder": "import json; json.JSONEncoder.encode = lambda *a: '{}'",
    "replaced records": "course('spec')['Exercise'].records = "
    "lambda self, f, seed: [{'outcome': 'value', 'value': True}] * 9",
    "replaced judging": "spec = course('spec')\n"
    "spec['same_record'] = spec['Exercise'].judge = lambda *a, **k: True",
    "replaced values": "made = course('records')\n"
    "made['same_value'] = made['is_estimate'] = made['is_array'] = lambda *a, **k: True",
    "plain constants": "made = course('records')\n"
    "made['plain'] = lambda *a: {'shape': [1], 'numbers': [1.0], 'kind': 'float'}",
    "forged estimates": "made = course('records')\n"
    "one = {'shape': [], 'numbers': [0.0], 'kind': 'float'}\n"
    "wide = {'mean': one, 'standard error': one | {'numbers': [1e9]}, 'truth': one}\n"
    "made['plain'] = lambda *a: {key: wide for key in ('result', 'draws', 'y', 'estimate')}",
    "forged properties": "made = course('records')\n"
    "made['plain'] = lambda *a: dict.fromkeys(('result', 'names', 'code', 'y'), True)",
    "other cases": "spec = course('spec')\n"
    "[object.__setattr__(e, 'cases', lambda seed, own=e.cases: own(0))"
    " for e in instances(spec['Exercise'])]",
    "a mode": "from torch.overrides import TorchFunctionMode\n"
    "class M(TorchFunctionMode):\n"
    "    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
    "        return True if f is torch.allclose else f(*args, **(kwargs or {}))\n"
    "M().__enter__()",
    "made-up output": "import os\n"
    'line = b\'{"payload": "{\\\\"records\\\\": []}"}\\n\'\n'
    "for n in range(3, 64):\n"
    "    try:\n        os.write(n, line)\n"
    "    except OSError:\n        pass\n"
    "os._exit(0)",
    "rewritten locals": "import sys\n"
    "def rewrite():\n"
    "    frame = sys._getframe(1)\n"
    "    while frame:\n"
    "        for value in [*frame.f_locals.values()]:\n"
    "            if type(value) is dict and 'result' in value:\n"
    "                value['result'] = True\n"
    "            if type(value) is list:\n"
    "                value[:] = [{'outcome': 'value', 'value': {'result': True}} for _ in value]\n"
    "        frame = frame.f_back\n"
    "rewrite()",
}
# Every call attacks; what it needs of the process is searched for at the first one.
COURSE = """
import functools, gc

@functools.cache
def instances(kind):
    return [x for x in gc.get_objects() if type(x) is kind]

@functools.cache
def course(part):
    named = (x for x in gc.get_objects() if type(x) is dict and "__builtins__" in x)
    return next(x for x in named if x.get("__name__") == f"course_lib.exercises.{part}")

"""
AGREES = """
class Agrees:
    __eq__ = __ge__ = __le__ = __gt__ = __lt__ = __ne__ = __bool__ = lambda *a: True
    __hash__ = lambda s: 1
    __array__ = lambda s, *a, **k: __import__("numpy").ones(1)
    __getattr__ = lambda s, name: s
    __call__ = lambda s, *a, **k: s
    __len__ = lambda s: 1
    __getitem__ = __add__ = __sub__ = __mul__ = __pow__ = lambda s, *a: s
    __iter__ = lambda s: iter([s])
class Same(torch.Tensor):
    __eq__ = lambda *a: True
    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None):
        return True
class Number(int):
    __eq__ = lambda *a: True
    __float__ = lambda s: 0.5
"""
TARGETS = {  # kinds of exercises: a model, properties, estimates, numbers, names; a wrong answer
    "LinearAutoencoder": "class LinearAutoencoder(nn.Module):\n"
    "    def __init__(self, D, k):\n"
    "        super().__init__()\n        self.D, self.k = D, k\n"
    "    def encode(self, x):\n        return torch.ones(len(x), self.k)\n"
    "    def decode(self, z):\n        return torch.ones(len(z), self.D)\n",
    "corrupt": "def corrupt(x, kind, level, generator):\n    return x.clone()\n",
    "kl_monte_carlo": "def kl_monte_carlo(mu, log_var, n_samples, generator):\n"
    "    return torch.randn(len(mu), generator=generator).to(mu)\n",
    "find_the_bug": "def find_the_bug(formulas):\n    return [*formulas][:2]\n",
    "active_units": "def active_units(mu, threshold=0.01):\n    return 3\n",
    KL: "def kl_std_normal(mu, log_var):\n    return mu.sum(-1)\n",
}
RIGHT_AFTER = function("pass")


def test_wrong_answers_of_the_targets_are_wrong(alone):
    """Catches targets whose failing says nothing about the attacks."""
    for name, source in TARGETS.items():
        assert alone(source, name)["status"] == "wrong", name


@pytest.mark.parametrize("attack", EVERYWHERE)
def test_attacks_earn_nothing(alone, attack):
    """Catches code that makes a wrong result right from within its process."""
    inner = EVERYWHERE[attack].replace("\n", "\n    ")
    first = f"{COURSE}def attack():\n    {inner}\n"
    for name, source in TARGETS.items():
        called = re.sub(r"( +)return", r"\1attack()\n\1return", source)
        assert alone(first + called, name)["status"] != "right", name
    assert alone(RIGHT_AFTER)["status"] == "right"


@pytest.mark.parametrize("strange", ["Agrees()", "Same([1.0])", "Number(3)", "[Number(3)]"])
def test_strange_objects_are_no_answers(alone, strange):
    """Catches an object that answers comparisons itself, or makes its own numbers."""
    for name, exercise in EXERCISES.items():
        source = f"{AGREES}def {name}(*args, **kwargs):\n    return {strange}\n"
        assert alone(source, name)["status"] != "right", (name, exercise)
    assert alone(RIGHT_AFTER)["status"] == "right"


def test_stored_records_are_no_answers(alone):
    """Catches numbers that earn points without their seed, and attacks that reach nothing."""
    for name in TARGETS:
        for seed, status in ((SEED, "right"), (SEED + 1, "wrong")):
            stored = json.dumps(EXERCISES[name].records(EXERCISES[name].reference, seed))
            source = (
                f"{COURSE}import json\nstored = {stored!r}\n"
                "course('spec')['Exercise'].records = lambda *a: json.loads(stored)\n"
                f"def {name}(*args): pass\n"
            )
            assert alone(source, name)["status"] == status, (name, seed)


ESCAPES = {
    "ends early": (function("import os; os._exit(0)"), "lost"),
    "ends by signal": (function("import signal; signal.raise_signal(9)"), "lost"),
    "hangs": (function("while True: pass"), "lost"),
    "exits": (function("raise SystemExit"), "wrong"),
    "interrupts": (function("raise KeyboardInterrupt"), "failed"),
    "unknown base": (function("raise type('X', (BaseException,), {})"), "failed"),
    "answers twice": (function(
        "import os\n    for n in range(3, 64):\n        try:\n"
        "            os.write(n, b'{\"payload\": 3}')\n"
        "        except OSError:\n            pass\n    os._exit(0)"), "lost"),
    "answers no JSON": (function(
        "import os\n    for n in range(3, 64):\n        try:\n"
        "            os.write(n, b'}')\n"
        "        except OSError:\n            pass\n    os._exit(0)"), "lost"),
    "answers for ever": (function(
        "import os\n    while True:\n        for n in range(3, 64):\n            try:\n"
        "                os.write(n, b'x' * 2**16)\n"
        "            except OSError:\n                pass"), "lost"),
    "a thread that stays": (function(
        "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()"),
        "right"),
    "no function": ("kl_std_normal = 3", "wrong"),
    "class": ("class kl_std_normal:\n    pass", "wrong"),
    "name of a name": ("def kl_std_normal(mu, log_var): return kl_std_normal", "wrong"),
}  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes_earn_nothing(alone, name):
    """Catches an answer that ends, hangs or floods its process and harms the next one."""
    source, status = ESCAPES[name]
    assert alone(source, seconds=2 if name == "hangs" else 8)["status"] == status
    assert alone(function("pass"))["status"] == "right"


def test_no_answer_goes_into_the_sandbox():
    """Catches a line of a solution in a module that stands beside a student's code."""
    inside = [p for part in payload.PARTS for p in (ROOT / "course_lib" / part).rglob("*.py")]
    modules = "\n".join(path.read_text(encoding="utf-8") for path in inside)
    for source in (ROOT / "solutions").glob("[0-9]*.py"):
        for name, cell in edits.exercise_cells(source.read_text(encoding="utf-8")).items():
            lines = [x.strip() for m in edits.MARKED.finditer(cell) for x in m["code"].split("\n")]
            left = [
                x for x in lines if len(x.split("  #")[0]) > 30 and x.split("  #")[0] in modules
            ]
            assert not left, (name, left)


def python(script):
    """What a fresh Python prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_reference_is_right_where_no_solutions_are():
    """Catches an exercise whose observation needs what is not in the process of an answer."""
    script = (
        "import json; from course_lib.grading.inside import probe\n"
        "from course_lib.exercises import EXERCISES, edits\n"
        "known = {name: exercise.reference for name, exercise in EXERCISES.items()}\n"
        "edits.SOLUTIONS = None\n"
        "print(json.dumps({n: probe.payload_of(n, known[n], 5) for n in known}))"
    )
    for name, made in json.loads(python(script)).items():
        assert judge(name, made, 5)["status"] == "right", name
        assert len(made) < 2_000_000, name


def test_probe_takes_any_candidate():
    """Catches a candidate that raises out of the probe, or is missing."""

    class Strange(BaseException):
        pass

    def candidate(*_):
        raise Strange

    assert "failed" in json.loads(payload_of(KL, candidate, SEED))
    assert "records" in json.loads(payload_of(KL, 3, SEED))
    assert json.loads(payload_of(KL, MISSING, SEED, ["why"])) == {
        "missing": True,
        "errors": ["why"],
    }


def test_alone_is_quick(alone, within):
    """Catches a second run that starts torch again for each exercise."""
    alone(function("pass"))
    within(6, lambda: [alone(function("pass")) for _ in range(3)])
