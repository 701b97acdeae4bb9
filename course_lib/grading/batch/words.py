"""What is said of an exercise, on its card and in Gradescope."""

from __future__ import annotations

WORDS = {
    "right": "Right.",
    "wrong": "Not yet right.",
    "open": "Not attempted.",
    "missing": "The exercise is not in the notebook.",
    "no_record": "The exercise could not be judged.",
}
LINES = (("Hint", "hint"), ("Case", "case"), ("Yours", "obtained"), ("Expected", "expected"))


def verdict_of(one: dict) -> str:
    """The verdict in words."""
    return WORDS.get(one["status"], one["status"])


def lines_of(one: dict) -> list[tuple[str, str]]:
    """Label and text of each line below the verdict; the hint of a right answer is a note."""
    lines = [(label, str(one[key])) for label, key in LINES if one.get(key)]
    if one["status"] == "right":
        lines = [("Note", text) for label, text in lines if label == "Hint"]
    if one["status"] != "open" and one.get("reason"):
        lines.append(("Note", one["reason"]))
    return lines
