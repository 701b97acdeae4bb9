"""Outputs of a cell as HTML that does nothing, and not more of them than a page can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from course_lib.grading.reports import sanitise

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
WIDGET = "application/vnd.jupyter.widget-view+json"
MOST = 40  # outputs of one cell


class Budget:
    """Characters that a page may still take, and tags of HTML that are still looked through."""

    def __init__(self, size: int = 12 * 2**20, tags: int = 50_000) -> None:
        self.left, self.tags = size, tags

    def takes(self, content: str) -> bool:
        """Whether there is room for this; if so, it is used."""
        fits = len(content) <= self.left
        self.left -= len(content) if fits else 0
        return fits

    def reads(self, html: str) -> bool:
        """Whether this HTML is still looked through."""
        self.tags -= html.count("<")
        return self.tags >= 0


def source_of(cell: dict) -> str:
    """The text of a cell, which may be stored as lines."""
    return _text(cell.get("source"))


def outputs(cell: dict, budget: Budget) -> Iterator[str]:
    """What a cell printed, showed and raised."""
    found = _joined(out for out in cell.get("outputs") or [] if isinstance(out, dict))
    for out in found[:MOST]:
        content = _output(out, budget)
        if content and budget.takes(content):
            yield f"<div class='output'>{content}</div>"
        elif content:
            yield sanitise.plain("(left out: the page is full)")
    if len(found) > MOST:
        yield sanitise.plain(f"(and {len(found) - MOST:,} more outputs)")


def _joined(found: Iterable[dict]) -> list[dict]:
    """Outputs, with what was printed piece by piece as one."""
    joined: list[dict] = []
    for out in found:
        last = joined[-1] if joined else {}
        if out.get("output_type") == "stream" == last.get("output_type"):
            joined[-1] = {**last, "text": _text(last.get("text")) + _text(out.get("text"))}
        else:
            joined.append(out)
    return joined


def _output(out: dict, budget: Budget) -> str:
    if out.get("output_type") == "stream":
        return sanitise.plain(_text(out.get("text")))
    if out.get("output_type") == "error":
        raised = f"{_text(out.get('ename'))}: {_text(out.get('evalue'))}"
        traceback = out.get("traceback")
        lines = [_text(line) for line in traceback] if isinstance(traceback, list) else []
        return sanitise.plain("\n".join(lines) or raised)
    data = out.get("data")
    return _shown(data, budget) if isinstance(data, dict) else ""


def _shown(data: dict, budget: Budget) -> str:
    """The best of the forms that an output comes in, as Jupyter would choose."""
    if WIDGET in data:
        return sanitise.plain("(a widget: it moves where the notebook runs)")
    for kind in PICTURES:
        if kind in data:
            return sanitise.picture(kind, _text(data[kind]))
    for kind, clean in (("text/html", sanitise.clean_html), ("text/markdown", sanitise.markdown)):
        if kind in data and budget.reads(_text(data[kind])):
            return clean(_text(data[kind]))
    return sanitise.plain(_text(data.get("text/plain")))


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
