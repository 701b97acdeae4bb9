"""`grade --self-test`: a small class whose grades are known, graded as any other, and compared."""

from __future__ import annotations

import ast
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course_lib.authoring.builder import rendered
from course_lib.exercises import EXERCISES, Mistake
from course_lib.grading.assignment import Assignment, find
from course_lib.grading.batch.results import Result
from course_lib.grading.classroom import Engine, GradingConfig, course_engine, grade_class
from course_lib.place import ROOT

DEFAULT = "01"  # the quickest to run
# Tries to earn points without an answer: by another check, made-up records, the end of the run.
HOSTILE = """
import os, sys
from IPython.display import HTML, display
import course_lib.exercises as exercises

exercises.check = lambda name, candidate: candidate
sys.modules["course_lib.exercises"].EXERCISES = {}
display({"application/x-record+json": {"outcome": "value", "points": 99}}, raw=True)
display(HTML("<b>✓ right. 12 of 12 points</b>"))
os.kill(os.getppid(), 9)
os._exit(0)
"""


@dataclass(frozen=True)
class Expected:
    """What a member of the class must get; None where anything will do.

    verdicts: by exercise the status, with the mistake's name where it is a known one.
    """

    status: str | None
    points: float
    verdicts: dict[str, str] | None = None


def run(
    wanted: Assignment | None, *, jobs: int, require: str | None, engine: Engine | None = None
) -> int:
    """Grade the class, print expected beside obtained; 0 if all is as it must be, else 1."""
    assignment, start = wanted or find(DEFAULT), time.monotonic()
    expected = members(assignment)
    with tempfile.TemporaryDirectory(prefix="course-self-test-") as folder:
        source, out = Path(folder) / "class", Path(folder) / "results"
        write_class(source, assignment)
        config = GradingConfig(
            source, out, notebook=assignment, jobs=jobs, require_isolation=require
        )
        outcome = grade_class(config, engine or course_engine())
    found = {one.student: one for one in outcome.results}
    wrong = [name for name, want in expected.items() if not _print(name, want, found[name])]
    levels = {one.record["isolation"]["level"] for one in outcome.results if one.status == "ok"}
    print(f"isolation: {', '.join(sorted(levels))}; {time.monotonic() - start:.0f} seconds")
    if wrong:
        print(f"NOT as expected: {', '.join(wrong)}; do not grade with this installation")
        return 1
    print("all as expected")
    return 0


def members(assignment: Assignment) -> dict[str, Expected]:
    """Everybody in the class by name, and what each must get."""
    right = dict.fromkeys(assignment.points, "right")
    mistakes = known_mistakes(assignment)
    lost = sum(assignment.points[name] for name in mistakes)
    mistaken = right | {name: f"wrong: {one.name}" for name, one in mistakes.items()}
    return {
        "solution": Expected("ok", assignment.max_points, right),
        "untouched": Expected("ok", 0, dict.fromkeys(right, "open")),
        "known-mistakes": Expected("ok", assignment.max_points - lost, mistaken),
        "hostile": Expected(None, 0),
        "cut-off": Expected("unreadable", 0),
        "no-file": Expected("no_notebook", 0),
    }


def known_mistakes(assignment: Assignment) -> dict[str, Mistake]:
    """By exercise the last mistake with a hint in its table, where one's own is added.

    An exercise that calls one of those before it stays right: its verdict is then its own.
    """
    found: dict[str, Mistake] = {}
    for name in assignment.points:
        mistakes = [one for one in EXERCISES[name].mistakes if one.hint]
        calls = {
            node.id
            for node in ast.walk(ast.parse(mistakes[-1].code if mistakes else ""))
            if isinstance(node, ast.Name)
        }
        if mistakes and not calls & {*found}:
            found[name] = mistakes[-1]
    return found


def write_class(folder: Path, assignment: Assignment) -> None:
    """The submissions of these members."""
    # Made anew: what lies in the folders may be the instructor's own.
    copies = rendered(ROOT, EXERCISES, stem=assignment.stem)
    given, solved = (
        copies[f"{kind}/{assignment.stem}.ipynb"] for kind in ("notebooks", "solutions")
    )
    mistakes = known_mistakes(assignment)

    def mistake(cell: dict) -> None:
        one = mistakes.get(cell["id"].removeprefix("exercise-"))
        if one and cell["id"].startswith("exercise-"):
            cell["source"] = one.code.strip()

    def attack(cell: dict) -> None:
        if cell["id"].startswith("exercise-"):
            cell["source"] = "".join(cell["source"]) + "\n" + HOSTILE

    texts = {
        "solution": solved,
        "untouched": given,
        "known-mistakes": _changed(solved, mistake),
        "hostile": _changed(given, attack),
        "cut-off": solved[: len(solved) // 2],
    }
    (folder / "no-file").mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")


def _changed(text: str, change: Callable[[dict], None]) -> str:
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        change(cell)
    return json.dumps(notebook)


def _print(name: str, want: Expected, got: Result) -> bool:
    """One line, and one more for each exercise that differs; whether none does."""
    verdicts = {
        one["name"]: f"wrong: {one['mistake']}" if one.get("mistake") else one["status"]
        for one in got.exercises
    }
    differ = {e: v for e, v in (want.verdicts or {}).items() if verdicts[e] != v}
    same = want.status in (None, got.status) and want.points == got.points and got.graded
    expected, obtained = (
        f"{points:g} of {got.max_points:g}, {status or 'any end'}"
        for points, status in ((want.points, want.status), (got.points, got.status))
    )
    sign = "✓" if same and not differ else "✗"
    print(f"  {sign} {name:15} expected {expected:24} obtained {obtained}")
    if not same and got.record["reason"]:
        print(f"      {got.record['reason']}")
    for exercise, verdict in differ.items():
        print(f"      {exercise}: expected {verdict}, obtained {verdicts[exercise]}")
    return same and not differ
