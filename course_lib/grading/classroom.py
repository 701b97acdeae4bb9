"""A whole class: what is new or changed is graded, then the table and all that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from course_lib.grading import intake
from course_lib.grading.assignment import Assignment
from course_lib.grading.batch import cluster, overrides, schedule, store
from course_lib.grading.batch.job import Grade, Job, Prepare, failed, ready
from course_lib.grading.batch.results import UNGRADED, Result, result
from course_lib.grading.gradebooks import canvas, fill, moodle
from course_lib.grading.intake import Intake, Submission
from course_lib.grading.reports.writing import write_all
from course_lib.grading.sandbox.limits import LEVELS, Limits


@dataclass(frozen=True)
class Order:
    """What the instructor asked for."""

    source: Path
    out: Path
    notebook: Assignment | None = None
    jobs: int = 1
    scheduler: str | None = None
    require_isolation: str | None = None
    overrides: Path | None = None
    canvas: Path | None = None
    moodle: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Judge:
    """The engine: what grades one submission, the digest of all that judges a notebook, and what
    makes a machine ready for it."""

    grade: Grade
    digest: Callable[[str], str]
    prepare: Prepare = ready


@dataclass(frozen=True)
class Outcome:
    """What a run made: results in the order of the table, and what there is to say about it."""

    results: list[Result]
    assignment: Assignment
    graded_now: int
    notes: list[str]


def course_judge() -> Judge:
    """The course's own engine."""
    from course_lib.grading.batch.prepare import warm
    from course_lib.grading.submission.engine import ROOT, grade_notebook
    from course_lib.grading.submission.version import grader_hash

    return Judge(grade_notebook, lambda stem: grader_hash(ROOT, stem), warm)


def grade_class(order: Order, judge: Judge) -> Outcome:
    """Grade every submission that is new or changed, and write all files. Raises CourseError."""
    with store.opened(order.out) as work:
        limit = order.limits.file_mb * 2**20
        taken = intake.collect(order.source, wanted=order.notebook, limit=limit)
        given = {}
        if order.overrides:
            students = [one.student for one in taken.submissions]
            given = overrides.read(order.overrides, students=students, assignment=taken.assignment)
        _fill_gradebooks(order, [], taken.assignment)  # says now what would be wrong with them
        print(_announcement(taken), flush=True)
        records, graded_now = _records(order, taken, judge, work)
        results = [
            result(replace(one, entry=None), records[one.student], taken.assignment, given)
            for one in taken.submissions
        ]
        notes = _ignored(taken)
        for name, filled in _fill_gradebooks(order, results, taken.assignment):
            store.write(order.out / name, filled.content)
            notes.append(f"{name}: {'; '.join([f'{filled.filled} rows filled', *filled.notes])}")
        write_all(order.out, results, taken.assignment, notes=notes)
    return Outcome(results, taken.assignment, graded_now, notes)


def _records(order: Order, taken: Intake, judge: Judge, work: Path) -> tuple[dict[str, dict], int]:
    """The record of every student, and how many of them are new."""
    digest = judge.digest(taken.assignment.stem)
    jobs = [_job(one, order, taken.assignment.stem, digest, work) for one in taken.submissions]
    records, waiting = {}, []
    for one, job in zip(taken.submissions, jobs, strict=True):
        if one.status:
            records[job.student] = failed(job, one.status, one.reason)
            store.install(records[job.student], None, job.folder)
        elif (record := store.load(job.folder, job.key)) and _serves(record, order):
            records[job.student] = record
        else:
            path = intake.staged(one, work, limit=order.limits.file_mb * 2**20).path
            waiting.append(replace(job, path=path))
    for job, record in _progress(_run(order, waiting, judge, digest), len(jobs), len(waiting)):
        records[job.student] = record
    return records, len(waiting)


def _run(order: Order, jobs: list[Job], judge: Judge, digest: str) -> Iterator[tuple[Job, dict]]:
    if not jobs:
        return iter(())
    if order.scheduler:
        own = {"grade": judge.grade, "prepare": judge.prepare, "grader": digest}
        return cluster.run(jobs, address=order.scheduler, **own)
    judge.prepare(jobs[0].stem)
    return schedule.run(jobs, processes=order.jobs, grade=judge.grade)


def _progress(
    done: Iterator[tuple[Job, dict]], total: int, waiting: int
) -> Iterator[tuple[Job, dict]]:
    """The same with a bar that counts what an earlier run has done."""
    other = 0
    with tqdm(total=total, initial=total - waiting, desc="grading", unit="student") as bar:
        for job, record in done:
            other += record["status"] != "ok"
            bar.set_postfix_str(f"{other} not ok" if other else "", refresh=False)
            bar.update()
            yield job, record


def _job(one: Submission, order: Order, stem: str, digest: str, work: Path) -> Job:
    return Job(
        student=one.student,
        file=one.file,
        path=None,
        sha256=one.sha256,
        stem=stem,
        key=store.key_of(one.sha256, grader=digest, stem=stem, limits=order.limits),
        folder=order.out / store.STUDENTS / one.folder,
        work=work / one.folder,
        limits=order.limits,
        require_isolation=order.require_isolation,
    )


def _serves(record: dict, order: Order) -> bool:
    """Whether an earlier record stands: a failure of the grader's own is tried again."""
    level = record["isolation"]["level"]
    least = order.require_isolation or LEVELS[0]
    apart = LEVELS.index(level) >= LEVELS.index(least) or not record["exercises"]  # was not run
    return record["status"] not in UNGRADED and apart


def _fill_gradebooks(
    order: Order, results: list[Result], assignment: Assignment
) -> list[tuple[str, fill.Filled]]:
    pairs = [("canvas.csv", order.canvas, canvas), ("moodle.csv", order.moodle, moodle)]
    return [
        (name, module.filled(path, results, assignment)) for name, path, module in pairs if path
    ]


def _announcement(taken: Intake) -> str:
    count = len(taken.submissions)
    students = f"{count} student{'' if count == 1 else 's'}"
    return f"notebook {taken.assignment.number}, {taken.assignment.name}: {students}"


def _ignored(taken: Intake) -> list[str]:
    if not taken.ignored:
        return []
    more = ", …" if len(taken.ignored) > 5 else ""
    return [f"passed over, no submission: {', '.join(taken.ignored[:5])}{more}"]
