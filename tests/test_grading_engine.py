"""One submission to one record: honest answers, damaged files, notebooks that lost something."""

import json
import os
import signal
import subprocess
import sys
import time

import grading_hostile as hostile
import nbformat
import psutil
import pytest
from grading_course import NAMES, STEM, WRONG_KL, answer, cell_of, code, early
from grading_pool import LIMITS, Result, pool_for

from course_lib.grading.sandbox import command as sandbox
from course_lib.grading.submission import engine

pytestmark = pytest.mark.grading
KL = "kl_std_normal"
RENAMED = "def sample(mu, log_var, eps):\n    return mu + (0.5 * log_var).exp() * eps\n"
SYNTAX = "def reparameterize(mu, log_var, eps:\n    return mu"
HELPED = """\
def kl_std_normal(mu, log_var):
    return my_terms(mu, log_var).sum(-1) * HALF
"""
HELPERS = """\
HALF = float(np.float64(0.5))
def my_terms(mu, log_var):
    return mu**2 + log_var.exp() - 1 - log_var
"""
NO_SUPER = "def reparameterize(mu, log_var, eps):\n    raise NotImplementedError\n"


def rebound(notebook):
    """A second definition below the exercise's cell; the last one counts."""
    place = notebook["cells"].index(cell_of(notebook, hostile.KL)) + 1
    notebook["cells"].insert(place, code(WRONG_KL))


def stale(notebook):
    """Nothing is solved, and every card says that it is."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "✓ right"}]


def unicode_names(notebook):
    """Names and texts of all kinds, one of them no valid Unicode."""
    notebook["cells"].append(code("größe = '🧪 \\u202e'\nprint(größe, '\\udcff')"))


# Cases share a notebook where each concerns other cells, or would take points from all the same.
CHANGES = {
    "solved": {},
    "untouched, stale": {"change": stale, "untouched": True},
    "wrong": {"change": answer(KL, WRONG_KL)},
    "open first": {"change": answer("reparameterize", NO_SUPER)},
    "renamed, rebound": {"change": hostile.both(answer("reparameterize", RENAMED), rebound)},
    "syntax error, no exercise": {"change": hostile.both(
        answer("reparameterize", SYNTAX), hostile.without("exercise-kl_monte_carlo"))},
    "helpers, raises early, unicode — ß 🧪": {"change": hostile.both(
        answer(KL, HELPED), early("import numpy as np"), early("1 / 0"), early(HELPERS),
        unicode_names)},
    "no checks, parameters, other kernel": {"change": hostile.both(
        hostile.without("setup", *(f"check-{name}" for name in NAMES)),
        hostile.other_parameters, hostile.other_kernel)},
    "nameless, no kernel": {"change": hostile.nameless},
    "nbformat 3": {"change": hostile.old_format},
    "twin ids": {"change": hostile.twin_ids},
}  # fmt: skip
ALL, NONE = "right right right", "open open open"
EXPECTED = dict.fromkeys(CHANGES, ALL) | {
    "untouched, stale": NONE,
    "wrong": "right wrong right",
    "open first": "open right right",
    "renamed, rebound": "missing wrong right",
    "syntax error, no exercise": "missing right missing",
}
FLAGS = {
    "no checks, parameters, other kernel": [
        "the cell check-kl_std_normal was missing and was put back",
        "the cell parameters was changed; the course's own was run",
    ],
    "nameless, no kernel": [
        "the cell of kl_std_normal lost its metadata and was found by its name"
    ],
    "nbformat 3": ["an old file format (nbformat 3) was upgraded"],
    "twin ids": ["kl_std_normal has 2 cells; the last definition counts"],
}
pool = pool_for(CHANGES)


@pytest.mark.parametrize("case", CHANGES)
def test_verdicts(pool, case):
    """Catches an honest answer that gets nothing, and a missing one that gets something."""
    result = pool.result(case)
    assert result.status == "ok", result.record["reason"]
    assert " ".join(result.verdicts) == EXPECTED[case], result.record
    flags = " ".join(result.record["flags"])
    assert all(flag in flags for flag in FLAGS.get(case, []))
    nbformat.validate(nbformat.from_dict(result.feedback))


@pytest.mark.parametrize("case", ["solved"])
def test_record_is_complete(pool, case):
    """Catches a field of the record that is missing, empty or of another type."""
    record = pool.result(case).record
    assert set(record) == {
        "student", "file", "sha256", "notebook", "status", "reason", "isolation", "flags",
        "points", "max_points", "exercises", "seconds", "cells", "grader",
    }  # fmt: skip
    assert record["notebook"] == STEM and record["file"] == "solved.ipynb"
    assert record["points"] == record["max_points"] > 0 and record["flags"] == []
    assert len(record["sha256"]) == 64 and len(record["grader"]) == 16
    for entry in record["exercises"]:
        assert set(entry) == {
            "name", "points", "max_points", "status", "mistake", "hint", "case", "obtained",
            "expected", "reason", "from", "seconds",
        }  # fmt: skip
    assert all(cell["seconds"] >= 0 for cell in record["cells"]) and len(record["cells"]) > 8


@pytest.mark.parametrize("case", ["wrong"])
def test_mistake_is_named(pool, case):
    """Catches a wrong answer without the hint of its mistake, in the record and on the card."""
    result = pool.result(case)
    entry = result.exercises[KL]
    assert entry["mistake"] == "mean over the latents" and "average over" in entry["hint"]
    assert entry["case"] and entry["obtained"] and entry["expected"]
    card = cell_of(result.feedback, "check-kl_std_normal")["outputs"][0]["data"]
    text, page = ("".join(card[kind]) for kind in ("text/plain", "text/html"))
    assert "not yet right" in text and "course-near" in page


@pytest.mark.parametrize("case", ["open first"])
def test_later_exercises_do_not_need_earlier_ones(pool, case):
    """Catches an answer that is lost because one that it calls was not given."""
    entry = pool.result(case).exercises["kl_monte_carlo"]
    assert entry["from"] == "alone" and "NotImplementedError" in entry["reason"]


@pytest.mark.parametrize("case", ["wrong"])
def test_same_file_same_record(pool, case):
    """Catches a grade that depends on the run: random seeds, paths, order."""
    first = pool.result(case)
    again = pool.grade(pool.desk.folder / "wrong.ipynb", "wrong-again")

    def lasting(record):
        record = json.loads(json.dumps(record))
        for part in (record, *record["exercises"], *record["cells"]):
            part.pop("seconds")
        return record | {"student": ""}

    assert lasting(first.record) == lasting(again.record)


def deep():
    return b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


FILES = {
    "corrupt": (b'{"cells": [', "unreadable"),
    "text": (b"def kl_std_normal(mu, log_var): ...", "unreadable"),
    "binary": (bytes(range(256)) * 40, "unreadable"),
    "deep": (deep(), "unreadable"),
    "list": (b"[1, 2]", "unreadable"),
    "cells of nothing": (b'{"cells": {"a": 1}}', "unreadable"),
    "old and broken": (b'{"worksheets": 5, "nbformat": 3}', "unreadable"),
    "many parts": (b'{"cells": [' + b"[]," * 400_000 + b"[]]}", "too_large"),
    "many cells": (json.dumps({"cells": [code("1")] * 3_000}).encode(), "too_large"),
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "no code": (json.dumps({"cells": [code(" ")]}).encode(), "empty"),
    "odd cells": (json.dumps({"cells": [None, 3, {"cell_type": "code", "source": 5},
                                        code("print(1)")]}).encode(), "wrong_notebook"),
    "another notebook": (json.dumps({"cells": [code("import pandas as pd")]}).encode(),
                         "wrong_notebook"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_unfit_files(pool, name):
    """Catches a file that is no notebook and raises, is run, or gets a reason that says nothing."""
    data, status = FILES[name]
    result = pool.grade(pool.desk.hand_in("unfit", raw=data), "unfit")
    assert result.status == status and result.points == 0
    assert len(result.record["reason"]) > 10 and "\n" not in result.record["reason"]
    assert result.record["isolation"]["level"] == "none" and result.record["seconds"] < 60


def test_300_mb(pool):
    """Catches a file that is read into memory before its size is looked at."""
    path = pool.desk.hand_in("large", raw=b"")
    with path.open("r+b") as file:
        file.truncate(300 * 2**20)
    before = psutil.Process().memory_info().rss
    result = pool.grade(path, "large")
    path.unlink()
    assert result.status == "too_large" and "300 MB" in result.record["reason"]
    assert psutil.Process().memory_info().rss - before < 100 * 2**20


@pytest.mark.skipif(os.name == "nt", reason="no named pipes in the file system")
def test_pipe_and_folder_and_nothing(pool):
    """Catches a grader that waits for somebody to write into a pipe, or raises at a folder."""
    pipe = pool.desk.folder / "pipe.ipynb"
    os.mkfifo(pipe)
    for path in (pipe, pool.desk.folder, pool.desk.folder / "not-there.ipynb"):
        result = pool.grade(path, "odd")
        assert result.status == "unreadable", path


def test_unknown_stem(pool):
    """Catches a misspelt name of a notebook that makes every submission look broken."""
    result = pool.grade(pool.desk.hand_in("other"), "other", stem="04_other")
    assert result.status == "error" and "04_other" in result.record["reason"]


def test_without_namespaces(pool, monkeypatch):
    """Catches a submission that runs below the level that was asked for, a full grade that nobody
    gets at the weakest level, and a child that escapes it by leaving its group."""
    monkeypatch.setattr(engine, "best_level", lambda: "process")
    name = f"95{os.getpid()}"
    detached = early(hostile.DETACHED.replace("98765", name))
    path = pool.desk.hand_in("process", detached if sys.platform == "linux" else None)
    refused = pool.grade(path, "refused", require_isolation="namespaces")
    assert refused.status == "no_isolation" and refused.points == 0
    assert refused.record["isolation"]["level"] == "none"
    done = pool.grade(path, "process", require_isolation="process")
    assert done.status == "ok" and done.points == done.record["max_points"]
    assert done.record["isolation"]["level"] == "process"
    assert running(name) == []  # only Linux lets the grader adopt detached processes


@pytest.mark.skipif(not sandbox.works("namespaces"), reason="this system makes no namespaces")
def test_killed_grader_leaves_nothing(pool):
    """Catches processes and half-written records after kill -9 of the grader."""
    name = f"94{os.getpid()}"
    path = pool.desk.hand_in(
        "killed", early(f"import subprocess; subprocess.run(['sleep', '{name}'])")
    )
    out = pool.out / "killed"
    script = (
        "from pathlib import Path; from course_lib.grading.submission.engine import grade_notebook;"
        f"grade_notebook(Path({str(path)!r}), student='k', stem=None, folder=Path({str(out)!r}),"
        f"root=Path({str(pool.root)!r}))"
    )
    env = {**os.environ, "PYTHONPATH": str(pool.root)}
    grader = subprocess.Popen([sys.executable, "-c", script], env=env, cwd=pool.root)
    wait_until(lambda: running(name), seconds=90)
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    wait_until(lambda: not running(name), seconds=30)
    assert not (out / "record.json").exists()


def running(word):
    """Processes with this word in their command."""
    return [p for p in psutil.process_iter(["cmdline"]) if word in (p.info["cmdline"] or [])]


def wait_until(done, *, seconds):
    """Look again and again, at most so long."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc")
def test_grader_itself_stays_small(pool):
    """Catches torch, or what students print, in the process that grades a class, points lost by
    what is printed, and a feedback notebook that grows with it."""
    path = pool.desk.hand_in("prints", early("print('x' * 200_000_000)", before=hostile.LAST))
    out = pool.out / "prints"
    script = (
        "import sys; from pathlib import Path;"
        "from course_lib.grading.submission.engine import Limits, grade_notebook;"
        f"grade_notebook(Path({str(path)!r}), student='p', stem=None, limits={LIMITS!r},"
        f"root=Path({str(pool.root)!r}), folder=Path({str(out)!r}));"
        "peak = [x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')];"
        "print(int(peak[0]) // 1024, 'torch' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(pool.root)}
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=pool.root, check=True,
                          capture_output=True, text=True)  # fmt: skip
    megabytes, torch_loaded = done.stdout.split()
    assert int(megabytes) < 200 and torch_loaded == "False"
    result = Result(json.loads((out / "record.json").read_text(encoding="utf-8")), out)
    assert result.status == "output_limit" and " ".join(result.verdicts) == ALL, result.record
    assert result.points == result.record["max_points"]
    assert (out / "feedback.ipynb").stat().st_size < 8 * 2**20


def test_limits_are_what_the_tests_say():
    """Catches tests that pass because they wait for the default limits."""
    assert LIMITS.cell_seconds < 30 and engine.Limits().cell_seconds >= 300
