"""report.html: the class on one page, what was hard, and what the instructor should look at."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.reports.page import page
from course_lib.grading.reports.pictures import picture, points_histogram, ranked_bars, verdict_bars

N_ROWS = 10  # of the mistakes and of the slow runs
MAX_LABEL_CHARS = 26  # of a name beside a bar


def report(results: list[Result], assignment: Assignment, *, notes: list[str]) -> str:
    """The page. notes: what else the run has to say, of gradebooks and of files passed over."""
    run = [one for one in results if one.record.get("cells")]
    attention = [(one, reasons) for one in results if (reasons := _reasons(one))]
    return page(
        "class.html.j2",
        title=f"{assignment.title}: the class",
        assignment=assignment,
        results=results,
        notes=notes,
        statuses=Counter(one.status for one in results).most_common(),
        levels=Counter(one.record["isolation"]["level"] for one in run).most_common(),
        attention=attention,
        **_statistics([one for one in results if one.graded], assignment),
    )


def _statistics(graded: list[Result], assignment: Assignment) -> dict[str, Any]:
    """Numbers and pictures of those who have a grade."""
    if not graded:
        return {"graded": graded}
    points = [one.points for one in graded]
    mistakes = _mistakes(graded)
    timed = sorted((one for one in graded if one.record.get("seconds")),
                   key=lambda one: -one.record["seconds"])[:N_ROWS]  # fmt: skip
    verdicts = _verdicts(graded, assignment)
    pictures = {
        "points": picture(points_histogram, points, assignment.max_points, height=2.8),
        "verdicts": picture(verdict_bars, verdicts, height=1.1 + 0.42 * len(verdicts)),
        "mistakes": _ranked([(one["label"], one["students"]) for one in mistakes], "students"),
        "slowest": _ranked([(one.student, one.record["seconds"]) for one in timed], "seconds"),
    }
    mean, median = statistics.mean(points), statistics.median(points)
    return {"graded": graded, "mean": mean, "median": median, "mistakes": mistakes,
            "pictures": pictures}  # fmt: skip


def _verdicts(graded: list[Result], assignment: Assignment) -> dict[str, Counter]:
    """How often each exercise, by its label, has each verdict."""
    counts = {name: Counter() for name in assignment.points}
    for each in (each for one in graded for each in one.exercises):
        known = each["status"] in ("right", "wrong", "open")
        counts[each["name"]][each["status"] if known else "none"] += 1
    return {f"{name} ({assignment.points[name]} p.)": found for name, found in counts.items()}


def _mistakes(graded: list[Result]) -> list[dict[str, Any]]:
    """The most frequent mistakes, with the hint that students saw."""
    hints, counts = {}, Counter()
    for each in (each for one in graded for each in one.exercises):
        if each["status"] == "wrong":
            key = (each["name"], each.get("mistake") or "none of the known ones")
            counts[key] += 1
            hints.setdefault(key, (each.get("hint") or "").replace("`", ""))
    return [
        {"name": f"{name}: {mistake}", "label": f"{name}: {_short(mistake)}", "students": n,
         "hint": hints[name, mistake]}
        for (name, mistake), n in counts.most_common(N_ROWS)
    ]  # fmt: skip


def _ranked(pairs: list[tuple[str, float]], unit: str) -> str:
    return picture(ranked_bars, pairs, unit, height=0.9 + 0.36 * len(pairs)) if pairs else ""


def _reasons(one: Result) -> list[str]:
    """Why the instructor should look at a student: other than ok, flagged, or changed by hand."""
    ended = [one.record["reason"] or one.status] if one.status != "ok" else []
    return [*ended, *one.flags, *(f"changed by hand: {change}" for change in one.changes)]


def _short(name: str) -> str:
    return name if len(name) <= MAX_LABEL_CHARS else f"{name[:MAX_LABEL_CHARS]}…"
