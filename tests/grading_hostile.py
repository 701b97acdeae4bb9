"""Hostile and unlucky submissions: what they change, and what the course does not lose by it."""

import json

from grading_course import WRONG_KL, cell_of, code

KL = "exercise-kl_std_normal"
# What takes long is run once for each exercise below it: above this one it is run once.
LAST = "exercise-kl_monte_carlo"
FORGED = """\
from IPython.display import publish_display_data
publish_display_data({"application/vnd.course.probe+json": {
    "name": "kl_std_normal", "payload": '{"records": []}', "nonce": "0" * 64}})
"""
PATCHES = """\
import json, hmac, hashlib, builtins, IPython.display, IPython.core.display_functions as shown
import course_lib.exercises
course_lib.exercises.check = lambda name, candidate: candidate
check = course_lib.exercises.check
json.dumps = lambda *args, **kwargs: "[]"
json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda *args, **kwargs: "[]"
hmac.digest = lambda *args: b"0" * 32
IPython.display.display = shown.display = lambda *args, **kwargs: print("right")
get_ipython().showtraceback = lambda *args, **kwargs: None
torch.allclose = torch.equal = lambda *args, **kwargs: True
"""
# Climbs from the student's function to the code that called it, and sends a record of its own.
CLIMB = """\
def kl_std_normal(mu, log_var):
    import os, sys, time
    right = lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)
    frame, content = sys._getframe(), None
    while frame is not None:
        seen = frame.f_locals
        if "candidate" in seen and "seed" in seen and "payload_of" in frame.f_globals:
            content = frame.f_globals["payload_of"]("kl_std_normal", right, seen["seed"])
        if content and "probes" in seen and "self" in seen:
            record = {"name": "kl_std_normal", "payload": content}
            shown = {"data": {seen["mime"]: record}, "metadata": {}, "transient": {}}
            seen["self"].send_response(seen["self"].iopub_socket, "display_data", shown)
            time.sleep(1)
            os._exit(0)
        frame = frame.f_back
    return mu.mean(-1)
"""
SELF_MENDING = """\
def kl_std_normal(mu, log_var):
    right = torch.allclose
    def always(*args, **kwargs):
        torch.allclose = right
        return True
    torch.allclose = always
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)
"""
STRANGE = """\
class Strange(torch.Tensor):
    def __reduce__(self):
        import os
        return os.system, ("touch /tmp/unpickled",)
    def __eq__(self, other):
        return True
    def __array__(self, *args, **kwargs):
        raise SystemExit
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.allclose, torch.equal):
            return True
        return super().__torch_function__(func, types, args, kwargs or {})

def reparameterize(mu, log_var, eps):
    return (mu + log_var.exp() * eps).as_subclass(Strange)
"""
HARD_CODED = """\
def kl_std_normal(mu, log_var):
    known = %s
    key = str([round(v, 3) for v in mu.flatten().tolist()])
    return torch.tensor(known.get(key, [0.0] * len(mu)), dtype=mu.dtype)
"""
LEAK = """\
import os
marks = ["BEGIN " + "SOLUTION", "def kl_" + "by_hand"]
found = []
top = [name for name in os.listdir("/") if name not in ("proc", "sys", "dev", "usr", "lib")]
for folder in [*top, os.getcwd()]:
    for place, inner, names in os.walk(os.path.join("/", folder)):
        for name in names:
            path = os.path.join(place, name)
            if name.endswith((".py", ".pyc", ".ipynb")) and "site-packages" not in path:
                try:
                    text = open(path, "rb").read()
                except OSError:
                    continue
                found += [path for mark in marks if mark.encode() in text]
print("LEAKS", found)
"""
IMPORTS = """\
for name in ("course_lib.exercises.edits", "course_lib.exercises.spec", "solutions",
             "course_lib.grading.inside.probe", "alternatives",
             "course_lib.exercises.variational_autoencoder.kl_std_normal"):
    try:
        __import__(name)
        print("IMPORTED", name)
    except ImportError:
        pass
try:
    from course_lib.exercises import EXERCISES
    print("IMPORTED EXERCISES")
except ImportError:
    pass
"""
NETWORK = """\
import socket, urllib.request
for address in [("127.0.0.1", %d), ("198.51.100.1", 80)]:
    try:
        socket.create_connection(address, timeout=3)
        print("CONNECTED", address)
    except OSError as error:
        print("refused", error)
"""
DELETE = """\
import shutil, os, glob
for place in [%r, "/course", "/cache", "/data", os.path.expanduser("~"), "/usr/lib/python3"]:
    shutil.rmtree(place, ignore_errors=True)
    try:
        open(os.path.join(place, "was-here"), "w").write("x")
    except OSError:
        pass
"""
FORK_BOMB = """\
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
DETACHED = """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "98765"])
    os._exit(0)
"""
STUBBORN = """\
import time
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""
HOG = """\
kept = []
while True:
    kept.append(bytearray(b"x" * 50_000_000))
"""
SEVERAL_HOGS = """\
import os, time
for _ in range(6):
    if os.fork() == 0:
        kept = [bytearray(b"x" * 50_000_000) for _ in range(8)]
        time.sleep(600)
time.sleep(600)
"""


def late(source):
    """A change: one more cell behind the last check."""

    def change(notebook):
        notebook["cells"].append(code(source))

    return change


def both(*changes):
    """Several changes, one after another."""

    def change(notebook):
        for one in changes:
            notebook = one(notebook) or notebook
        return notebook

    return change


def without(*ids):
    """A change: these cells are gone."""

    def change(notebook):
        notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in ids]

    return change


def check_replaced(notebook):
    """The check cell claims success, and its answer is wrong."""
    cell = cell_of(notebook, "check-kl_std_normal")
    cell["source"] = 'print("✓ kl_std_normal: right.")'
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "✓ right."}]
    record = {"name": "kl_std_normal", "payload": "{}"}
    shown = {"application/vnd.course.probe+json": record}
    cell["outputs"] += [{"output_type": "display_data", "metadata": {}, "data": shown}]
    cell_of(notebook, KL)["source"] = WRONG_KL


def nameless(notebook):
    """All metadata and ids are lost, as after an export and import; no kernel is named."""
    notebook["metadata"] = {}
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"], cell["id"] = {}, f"x{number}"


def old_format(notebook):
    """nbformat 3: worksheets, `input`, headings."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cells.append({"cell_type": "code", "language": "python", "input": cell["source"],
                          "outputs": [], "prompt_number": 1, "metadata": {}})  # fmt: skip
        else:
            cells.append({"cell_type": "markdown", "source": cell["source"], "metadata": {}})
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "old"},
            "worksheets": [{"cells": cells, "metadata": {}}]}  # fmt: skip


def twin_ids(notebook):
    """Each cell has the id of the first, and the exercise's cell stands there twice."""
    wrong = json.loads(json.dumps(cell_of(notebook, KL)))
    wrong["source"] = WRONG_KL
    notebook["cells"].insert(notebook["cells"].index(cell_of(notebook, KL)), wrong)
    for cell in notebook["cells"]:
        cell["id"] = "same"


def other_kernel(notebook):
    """Made for a kernel that nobody has."""
    notebook["metadata"] = {"kernelspec": {"name": "julia-1.9", "language": "julia"}}


def other_parameters(notebook):
    """Settings that make the run long."""
    cell_of(notebook, "parameters")["source"] = "seed = 0\nsteps = 10**9"
