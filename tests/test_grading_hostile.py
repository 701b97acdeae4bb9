"""Hostile and unlucky runs: none stops the class, harms another or earns undeserved points."""

import json
import re
import socket

import grading_hostile as hostile
import psutil
import pytest
from grading_course import WRONG_KL, answer, early
from grading_pool import needs_namespaces, pool_for

from course_lib.exercises import EXERCISES
from course_lib.exercises.spec import PUBLIC_SEED

pytestmark = [pytest.mark.grading, needs_namespaces]
KL = "kl_std_normal"
SERVER = socket.create_server(("127.0.0.1", 0))  # nobody may come
SLOW_KL = """\
def kl_std_normal(mu, log_var):
    import time
    time.sleep(0.3)
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)
"""
KILLS = "import os\nfor pid in (os.getppid(), 1, -1): os.kill(pid, 9)"
STOPPED = """\
def kl_std_normal(mu, log_var):
    while True:
        pass
"""


def hard_coded():
    """An answer that knows the results on the public cases, and nothing else."""
    exercise, known = EXERCISES[KL], {}
    for case in exercise.cases(PUBLIC_SEED):
        key = str([round(v, 3) for v in case.args["mu"].flatten().tolist()])
        known[key] = exercise.reference(*case.args.values()).tolist()
    return hostile.HARD_CODED % known


def submissions():
    """Name to how the submission is made."""
    wrong = answer(KL, WRONG_KL)
    snooping = [hostile.LEAK, hostile.IMPORTS, hostile.NETWORK % SERVER.getsockname()[1]]
    snooping += ["%%bash\necho from bash", "!pip install nothing"]
    changes = {
        "honest": None,
        "endless loop": hostile.late("while True: pass"),
        "endless printing": early("while True: print('x' * 1000)"),
        "endless answer": answer(KL, STOPPED),
        "deaf to interrupts": early(hostile.STUBBORN, before=hostile.KL),
        "sys exit, kills": hostile.both(early("import sys; sys.exit(0)"), early(KILLS)),
        "os exit": early("import os; os._exit(0)", before=hostile.KL),
        "fork bomb": early(hostile.FORK_BOMB),
        "detached child": early(hostile.DETACHED),
        "200 MB": early("print('x' * 200_000_000)"),
        "memory hog": early(hostile.HOG),
        "many hogs": early(hostile.SEVERAL_HOGS),
        "snoops": hostile.both(*map(early, snooping)),
        "check replaced": hostile.check_replaced,
        "patches": hostile.both(early(hostile.PATCHES), wrong),
        "forged outside": hostile.both(early(hostile.FORGED), wrong, hostile.late(hostile.FORGED)),
        "forged inside": answer(KL, f"{WRONG_KL}\n{hostile.FORGED}"),
        "climbs": answer(KL, hostile.CLIMB),
        "strange results": answer(KL, hostile.STRANGE),
        "hard-coded": answer(KL, hard_coded()),
        "slow": answer(KL, SLOW_KL),
    }
    return {name: {"change": change} for name, change in changes.items()}


CASES = submissions()
# How the run ended, and the verdicts on the three exercises.
EXPECTED = {
    "honest": ("ok", "right right right"),
    "endless loop": ("timeout", "right right right"),
    "endless printing": ("output_limit", "right right right"),
    "endless answer": ("timeout", "right no_record right"),
    "deaf to interrupts": ("timeout", "right right right"),
    "sys exit, kills": ("ok", "right right right"),
    "os exit": ("kernel_died", "right right right"),
    "fork bomb": ("memory|killed|timeout", "right right right"),
    "detached child": ("ok", "right right right"),
    "200 MB": ("output_limit", "right right right"),
    "memory hog": ("memory", "right right right"),
    "many hogs": ("memory", "right right right"),
    "snoops": ("ok", "right right right"),
    "check replaced": ("ok", "right wrong right"),
    "patches": ("ok|kernel_died", "right wrong right"),
    "forged outside": ("ok", "right wrong right"),
    "forged inside": ("ok", "right wrong right"),
    "climbs": ("kernel_died", "right wrong right"),
    "strange results": ("ok", "right wrong right"),
    "hard-coded": ("ok", "right wrong right"),
    "slow": ("ok", "right right right"),
}
pool = pool_for(CASES)


@pytest.mark.parametrize("case", CASES)
def test_scores_what_is_deserved(pool, case):
    """Catches points for a wrong answer, and points lost by what happens elsewhere in a notebook.

    Each case is one of the hostile or unlucky submissions that a class contains.
    """
    result = pool.result(case)
    status, verdicts = EXPECTED[case]
    assert re.fullmatch(status, result.status), result.record["reason"]
    assert " ".join(result.verdicts) == verdicts, result.record
    gained = sum(e["max_points"] for e in result.exercises.values() if e["status"] == "right")
    assert result.points == gained
    assert result.record["isolation"]["level"] in ("namespaces", "bwrap")
    assert json.loads((result.folder / "record.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", ["os exit", "climbs"])
def test_what_was_lost_is_graded_alone(pool, case):
    """Catches an exercise below the end of the run that nobody looked at again."""
    result = pool.result(case)
    assert result.origins[0] == "notebook" and result.origins[2] == "alone"
    assert "the run did not get there" in result.exercises["kl_monte_carlo"]["reason"]


@pytest.mark.parametrize("case", ["climbs", "forged inside", "strange results"])
def test_reaching_beyond_is_named(pool, case):
    """Catches an attack that is turned away but that no instructor hears of."""
    flags = " ".join(pool.result(case).record["flags"])
    if case != "forged inside":
        assert "its code reaches beyond the exercise" in flags


@pytest.mark.parametrize("case", ["detached child"])
def test_no_process_is_left(pool, case):
    """Catches a detached child that lives on after the grading."""
    pool.result(case)
    left = [p for p in psutil.process_iter(["cmdline"]) if "98765" in (p.info["cmdline"] or [])]
    assert left == []


@pytest.mark.parametrize("case", ["snoops"])
def test_nobody_gets_out(pool, case):
    """Catches a kernel that reaches a server on the grader's machine."""
    said = pool.result(case).shown()
    assert said.count("refused [") == 2 and "CONNECTED" not in said
    SERVER.settimeout(0.1)
    with pytest.raises(TimeoutError):
        SERVER.accept()


@pytest.mark.parametrize("case", ["snoops"])
def test_no_solution_is_in_reach(pool, case):
    """Catches a file with a solution, its compiled form or a judge in the sandbox."""
    said = pool.result(case).shown()
    assert "LEAKS []" in said and "IMPORTED" not in said


@pytest.mark.parametrize("case", ["snoops"])
def test_shell_cells_run(pool, case):
    """Catches a sandbox in which `%%bash` hangs or is refused."""
    assert "from bash" in pool.result(case).shown()


@pytest.mark.parametrize("case", ["200 MB", "endless printing"])
def test_what_is_printed_stays_small(pool, case):
    """Catches a feedback notebook, or a grader, that grows with what students print."""
    result = pool.result(case)
    assert (result.folder / "feedback.ipynb").stat().st_size < 8 * 2**20
