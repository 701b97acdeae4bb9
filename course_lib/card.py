"""The card under an exercise as HTML: what a notebook shows, and what graded students get back."""

from __future__ import annotations

import html
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


def card_html(status: str, head: str, lines: list[tuple[str, str]]) -> str:
    """A card with label and text of each line below its head; `…` in a text is code."""
    rows = "".join(
        f"<tr><td style='text-align:left;vertical-align:top;padding:2px 12px 2px 0;"
        f"color:#555'>{label}</td><td style='text-align:left'>{code_html(text)}</td></tr>"
        for label, text in lines
    )
    table = f"<table style='margin-top:6px;background:white;color:#111'>{rows}</table>"
    return (
        f"<div class='course-card course-{status}' role='status' style='"
        f"border-left:6px solid {LOOKS[status][1]};background:white;color:#111;padding:8px 14px;"
        f"font-size:14px;max-width:60em'><b>{html.escape(head)}</b>"
        f"{table if rows else ''}</div>"
    )


def code_html(text: str) -> str:
    """The text as HTML, `…` in it as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
