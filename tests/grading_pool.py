"""Grades the submissions of all chosen tests at once, two at a time, so that none waits alone."""

import functools
import json
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from grading_course import NAMES, STEM, Desk, make_course

from course_lib.grading.sandbox import command as sandbox
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.submission.engine import grade_notebook
from course_lib.grading.submission.judge_client import catalogue

LIMITS = Limits(seconds=90, cell_seconds=12, memory_mb=1500, output_mb=5)
APART = sandbox.works("bwrap") or sandbox.works("namespaces")
needs_namespaces = pytest.mark.skipif(not APART, reason="this system lets nobody make namespaces")


class Result:
    """A record, and the feedback notebook that came with it."""

    def __init__(self, record, folder):
        self.record, self.folder = record, folder
        self.status, self.points = record["status"], record["points"]
        self.exercises = {entry["name"]: entry for entry in record["exercises"]}
        self.verdicts = [self.exercises[name]["status"] for name in NAMES if self.exercises]
        self.origins = [self.exercises[name]["from"] for name in NAMES if self.exercises]
        self.feedback = json.loads((folder / "feedback.ipynb").read_text(encoding="utf-8"))

    def shown(self, *, new=True):
        """What the student's additional cells printed, or all cells."""
        cells = [c for c in self.feedback["cells"] if not new or c["id"].startswith("student-")]
        outputs = [o for cell in cells for o in cell.get("outputs", [])]
        return "".join(str(o.get("text", o.get("data", ""))) for o in outputs)


class Pool:
    """result(name): the grading of one case; the first question starts all cases in `wanted`.

    A case is what `Desk.hand_in` takes, and `limits` where it needs others than all.
    """

    def __init__(self, root, folder, cases, wanted):
        self.root = root
        self.desk = Desk(self.root, folder / "submissions")
        self.out, self.cases, self.wanted = folder / "out", cases, wanted
        self.threads, self.running = ThreadPoolExecutor(2), {}
        self.most = 0

    def grade(self, path, name, **options):
        """Grade one file, alone."""
        options = {"stem": STEM, "limits": LIMITS, "root": self.root} | options
        record = grade_notebook(path, student=name, folder=self.out / name, **options)
        self.most = max(self.most, psutil.Process().memory_info().rss)
        return Result(record, self.out / name)

    def result(self, name):
        """The result of a case."""
        asked = [c for c in self.cases if c in self.wanted | {name} and c not in self.running]
        for other in asked:
            case = {"limits": LIMITS} | self.cases[other]
            student, limits = other.replace(" ", "_"), case.pop("limits")
            path = self.desk.hand_in(student, **case)
            self.running[other] = self.threads.submit(self.grade, path, student, limits=limits)
        return self.running[name].result()


@functools.cache
def course_in(folder):
    """A course, made once for all pools of this process, with a judge that has started."""
    root = make_course(folder)
    catalogue(root)
    return root


def pool_for(cases):
    """A fixture for a module whose tests have these cases as their parameter `case`."""

    @pytest.fixture(scope="module")
    def pool(tmp_path_factory, request):
        chosen = [item.callspec.params.get("case") for item in request.session.items
                  if item.module is request.module and hasattr(item, "callspec")]  # fmt: skip
        root = course_in(tmp_path_factory.getbasetemp() / "graded")
        made = Pool(root, tmp_path_factory.mktemp("class"), cases, {*chosen} & cases.keys())
        yield made
        made.threads.shutdown(cancel_futures=True)

    return pool
