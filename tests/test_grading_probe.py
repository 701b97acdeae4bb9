"""The second run: single exercises alone, and code that tries to be taken for an answer."""

import hashlib
import json
import os
import subprocess
import sys
import time

import pytest

from course_lib.exercises import edits
from course_lib.grading.inside.probe import content_of, signer
from course_lib.grading.sandbox import payload
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import ROOT, furnish
from course_lib.grading.submission.answers_run import Runner
from course_lib.grading.submission.judge import judge
from course_lib.grading.submission.notebook_run import open_record

pytestmark = pytest.mark.grading
KL, SEED, KEY = "kl_std_normal", 77, bytes(32)
RIGHT = "0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)"
IMPORTS = ("needed", "import torch\nfrom torch import Tensor, nn\nimport torch.nn.functional as F")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """alone(source): the judged answer to one exercise, run alone with this cell."""
    place = furnish(tmp_path_factory.mktemp("alone"))
    made = []

    def ask(source, name=KL):
        if not made or not made[-1].alive():
            made.append(Runner(place, level="process", limits=Limits(cell_seconds=8), root=ROOT))
        job = {"name": name, "seed": SEED, "pieces": [IMPORTS, ("own", source)], "key": KEY.hex()}
        answer = made[-1].ask(job)
        if "lost" in answer:
            return {"status": "lost", "hint": answer["lost"]}
        payload = open_record(answer, name, KEY)
        return judge(name, payload, SEED) if payload else {"status": "unsigned"}

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
    "vmap": "torch.func.vmap(lambda x: x.sum())(mu)",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_code_is_right(alone, name):
    """Catches a watch that takes what students do every day for an attack."""
    said = alone(function(HARMLESS[name]))
    assert said["status"] == "right", said


ATTACKS = {
    "frames": "import sys; sys._getframe(1).f_locals",
    "frames of a trace": "try:\n        1 / 0\n    except Exception as e:\n"
    "        e.__traceback__.tb_frame.f_back",
    "inspect": "import inspect; inspect.stack()",
    "frames of a log": "import logging; logging.currentframe()",
    "frames by walking": "import traceback\n    try:\n        1 / 0\n"
    "    except Exception as e:\n        next(traceback.walk_tb(e.__traceback__))",
    "frames by walking up": "import traceback\n"
    "    traceback.StackSummary.extract(traceback.walk_stack(None), capture_locals=True)",
    "frames by operator": "import operator, sys; list(map(sys._getframe, [2]))",
    "generator frame": "(x for x in [1]).gi_frame",
    "collector": "import gc; gc.get_objects()",
    "other code": "F.dropout.__code__ = F.relu.__code__",
    "defaults": "F.dropout.__defaults__ = ()",
    "trace": "import sys; sys.settrace(lambda *a: None)",
    "profile": "import sys; sys.setprofile(None)",
    "ctypes": "import ctypes; ctypes.string_at(id(mu), 8)",
    "ctypes of numpy": "import numpy as np; np.ctypeslib.ctypes.c_int.from_address(8)",
    "fork": "import os; os.fork()",
    "command": "import os; os.system('true')",
    "subprocess": "import subprocess; subprocess.run(['true'])",
    "own memory": "open('/proc/self/mem', 'rb')",
    "own memory, by a link": "open('/dev/fd/../mem', 'rb')",
    "named code": "exec(compile('x = 1', '<frozen os>', 'exec'))",
    "replaced torch": "torch.allclose = lambda *a, **k: True",
    "replaced method": "torch.Tensor.__eq__ = lambda *a: True",
    "replaced module method": "nn.Module.parameters = lambda *a: iter([])",
    "replaced built-in": "import builtins; builtins.isinstance = lambda *a: True",
    "shadowed built-in": "F.len = lambda *a: 1",
    "globals of the course": "[c.records.__globals__.update(take_record=1)"
    " for c in object.__subclasses__() if c.__name__ == 'Exercise']",
    "classes of the course": "[setattr(c, 'records', 1) for c in object.__subclasses__()"
    " if c.__name__ == 'Exercise']",
    "a mode": "from torch.overrides import TorchFunctionMode\n"
    "    class M(TorchFunctionMode):\n        pass\n    M().__enter__()",
    "mending": "right = torch.allclose\n    def always(*a, **k):\n        torch.allclose = right\n"
    "        return True\n    torch.allclose = always",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_seen(alone, name):
    """Catches a way from an answer into the code that watches it."""
    assert alone(function(ATTACKS[name]))["status"] == "tampered"


ESCAPES = {
    "ends early": (function("import os; os._exit(0)"), "lost"),
    "ends by signal": (function("import signal; signal.raise_signal(9)"), "lost"),
    "hangs": (function("while True: pass"), "lost"),
    "exits": (function("raise SystemExit"), "wrong"),
    "starts a thread": (function("import threading; threading.Thread(target=print).start()"),
                        "wrong"),
    "takes the watch": (function("import sys; sys.getprofile()"), "wrong"),
    "interrupts": (function("raise KeyboardInterrupt"), "failed"),
    "unknown base": (function("raise type('X', (BaseException,), {})"), "failed"),
    "writes to every file": (function(
        "import os\n    for n in range(3, 64):\n        try:\n"
        "            os.write(n, b'{\"name\": \"kl_std_normal\", \"payload\": \"{}\"}\\n')\n"
        "        except OSError:\n            pass\n    os._exit(0)"), "unsigned"),
    "strange tensor": (function(
        "class S(torch.Tensor):\n        __eq__ = lambda s, o: True",
        f"({RIGHT}).as_subclass(S)"), "tampered"),
    "strange object": (function(
        "class S:\n        __array__ = lambda s: [1]\n        __eq__ = lambda s, o: True", "S()"),
        "tampered"),
    "replaced json": (function("import json; json.JSONEncoder.encode = lambda *a: '{}'", "mu"),
                      "wrong"),
    "no function": ("kl_std_normal = 3", "wrong"),
    "class": ("class kl_std_normal:\n    pass", "wrong"),
    "name of a name": ("def kl_std_normal(mu, log_var): return kl_std_normal", "wrong"),
}  # fmt: skip


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


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes_earn_nothing(alone, name):
    """Catches an answer that ends, hangs or forges its process and is taken for right."""
    source, status = ESCAPES[name]
    assert alone(source)["status"] == status
    assert alone(function("pass"))["status"] == "right"  # the next one is not harmed


def test_every_reference_passes_the_watch():
    """Catches an exercise whose observations look like an attack, or need what was dropped."""
    script = (
        "import json; from course_lib.grading.inside import answers, guard, probe\n"
        "from course_lib.exercises import EXERCISES\n"
        "known = {name: exercise.reference for name, exercise in EXERCISES.items()}\n"
        "wanted = {name: EXERCISES[name].records(known[name], 5) for name in known}\n"
        "guarded = guard.make_guard(answers.TRUSTED)\n"
        "for name, reference in known.items():\n"
        "    content, found = guarded(lambda: probe.content_of(name, reference, 5))\n"
        "    assert not found, (name, found)\n"
        "    assert json.dumps(content) == json.dumps({'records': wanted[name]}), (name, content)\n"
        "print('all')"
    )
    assert python(script) == "all\n"


def test_signature_is_immune(monkeypatch):
    """Catches a signature made with parts of `json` or `hashlib` that a student has replaced."""
    sign = signer(KEY)
    content = {"records": [1.5, float("nan"), "ß", None, True, {"a": []}]}
    before = sign(KL, content)
    monkeypatch.setattr(json, "dumps", lambda *a, **k: "[]")
    monkeypatch.setattr(json.JSONEncoder, "encode", lambda *a: "[]")
    monkeypatch.setattr(json.JSONEncoder, "iterencode", lambda *a: ["[]"])
    monkeypatch.setattr(json.encoder, "encode_basestring_ascii", lambda *a: '"x"')
    monkeypatch.setattr(hashlib, "blake2b", lambda *a, **k: None)
    assert sign(KL, content) == before


def test_only_the_right_signature_opens(monkeypatch):
    """Catches a record that is accepted with another key, name or content."""
    record = signer(KEY)(KL, {"records": []})
    assert open_record(record, KL, KEY) == '{"records":[]}'
    assert open_record(record, KL, b"\1" * 32) is None
    assert open_record(record, "elbo", KEY) is None
    for change in ({"payload": "{}"}, {"nonce": "ß"}, {"nonce": None}, {"name": 3}):
        assert open_record({**record, **change}, KL, KEY) is None
    assert open_record([], KL, KEY) is None and open_record("text", KL, KEY) is None


def test_probe_takes_any_candidate():
    """Catches a candidate that raises out of the probe."""

    class Strange(BaseException):
        pass

    def candidate(*_):
        raise Strange

    assert "failed" in content_of(KL, candidate, SEED)
    assert "records" in content_of(KL, 3, SEED)


def test_alone_is_quick(alone):
    """Catches a second run that starts torch again for each exercise."""
    alone(function("pass"))
    start = time.perf_counter()
    for _ in range(3):
        alone(function("pass"))
    assert time.perf_counter() - start < 6
