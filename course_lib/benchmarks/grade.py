"""Grading against a bare papermill run of the same notebook, two cores against one, and memory.

All run the solution of notebook 04 with `COURSE_FAST=1`, as the grader does; then the answers of a
class to notebook 03 alone, judged twice. A core is one that the operating system pins the whole
command to; where it cannot, the number of processes alone differs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import papermill
import psutil
from tqdm import tqdm

from course_lib.benchmarks.machine import load_per_core
from course_lib.grading.sandbox.supervise import PROCESSES
from course_lib.grading.submission.engine import grade_notebook
from course_lib.place import ROOT

STEM = "04_beta_vae"  # the shortest run
LONGEST = "03_variational_autoencoder"  # the one whose run takes longest
ROUNDS, N_SUBMISSIONS, PRINTED_MB = 2, 4, 200  # of one notebook; in the class; by a student
N_ANSWERS = 12  # submissions whose answers alone are graded, and then judged again
# At most, but at least for the throughput; MB without the judge and of it; seconds of two cores per
# submission, and for the class.
LIMITS = {"cost": 1.3, "throughput": 1.7, "memory": 400, "judge": 900, "answers": 6, "again": 10}
# Processes of the grader itself, by a word of their command line; all others run students' code.
# The judge is counted by itself: it holds torch, and sees nothing that a student prints.
GRADER = {"course_lib grade": "command"} | {PROCESSES[name]: name for name in ("worker", "judge")}


def bare(scratch: Path) -> None:
    """What anybody would do: papermill, and no more."""
    source, target = ROOT / f"solutions/{STEM}.ipynb", scratch / "bare.ipynb"
    papermill.execute_notebook(source, target, kernel_name="python3", progress_bar=False)


def graded(scratch: Path) -> None:
    """The same notebook as a submission."""
    source = ROOT / f"solutions/{STEM}.ipynb"
    record = grade_notebook(source, student="bench", stem=STEM, folder=scratch / "graded")
    if record["points"] != record["max_points"]:
        raise RuntimeError(f"the solution was graded {record['status']}: {record['reason']}")


def seconds(call: Callable[[Path], None], scratch: Path) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call(scratch)
    return time.perf_counter() - start


def write_class(
    folder: Path, *, extra: str = "", count: int = N_SUBMISSIONS, stem: str = STEM
) -> Path:
    """So many submissions of the solution, no two of the same bytes; `extra` is a last cell."""
    folder.mkdir(parents=True)
    text = (ROOT / f"solutions/{stem}.ipynb").read_text(encoding="utf-8")
    for number in range(count):
        notebook = json.loads(text)
        cell = {"cell_type": "code", "id": "extra", "metadata": {}, "outputs": []}
        cell |= {"execution_count": None, "source": extra or f"# {number}"}
        notebook["cells"].append(cell)
        (folder / f"s{number}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def grade_command(source: Path, out: Path, *options: str, cores: int) -> subprocess.Popen:
    """Start the command on so many cores."""
    command = [sys.executable, "-m", "course_lib", "grade", source, "--out", out, *options]
    if hasattr(os, "sched_getaffinity"):
        chosen = set(sorted(os.sched_getaffinity(0))[:cores])
        pinned = {"preexec_fn": lambda: os.sched_setaffinity(0, chosen)}
    else:
        pinned = {}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, "--jobs", str(cores)], cwd=ROOT, **silent, **pinned)


def class_seconds(scratch: Path, *, cores: int) -> float:
    """Wall-clock seconds for the class on so many cores."""
    start = time.perf_counter()
    code = grade_command(scratch / "class", scratch / f"out{cores}", cores=cores).wait()
    if code:
        raise RuntimeError(f"grading ended with code {code}")
    return time.perf_counter() - start


def answers_seconds(scratch: Path) -> dict[str, float]:
    """Wall-clock seconds on two cores: for a class's answers, and to judge them once more."""
    source, out, found = scratch / "answers", scratch / "answers-out", {}
    write_class(source, count=N_ANSWERS, stem=LONGEST)
    for what in tqdm(("answers", "again"), desc="answers alone"):
        for record in out.glob("students/*/record.json"):
            record.unlink()  # as if a hint had changed
        start = time.perf_counter()
        if code := grade_command(source, out, "--answers-only", cores=2).wait():
            raise RuntimeError(f"grading ended with code {code}")
        found[what] = time.perf_counter() - start
    return {"answers": found["answers"] / N_ANSWERS, "again": found["again"]}


def peaks(process: subprocess.Popen) -> dict[str, float]:
    """MB of memory at most of each of the grader's own processes, until the command ends."""
    found: dict[str, float] = {}
    own = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            for each in [own, *own.children(recursive=True)]:
                kind = kind_of(" ".join(each.cmdline()))
                if kind:
                    found[kind] = max(found.get(kind, 0), each.memory_info().rss / 2**20)
        except psutil.Error:  # it has just ended
            pass
        time.sleep(0.1)
    return found


def kind_of(command: str) -> str | None:
    """What a process is to the grader; None for one that runs a student's code."""
    return next((kind for word, kind in GRADER.items() if word in command), None)


def run() -> dict:
    """Measure all and print each beside what it has to be."""
    os.environ["COURSE_FAST"] = "1"
    load = load_per_core()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        ways = {"papermill": bare, "grading": graded}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for name in tqdm([*ways] * (1 + ROUNDS), desc="one notebook"):
            times[name].append(seconds(ways[name], scratch))
        write_class(scratch / "class")
        cores = {n: class_seconds(scratch, cores=n) for n in tqdm((1, 2), desc="a class")}
        noise = f"for _ in range({PRINTED_MB}):\n    print('x' * 2**20)"
        noisy = write_class(scratch / "noisy", extra=noise, count=1)
        memory = peaks(grade_command(noisy, scratch / "noisy-out", cores=1))
        answers = answers_seconds(scratch)
    times = {name: values[1:] for name, values in times.items()}  # the first warms up
    return report(times, cores, memory, answers) | {"load per core": load}


def report(
    times: dict[str, list[float]],
    cores: dict[int, float],
    memory: dict[str, float],
    answers: dict[str, float],
) -> dict:
    """Print and return medians, ratios and peaks."""
    cost = statistics.median(
        a / b for a, b in zip(times["grading"], times["papermill"], strict=True)
    )
    throughput = cores[1] / cores[2]
    together = sum(value for kind, value in memory.items() if kind != "judge")
    for name, values in times.items():
        print(f"  {name:10s} {statistics.median(values):6.1f} s for one notebook")
    print(f"  ratio      {cost:6.2f}, at most {LIMITS['cost']}")
    for number, value in cores.items():
        print(
            f"  {number} core{'s' * (number > 1):4s} {value:7.1f} s for {N_SUBMISSIONS} submissions"
        )
    print(f"  ratio      {throughput:6.2f}, at least {LIMITS['throughput']}")
    for kind, value in memory.items():
        print(f"  {value:6.0f} MB  {kind}, where a student prints {PRINTED_MB} MB")
    print(f"  together   {together:6.0f} MB without the judge, at most {LIMITS['memory']}")
    print(f"  the judge  {memory['judge']:6.0f} MB, at most {LIMITS['judge']}")
    print(f"  {answers['answers']:8.1f} s for the answers of a submission of {LONGEST[:2]} on two")
    print(f"             cores, at most {LIMITS['answers']}")
    print(f"  {answers['again']:8.1f} s to judge {N_ANSWERS} again, at most {LIMITS['again']}")
    figures = {"cost": cost, "throughput": throughput, "memory": together, **answers}
    return figures | {"seconds": times, "class": cores, "peaks": memory}
