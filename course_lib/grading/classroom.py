"""A whole class: answers first, so that the table stands after minutes, then the notebooks."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from course_lib.grading import intake
from course_lib.grading.assignment import Assignment
from course_lib.grading.batch import cluster, overrides, schedule, store
from course_lib.grading.batch.job import Engine, Job, record_of
from course_lib.grading.batch.results import Result, result
from course_lib.grading.gradebooks import canvas, fill, moodle
from course_lib.grading.intake import Intake, Submission
from course_lib.grading.reports.writing import write_all
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.submission.engine import STAGES, sweep
from course_lib.grading.submission.feedback import write_results

BARS = dict(zip(STAGES, ("answers", "notebooks"), strict=True))


@dataclass(frozen=True)
class GradingConfig:
    """What the instructor asked for."""

    source: Path
    out: Path
    notebook: Assignment | None = None
    jobs: int = 1
    answers_only: bool = False
    scheduler: str | None = None
    require_isolation: str | None = None
    overrides: Path | None = None
    canvas: Path | None = None
    moodle: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Outcome:
    """What a run made: results in the order of the table, and what there is to say about it."""

    results: list[Result]
    assignment: Assignment
    graded_now: int
    notes: list[str]


def course_engine() -> Engine:
    """The course's own engine."""
    from course_lib.grading.batch.prepare import fill_cache
    from course_lib.grading.submission import engine

    return Engine(
        engine.run, engine.assess, engine.run_parts, engine.judge_digest, prepare=fill_cache
    )


def grade_class(config: GradingConfig, engine: Engine) -> Outcome:
    """Grade every submission that is new or changed, and write all files. Raises CourseError."""
    with store.opened(config.out) as work:
        sweep()
        limit = config.limits.file_bytes
        taken = intake.collect(config.source, wanted=config.notebook, limit=limit)
        given = {}
        if config.overrides:
            students = [one.student for one in taken.submissions]
            given = overrides.read(config.overrides, students=students, assignment=taken.assignment)
        _fill_gradebooks(config, [], taken.assignment)  # says now what would be wrong with them
        print(_announcement(taken), flush=True)
        records = _unread(config, taken)
        jobs, graded = _jobs(config, taken, engine), set()
        for stage in STAGES[:1] if config.answers_only else STAGES:
            found = [(job, job.done(stage)) for job in jobs]
            waiting = [job for job, there in found if not there]
            made = _stage(stage, waiting, len(jobs), config, engine, work)
            graded |= {record["student"] for record in made}
            kept = [record for _, there in found for record in there]
            records |= {record["student"]: record for record in [*kept, *made]}
            results = [
                result(replace(one, entry=None), records[one.student], taken.assignment, given)
                for one in taken.submissions
            ]
            notes = _write(config, results, taken)
    return Outcome(results, taken.assignment, len(graded), notes)


def _unread(config: GradingConfig, taken: Intake) -> dict[str, dict]:
    """The records of those who handed in nothing that can be run."""
    records = {}
    for one in taken.submissions:
        if one.status:
            known = {"status": one.status, "reason": one.reason, "key": ""}
            record = record_of(one, taken.assignment.stem, **known)
            folder = config.out / store.STUDENTS / one.folder
            records[one.student] = write_results(folder, record, None)
    return records


def _jobs(config: GradingConfig, taken: Intake, engine: Engine) -> list[Job]:
    """What is to be run: identical files once."""
    stem, secret = taken.assignment.stem, store.secret(config.out)
    common = [engine.run_parts(stem), stem, asdict(config.limits), secret]
    same: dict[str, list[Submission]] = {}
    for one in taken.submissions:
        if not one.status:
            same.setdefault(one.sha256, []).append(one)
    return [
        Job(
            submissions=tuple(group),
            out=config.out,
            stem=stem,
            secret=secret,
            limits=config.limits,
            require_isolation=config.require_isolation,
            run_key=store.key_of(sha256, *common),
            judge_digest=engine.judge_digest(stem),
        )
        for sha256, group in same.items()
    ]


def _stage(
    stage: str, jobs: list[Job], total: int, config: GradingConfig, engine: Engine, work: Path
) -> list[dict]:
    """Do a stage of these jobs, with a bar that counts what was done before; their records."""
    if not jobs:
        return []

    def grade(job: Job) -> list[dict]:
        one = intake.staged(job.one, work, limit=config.limits.file_bytes)
        try:
            return job.grade(stage, engine, one.path)
        finally:
            if one.path.parent == work:
                one.path.unlink()

    made: list[dict] = []
    with contextlib.ExitStack() as stack:
        processes = config.jobs
        if config.scheduler:
            remote = cluster.workers_of(config.scheduler, engine, jobs[0].stem)
            engine, processes = stack.enter_context(remote)
        elif stage == "notebook":
            engine.prepare(jobs[0].stem)
        bar = stack.enter_context(
            tqdm(total=total, initial=total - len(jobs), desc=BARS[stage], unit="file")
        )
        for _, records in schedule.run(jobs, grade, processes=processes):
            made += records
            other = sum(record["status"] != "ok" for record in made)
            bar.set_postfix_str(f"{other} not ok" if other else "", refresh=False)
            bar.update()
    return made


def _write(config: GradingConfig, results: list[Result], taken: Intake) -> list[str]:
    """Write table, pages and gradebooks; what there is to say about them."""
    notes = _ignored(taken)
    for name, filled in _fill_gradebooks(config, results, taken.assignment):
        store.write(config.out / name, filled.content)
        notes.append(f"{name}: {'; '.join([f'{filled.filled} rows filled', *filled.notes])}")
    write_all(config.out, results, taken.assignment, notes=notes)
    return notes


def _fill_gradebooks(
    config: GradingConfig, results: list[Result], assignment: Assignment
) -> list[tuple[str, fill.Filled]]:
    pairs = [("canvas.csv", config.canvas, canvas), ("moodle.csv", config.moodle, moodle)]
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
