"""report.html: the class on one page, what was hard, and what the instructor should look at."""

from __future__ import annotations

import statistics
from collections import Counter

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.reports.page import page
from course_lib.grading.reports.pictures import picture, points_histogram, ranked_bars, verdict_bars

N_RANKED = 10  # mistakes, slow runs
MAX_LABEL_CHARS = 26  # of a name beside a bar
Mistake = tuple[str, str, int, str]  # exercise, mistake, number of students, hint


def report(results: list[Result], assignment: Assignment, *, notes: list[str]) -> str:
    """The page. notes: what else the run has to say, of gradebooks and of files passed over."""
    graded = [one for one in results if one.graded]
    ran = [one.record for one in results if one.record["exercises"]]
    levels = [record["isolation"]["level"] for record in ran]
    points, mistakes = [one.points for one in graded], _mistakes(graded)
    return page(
        "class.html.j2",
        title=f"{assignment.title}: the class",
        assignment=assignment,
        results=results,
        graded=graded,
        notes=notes,
        statuses=Counter(one.status for one in results).most_common(),
        levels=Counter(levels).most_common(),
        waiting=sum(not record["cells"] for record in ran),
        mean=statistics.mean(points) if graded else 0,
        median=statistics.median(points) if graded else 0,
        mistakes=mistakes,
        pictures=_pictures(graded, assignment, mistakes) if graded else {},
    )


def _mistakes(graded: list[Result]) -> list[Mistake]:
    """The most frequent mistakes, each with the hint that students saw."""
    hints, counts = {}, Counter()
    for each in (each for one in graded for each in one.exercises):
        if each["status"] == "wrong":
            key = (each["name"], each.get("mistake") or "none of the known ones")
            counts[key] += 1
            hints.setdefault(key, (each.get("hint") or "").replace("`", ""))
    return [(*key, n, hints[key]) for key, n in counts.most_common(N_RANKED)]


def _pictures(
    graded: list[Result], assignment: Assignment, mistakes: list[Mistake]
) -> dict[str, str]:
    verdicts = {name: Counter() for name in assignment.points}
    for each in (each for one in graded for each in one.exercises):
        known = each["status"] in ("right", "wrong", "open")
        verdicts[each["name"]][each["status"] if known else "none"] += 1
    verdicts = {f"{name} ({assignment.points[name]} p.)": n for name, n in verdicts.items()}
    slow = [(_short(one.student), one.record.get("seconds") or 0) for one in graded]
    slow = sorted((pair for pair in slow if pair[1]), key=lambda pair: -pair[1])[:N_RANKED]
    bars = [(f"{name}: {_short(mistake)}", n) for name, mistake, n, _ in mistakes]
    points = [one.points for one in graded]
    pictures = {
        "points": picture(points_histogram, points, assignment.max_points, height=2.8),
        "verdicts": picture(verdict_bars, verdicts, height=1.1 + 0.42 * len(verdicts)),
    }
    for name, pairs, unit in (("mistakes", bars, "students"), ("slow", slow, "seconds")):
        if pairs:
            pictures[name] = picture(ranked_bars, pairs, unit, height=0.9 + 0.36 * len(pairs))
    return pictures


def _short(name: str) -> str:
    return name if len(name) <= MAX_LABEL_CHARS else f"{name[:MAX_LABEL_CHARS]}…"
