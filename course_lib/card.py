"""The card under an exercise as HTML: what a notebook shows, and what graded students get back."""

from __future__ import annotations

import base64
import html
import math
import re

# Signs and words carry the meaning; the colours (Okabe & Ito) only repeat it.
LOOKS = {
    "right": ("✓", "#009E73", "right. Your own code is used from here on."),
    "near": ("≈", "#E69F00", "nearly: a scale or an axis is off. The course's own version "
             "stands in for it below."),
    "wrong": ("✗", "#D55E00", "not yet right. The course's own version stands in for it below."),
    "open": ("○", "#0072B2", "not attempted. The course's own version stands in for it below."),
    "again": ("○", "#0072B2", "this name holds the course's own version. Run your own cell above "
              "once more, then this one."),
}  # fmt: skip


# No table: JupyterLab pads its cells and stripes its rows.
GRID = (
    "<div style='display:grid;grid-template-columns:max-content 1fr;gap:3px 12px;margin-top:6px;"
    "line-height:1.4'>"
)
PRE = "<pre style='margin:0;white-space:pre-wrap;background:none;color:#111'>"
VALUES, FOLDED = ("Yours", "Expected"), ("Cases", "Case", "Input")  # labels of lines
TOKEN = re.compile(r"[^\s,;\[\]()]+")


def card_html(status: str, head: str, lines: list[tuple[str, str]], *, pictures: str = "") -> str:
    """A card with label and text of each line below its head; `…` in a text is code.

    Values stand below each other, the first that differs is marked; their case is folded below.
    pictures: what `pictures_html` gives.
    """
    marks = _first_difference(*(dict(lines).get(label, "") for label in VALUES))
    open_lines, folded = "", ""
    for label, text in lines:
        if label in VALUES:
            told = f"{PRE}{_marked(text, marks[VALUES.index(label)])}</pre>"
        else:
            told = code_html(text)
        row = f"<div style='color:#555'>{label}</div><div>{told}</div>"
        if label in FOLDED:
            folded += row
        else:
            open_lines += row
    open_lines += pictures
    below = f"{GRID}{open_lines}</div>" if open_lines else ""
    if folded:
        case = f"<summary>The case</summary>{GRID}{folded}</div>"
        below += f"<details style='margin-top:4px'>{case}</details>"
    return (
        f"<div class='course-card course-{status}' role='status' style='"
        f"border-left:6px solid {LOOKS[status][1]};background:white;color:#111;padding:8px 14px;"
        f"font-size:14px;max-width:60em'><b>{html.escape(head)}</b>{below}</div>"
    )


def pictures_html(yours: bytes, expected: bytes, about: str) -> str:
    """A line with two PNG files, each below its name; about: which image they show."""
    shown = ""
    for name, owner, png in zip(VALUES, ("your", "the expected"), (yours, expected), strict=True):
        data = base64.b64encode(png).decode("ascii")
        shown += (
            f"<div><div style='color:#555'>{name.lower()}</div><img alt='{owner} "
            f"{html.escape(about)}' src='data:image/png;base64,{data}' style='display:block;"
            "margin:2px 0;border:1px solid #767676;image-rendering:pixelated'></div>"
        )
    label = "<div style='color:#555'>Image</div>"
    return f"{label}<div style='display:flex;gap:16px'>{shown}</div>"


def _first_difference(a: str, b: str) -> list[tuple[int, int]]:
    """Where the first numbers or words that differ stand in each: start and end; else (0, 0)."""
    for one, other in zip(TOKEN.finditer(a), TOKEN.finditer(b), strict=False):
        if one[0] != other[0] and not _close(one[0], other[0]):
            return [one.span(), other.span()]
    return [(0, 0), (0, 0)]


def _close(a: str, b: str) -> bool:
    """Whether both are numbers that differ in their last digits alone."""
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-3)
    except ValueError:
        return False


def _marked(text: str, span: tuple[int, int]) -> str:
    start, end = span
    before, here, after = (
        html.escape(part) for part in (text[:start], text[start:end], text[end:])
    )
    return f"{before}<mark>{here}</mark>{after}" if here else after


def code_html(text: str) -> str:
    """The text as HTML, `…` in it as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
