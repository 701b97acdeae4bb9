"""Hostile and unlucky runs: none stops the class, harms another or earns undeserved points."""

import json
import re
import socket
from dataclasses import replace

import grading_hostile as hostile
import psutil
import pytest
from grading_course import WRONG_KL, answer, early
from grading_pool import LIMITS, needs_namespaces, pool_for

from course_lib.exercises import EXERCISES
from course_lib.exercises.spec import PUBLIC_SEED

pytestmark = [pytest.mark.grading, needs_namespaces]
KL = "kl_std_normal"
SERVER = socket.create_server(("127.0.0.1", 0))  # nobody may come
SHORT = replace(LIMITS, cell_seconds=4)  # where the limit is waited for, several times
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
    """Name to how the submission is made; cases share a notebook where neither hides the other."""
    wrong, last = answer(KL, WRONG_KL), hostile.LAST
    snooping = [hostile.LEAK, hostile.IMPORTS, hostile.NETWORK % SERVER.getsockname()[1]]
    snooping += ["%%bash\necho from bash", "!pip install nothing"]
    forged = answer(KL, f"{WRONG_KL}\n{hostile.FORGED}")
    changes = {
        "honest, slow": answer(KL, SLOW_KL),
        "endless loop": hostile.late("while True: pass"),
        "endless printing": early("while True: print('x' * 1000)", before=last),
        "endless answer": answer(KL, STOPPED),
        "deaf to interrupts": early(hostile.STUBBORN, before=last),
        "sys exit, kills": hostile.both(
            early("import sys; sys.exit(0)"), early(KILLS, before=hostile.KL)
        ),
        "os exit": early("import os; os._exit(0)", before=hostile.KL),
        "fork bomb": early(hostile.FORK_BOMB, before=last),
        "memory hog": early(hostile.HOG, before=last),
        "many hogs": early(hostile.SEVERAL_HOGS, before=last),
        "detached child, snoops": hostile.both(
            early(hostile.DETACHED), *(early(source, before=last) for source in snooping)
        ),
        "patches": hostile.both(early(hostile.PATCHES), wrong),
        "check replaced, forged": hostile.both(
            hostile.check_replaced, early(hostile.FORGED), forged, hostile.late(hostile.FORGED)
        ),
        "climbs": answer(KL, hostile.CLIMB),
        "strange results, hard-coded": hostile.both(
            answer("reparameterize", hostile.STRANGE), answer(KL, hard_coded())
        ),
    }
    waited_for = {name for name in changes if name.startswith(("endless", "deaf"))}
    waited_for -= {"endless printing"}  # ends at the limit of output
    return {
        name: {"change": change, "limits": SHORT if name in waited_for else LIMITS}
        for name, change in changes.items()
    }


CASES = submissions()
# How the run ended, and the verdicts on the three exercises.
EXPECTED = dict.fromkeys(CASES, ("ok", "right right right")) | {
    "endless loop": ("timeout", "right right right"),
    "endless printing": ("output_limit", "right right right"),
    "endless answer": ("timeout", "right no_record right"),
    "deaf to interrupts": ("timeout", "right right right"),
    "os exit": ("kernel_died", "right right right"),
    "fork bomb": ("memory|killed|timeout", "right right right"),
    "memory hog": ("memory", "right right right"),
    "many hogs": ("memory", "right right right"),
    "patches": ("ok|kernel_died", "right wrong right"),
    "check replaced, forged": ("ok", "right wrong right"),
    "climbs": ("kernel_died", "right wrong right"),
    "strange results, hard-coded": ("ok", "wrong wrong right"),
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


@pytest.mark.parametrize("case", ["climbs", "strange results, hard-coded"])
def test_reaching_beyond_is_named(pool, case):
    """Catches an attack that is turned away but that no instructor hears of."""
    flags = " ".join(pool.result(case).record["flags"])
    assert "its code reaches beyond the exercise" in flags


@pytest.mark.parametrize("case", ["detached child, snoops"])
def test_no_process_is_left(pool, case):
    """Catches a detached child that lives on after the grading."""
    pool.result(case)
    left = [p for p in psutil.process_iter(["cmdline"]) if "98765" in (p.info["cmdline"] or [])]
    assert left == []


@pytest.mark.parametrize("case", ["detached child, snoops"])
def test_nobody_gets_out(pool, case):
    """Catches a kernel that reaches a server on the grader's machine."""
    said = pool.result(case).shown()
    assert said.count("refused [") == 2 and "CONNECTED" not in said
    SERVER.settimeout(0.1)
    with pytest.raises(TimeoutError):
        SERVER.accept()


@pytest.mark.parametrize("case", ["detached child, snoops"])
def test_no_solution_is_in_reach(pool, case):
    """Catches a file with a solution, its compiled form or a judge in the sandbox."""
    said = pool.result(case).shown()
    assert "LEAKS []" in said and "IMPORTED" not in said


@pytest.mark.parametrize("case", ["detached child, snoops"])
def test_shell_cells_run(pool, case):
    """Catches a sandbox in which `%%bash` hangs or is refused."""
    assert "from bash" in pool.result(case).shown()


@pytest.mark.parametrize("case", ["endless printing"])
def test_what_is_printed_stays_small(pool, case):
    """Catches a feedback notebook, or a grader, that grows with what students print."""
    result = pool.result(case)
    assert (result.folder / "feedback.ipynb").stat().st_size < 8 * 2**20
