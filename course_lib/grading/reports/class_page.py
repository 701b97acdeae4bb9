"""report.html: the class on one page, what was hard, and what the instructor should look at."""

from __future__ import annotations

import html
import statistics
from collections import Counter
from collections.abc import Iterator

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.reports.page import page, rows
from course_lib.grading.reports.pictures import picture, points_histogram, ranked_bars, verdict_bars

SHOWN = 10  # mistakes and slow runs
LONGEST = 26  # characters of a name beside a bar


def report(results: list[Result], assignment: Assignment, *, notes: list[str]) -> str:
    """The page. notes: what else the run has to say, of gradebooks and of files passed over."""
    graded = [one for one in results if one.graded]
    body = [f"<h1>{html.escape(assignment.title)}</h1>", _overview(results, graded)]
    body += [f"<p class='said'>{html.escape(note)}</p>" for note in notes]
    if graded:
        body += [*_figures(graded, assignment)]
    body += [*_attention(results), *_students(results)]
    return page(f"{assignment.title}: the class", "\n".join(body))


def _overview(results: list[Result], graded: list[Result]) -> str:
    said = f"{len(results)} students"
    if graded:
        points = [one.points for one in graded]
        said += (
            f", mean {statistics.mean(points):.1f} and median {statistics.median(points):g} of "
            f"{graded[0].max_points:g} points"
        )
    statuses = Counter(one.status for one in results)
    levels = Counter(one.record["isolation"]["level"] for one in results if one.record.get("cells"))
    lines = [
        ["how the runs ended", "; ".join(f"{name}: {n}" for name, n in statuses.most_common())],
        ["isolation of the runs", "; ".join(f"{name}: {n}" for name, n in levels.most_common())],
    ]
    return f"<p>{said}.</p>" + rows(["", ""], [[k, html.escape(v) or "–"] for k, v in lines])


def _figures(graded: list[Result], assignment: Assignment) -> Iterator[str]:
    points = [one.points for one in graded]
    yield "<h2>Points</h2>"
    yield picture(points_histogram, points, assignment.max_points, height=2.8, alt="points")
    yield "<p class='quiet'>Students by points. The dashed line is the median.</p>"
    counts = {name: Counter() for name in assignment.points}
    for each in (each for one in graded for each in one.exercises):
        verdict = each["status"] if each["status"] in ("right", "wrong", "open") else "none"
        counts[each["name"]][verdict] += 1
    labels = {f"{name} ({assignment.points[name]} p.)": found for name, found in counts.items()}
    yield "<h2>Exercises</h2>"
    yield picture(verdict_bars, labels, height=1.1 + 0.42 * len(labels), alt="verdicts by exercise")
    yield "<p class='quiet'>Verdicts by exercise, before anything was changed by hand.</p>"
    yield from _mistakes(graded)
    yield from _slowest(graded)


def _mistakes(graded: list[Result]) -> Iterator[str]:
    hints, counts = {}, Counter()
    for each in (each for one in graded for each in one.exercises):
        if each["status"] == "wrong":
            name = (each["name"], each.get("mistake") or "none of the known ones")
            counts[name] += 1
            hints.setdefault(name, each.get("hint") or "")
    yield "<h2>Mistakes</h2>"
    if not counts:
        yield "<p>None.</p>"
        return
    top = counts.most_common(SHOWN)
    bars = [(f"{name}: {_short(mistake)}", n) for (name, mistake), n in top]
    yield picture(ranked_bars, bars, "students", height=0.9 + 0.36 * len(bars), alt="mistakes")
    yield "<p class='quiet'>The most frequent mistakes by name, and the hint that students saw.</p>"
    lines = [[f"{html.escape(name)}: {html.escape(mistake)}", str(n), _hint(hints[name, mistake])]
             for (name, mistake), n in top]  # fmt: skip
    yield rows(["mistake", "students", "hint"], lines, numbers=(1,))


def _slowest(graded: list[Result]) -> Iterator[str]:
    timed = [one for one in graded if one.record.get("seconds")]
    timed = sorted(timed, key=lambda one: -one.record["seconds"])[:SHOWN]
    if timed:
        bars = [(_short(one.student), one.record["seconds"]) for one in timed]
        yield "<h2>Slowest runs</h2>"
        yield picture(ranked_bars, bars, "seconds", height=0.9 + 0.36 * len(bars), alt="slow runs")
        yield "<p class='quiet'>Seconds from the first cell to the last.</p>"


def _attention(results: list[Result]) -> Iterator[str]:
    """Whoever should be looked at: other than ok, flagged, or changed by hand."""
    yield "<h2>Look at these</h2>"
    lines = []
    for one in results:
        said = [one.record["reason"] or one.status] if one.status != "ok" else []
        said += [*one.flags, *(f"changed by hand: {change}" for change in one.changes)]
        if said:
            told = "<br>".join(html.escape(str(each)) for each in said)
            lines.append([_link(one), html.escape(one.status), told])
    yield rows(["student", "status", "why"], lines) if lines else "<p>Nobody.</p>"


def _students(results: list[Result]) -> Iterator[str]:
    yield "<h2>Everybody</h2>"
    names = [each["name"] for each in results[0].exercises]
    lines = []
    for one in results:
        given = [f"{each['given']:g}" if one.graded else "–" for each in one.exercises]
        total = f"{one.points:g}{'*' if one.changes else ''}" if one.graded else "–"
        lines.append([_link(one), total, *given])
    head = ["student", "points", *(f"<small>{html.escape(name)}</small>" for name in names)]
    table = rows(head, lines, numbers=tuple(range(1, len(head))))
    yield f"<div style='overflow-x:auto'>{table}</div>"
    if any(one.changes for one in results):
        yield "<p class='quiet'>* changed by hand</p>"


def _link(one: Result) -> str:
    folder = html.escape(f"students/{one.submission.folder}/feedback.html")
    return f"<a href='{folder}'>{html.escape(one.student)}</a>"


def _hint(text: str) -> str:
    return html.escape(text.replace("`", ""))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
