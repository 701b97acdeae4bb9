"""Outputs of a cell as HTML that does nothing, and not more of them than a page can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from markupsafe import Markup

from course_lib.grading.outputs import sanitise

RASTER = ("image/png", "image/jpeg", "image/gif")
WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_OUTPUTS = 40  # of one cell


class Budget:
    """Characters that a page may still take, and tags of HTML that are still looked through."""

    def __init__(self, size: int = 12 * 2**20, tags: int = 50_000) -> None:
        self.size, self.tags = size, tags

    def takes(self, content: str) -> bool:
        """Whether there is room for this; if so, it is used."""
        fits = len(content) <= self.size
        self.size -= len(content) if fits else 0
        return fits

    def reads(self, html: str) -> bool:
        """Whether this HTML is still looked through."""
        self.tags -= html.count("<")
        return self.tags >= 0


def outputs(cell: dict, budget: Budget) -> Iterator[Markup]:
    """What a cell printed, showed and raised."""
    found = [*_joined(out for out in cell.get("outputs") or [] if isinstance(out, dict))]
    for number, out in enumerate(found, 1):
        if number == MAX_OUTPUTS < len(found):
            yield sanitise.plain(f"(and {len(found) - number + 1:,} more outputs)")
            return
        if content := _output(out, budget):
            yield content


def _joined(found: Iterable[dict]) -> Iterator[dict]:
    """Outputs, with what was printed piece by piece as one."""
    for printed, group in groupby(found, lambda out: out.get("output_type") == "stream"):
        if printed:
            text = "".join(text_of(out.get("text")) for out in group)
            yield {"output_type": "stream", "text": text}
        else:
            yield from group


def _output(out: dict, budget: Budget) -> Markup:
    if out.get("output_type") == "stream":
        return sanitise.plain(text_of(out.get("text")))
    if out.get("output_type") == "error":
        traceback = out.get("traceback")
        lines = map(text_of, traceback) if isinstance(traceback, list) else []
        raised = f"{text_of(out.get('ename'))}: {text_of(out.get('evalue'))}"
        return sanitise.plain("\n".join(lines) or raised)
    data = out.get("data")
    return shown(data, budget) if isinstance(data, dict) else Markup()


def shown(data: dict, budget: Budget) -> Markup:
    """The best of the forms that an output comes in, as Jupyter would choose."""
    if WIDGET in data:
        return sanitise.plain("(a widget: it moves where the notebook runs)")
    for kind in (*RASTER, "image/svg+xml"):
        if kind in data:
            words = text_of(data.get("text/plain")) if kind == "image/svg+xml" else ""
            return sanitise.picture(kind, text_of(data[kind]), words=words)
    for kind, clean in (("text/html", sanitise.clean_html), ("text/markdown", sanitise.markdown)):
        if kind in data and budget.reads(text_of(data[kind])):
            return clean(text_of(data[kind]))
    return sanitise.plain(text_of(data.get("text/plain")))


def text_of(value: object) -> str:
    """Text in a notebook, which may be stored as lines; "" for anything else."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
