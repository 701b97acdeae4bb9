"""Grade a folder or ZIP of submissions: run apart, judged outside, once each. See GRADING.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib import machine
from course_lib.commands import arguments
from course_lib.commands.data import existing
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.grading.assignment import Assignment
    from course_lib.grading.classroom import Outcome

LEVELS = ("process", "namespaces", "bwrap")  # from the least to the best

NEEDS = ("grade",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`grade SUBMISSIONS --out DIR`, or `grade --self-test`."""
    add = parser.add_argument
    add("submissions", nargs="?", type=existing, metavar="SUBMISSIONS",
        help="folder or ZIP with one .ipynb or one sub-folder per student; Canvas' and Moodle's "
        "ZIPs as they are")  # fmt: skip
    add("--out", type=arguments.path, metavar="DIR",
        help="where the results go; a second run goes on there")  # fmt: skip
    add("--notebook", metavar="03", help="which notebook; else the one that most handed in")
    add(
        "--jobs", type=count, metavar="N", help="submissions at a time; as many as fit, if left out"
    )
    add("--answers-only", action="store_true",
        help="points and cards, in seconds each; no notebook runs for its figures")  # fmt: skip
    add("--scheduler", metavar="ADDRESS", help="a dask.distributed cluster to grade on")
    add("--require-isolation", choices=LEVELS, metavar="LEVEL",
        help=f"grade nothing below this level: {', '.join(LEVELS)}")  # fmt: skip
    add("--overrides", type=arguments.existing_file, metavar="FILE",
        help="CSV of points given by hand: student,exercise,points,comment")  # fmt: skip
    for name, what in (("canvas", "a gradebook export"), ("moodle", "a grading worksheet")):
        add(f"--{name}", type=arguments.existing_file, metavar="FILE",
            help=f"{what} to fill in a copy of")  # fmt: skip
    add("--column", metavar="NAME", help="the column of --canvas, if none names the notebook")
    add("--self-test", action="store_true",
        help="grade a small class whose grades are known, and compare")  # fmt: skip


def check(args: argparse.Namespace) -> None:
    """Refuse what is not there, what cannot be written, and what does not go together."""
    if args.notebook is not None:
        from course_lib.grading import assignment

        assignment.find(args.notebook)
    if args.self_test:
        _check_self_test(args)
    else:
        _check_class(args)


def run(args: argparse.Namespace) -> int:
    """0 if all were graded, whatever their points; 1 if some could not be, or the test fails."""
    from course_lib.grading import assignment
    from course_lib.grading.sandbox.command import best_level

    wanted = assignment.find(args.notebook) if args.notebook else None
    if args.require_isolation and not args.scheduler:
        level = best_level()
        if LEVELS.index(level) < LEVELS.index(args.require_isolation):
            raise CourseError(f"this machine offers {level!r}, not {args.require_isolation!r}")
    if args.self_test:
        from course_lib.grading import selftest

        return selftest.run(wanted, jobs=args.jobs or fitting(), require=args.require_isolation)
    return _grade(args, wanted)


def _check_self_test(args: argparse.Namespace) -> None:
    others = ("out", "answers_only", "scheduler", "overrides", "canvas", "column", "moodle")
    for name in ("submissions", *others):
        if getattr(args, name):
            dashed = name.replace("_", "-")
            option = "SUBMISSIONS" if name == "submissions" else f"--{dashed}"
            raise CourseError(f"--self-test grades a class of its own: leave out {option}")


def _check_class(args: argparse.Namespace) -> None:
    if not args.submissions or not args.out:
        missing = "SUBMISSIONS" if not args.submissions else "--out DIR"
        raise CourseError(f"{missing} is missing: grade SUBMISSIONS --out DIR, or --self-test")
    if args.column and not args.canvas:
        raise CourseError("--column is one of a gradebook's: give that too, --canvas FILE")
    source, out = args.submissions.resolve(), args.out.resolve()
    results = "*/record.json" if source.name == "students" else "students/*/record.json"
    if any(source.glob(results)):
        raise CourseError(f"{args.submissions} holds results of the grader, not submissions")
    if source == out or (source.is_dir() and source in out.parents):
        raise CourseError(f"--out {args.out} lies among the submissions: choose another folder")
    if source.is_file() and not zipfile.is_zipfile(source):
        raise CourseError(f"{args.submissions} is neither a folder nor a readable ZIP: give one")
    arguments.require_folder(out)
    args.submissions, args.out = source, out


def _grade(args: argparse.Namespace, wanted: Assignment | None) -> int:
    from course_lib.grading.classroom import GradingConfig, course_engine, grade_class
    from course_lib.grading.gradebooks.canvas import Export

    wanted = _same_as_earlier(args, wanted)
    names = ("answers_only", "scheduler", "require_isolation", "overrides", "moodle")
    chosen = {name: getattr(args, name) for name in names}
    chosen["canvas"] = Export(args.canvas, args.column) if args.canvas else None
    jobs = args.jobs or fitting()
    config = GradingConfig(args.submissions, args.out, notebook=wanted, jobs=jobs, **chosen)
    outcome = grade_class(config, course_engine())
    return _say(outcome, args.out)


def _same_as_earlier(args: argparse.Namespace, wanted: Assignment | None) -> Assignment | None:
    """The notebook to grade, None where no earlier run binds. CourseError: results of another."""
    from course_lib.grading import intake
    from course_lib.grading.sandbox.limits import Limits

    for path in args.out.glob("students/*/record.json"):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # cut off
            earlier = json.loads(path.read_text(encoding="utf-8"))["notebook"]
            break
    else:
        return wanted
    wanted = (
        wanted
        or intake.collect(args.submissions, wanted=None, limit=Limits().file_bytes).assignment
    )
    if wanted.stem != earlier:
        raise CourseError(
            f"--out {args.out} holds results of notebook {earlier[:2]}, and this is "
            f"{wanted.number}: choose another folder"
        )
    return wanted


def _say(outcome: Outcome, out: Path) -> int:
    """What came out, in a few lines; 1 where some submissions got no grade."""
    graded = [one for one in outcome.results if one.graded]
    kept = len(outcome.results) - outcome.graded_now
    print(f"graded {outcome.graded_now} now, {kept} as they were; results in {out}:")
    print("  grades.csv, report.html, and for each student students/ID/feedback.html")
    if graded:
        mean = sum(one.points for one in graded) / len(graded)
        print(f"mean {mean:.1f} of {outcome.assignment.max_points} points")
    other = [f"{one.student} ({one.status})" for one in graded if one.status != "ok"]
    flagged = [one.student for one in outcome.results if one.flags]
    for what, who in (("did not run to the end", other), ("flagged", flagged)):
        if who:
            more = f" and {len(who) - 6} more" if len(who) > 6 else ""
            print(f"{len(who)} {what}: {', '.join(who[:6])}{more}")
    for note in outcome.notes:
        print(note)
    lost = [one for one in outcome.results if not one.graded]
    for one in lost[:6]:
        print(f"NOT GRADED: {one.student}: {one.record['reason']}")
    return 1 if lost else 0


def count(text: str) -> int:
    """A number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= 512:
        raise CourseError(f"--jobs takes a number from 1 to 512, not {text!r}")
    return int(text)


def fitting() -> int:
    """As many submissions as this machine has cores and, at half their limit each, memory for."""
    from course_lib.grading.sandbox.limits import Limits

    total = machine.memory_bytes() or 0
    return max(1, min(machine.cores(), int(total / (Limits().memory_mb * 2**20 / 2))))
