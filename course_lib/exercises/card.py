"""The card under an exercise: what was checked, what came out, and the hint."""

from __future__ import annotations

import html
import re

from course_lib.exercises.diagnosis import short
from course_lib.exercises.records import plain
from course_lib.exercises.spec import Verdict

# Signs and words carry the meaning; the colours (Okabe & Ito) only repeat it.
LOOKS = {
    "right": ("✓", "#009E73", "right. Your own code is used from here on."),
    "wrong": ("✗", "#D55E00", "not yet right. The course's own version stands in for it below."),
    "open": ("○", "#0072B2", "not attempted. The course's own version stands in for it below."),
}


class Card:
    """Shows itself in a notebook as HTML, elsewhere as text."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each line below the head."""
        verdict = self.verdict
        found = [("Hint", verdict.hint)] if verdict.status == "wrong" else []
        if verdict.status == "right" and verdict.hint:
            found.append(("Note", verdict.hint))
        if verdict.case is not None:
            inputs = [f"{name} = {_input(arg)}" for name, arg in verdict.case.args.items()]
            found.append(("Case", verdict.case.about))
            found.append(("Input", "; ".join(inputs)))
            found.append(("Yours", verdict.obtained))
        if verdict.expected:
            found.append(("Expected", verdict.expected))
        return found

    def head(self) -> str:
        """The sign, the name and the verdict in words."""
        sign, _, words = LOOKS[self.verdict.status]
        return f"{sign} {self.verdict.name}: {words}"

    def __repr__(self) -> str:
        body = (f"  {label}: {re.sub('`', '', text)}" for label, text in self.lines())
        return "\n".join([self.head(), *body])

    def _repr_html_(self) -> str:
        colour = LOOKS[self.verdict.status][1]
        rows = "".join(
            f"<tr><td style='text-align:left;vertical-align:top;padding:2px 12px 2px 0;"
            f"color:#555'>{label}</td><td style='text-align:left'>{_code(text)}</td></tr>"
            for label, text in self.lines()
        )
        table = f"<table style='margin-top:6px;background:white;color:#111'>{rows}</table>"
        return (
            f"<div class='course-card course-{self.verdict.status}' role='status' style='"
            f"border-left:6px solid {colour};background:white;color:#111;padding:8px 14px;"
            f"font-size:14px;max-width:60em'><b>{html.escape(self.head())}</b>"
            f"{table if rows else ''}</div>"
        )


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _input(arg: object) -> str:
    return short(plain(arg), most=4)
