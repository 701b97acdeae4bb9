"""The judge: a trusted process that compares records with what was expected.

A process of its own (`sandbox.supervise.PROCESSES`): it first writes one line, the catalogue of the
course, then answers one request a line. It sees nothing of a submission but JSON text, and
unpickles nothing.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat

from course_lib.authoring.builder import rendered
from course_lib.datasets import at_hand
from course_lib.datasets.catalog import cache_folder, data_folder
from course_lib.exercises import EXERCISES, Verdict
from course_lib.exercises.card import Card
from course_lib.place import ROOT

MAX_NUMBERS, MAX_TEXT, MAX_KEYS, MAX_DEPTH = 200_000, 2_000, 200, 8
ADDRESS = re.compile("0x[0-9a-f]{6,}")  # differs from run to run
OUTCOMES = {
    "value": {"outcome", "value"}, "error": {"outcome", "type", "message", "at", "line"},
    "changed": {"outcome", "names", "value"}, "open": {"outcome"},
}  # fmt: skip


class Malformed(ValueError):
    """A record that the course's own code would not have made."""


def catalogue(root: Path) -> dict[str, Any]:
    """Each notebook's cells in both copies and points; where the data are."""
    texts = rendered(root, EXERCISES)
    found: dict[str, Any] = {}
    for name, text in texts.items():
        folder, stem = name.removesuffix(".ipynb").split("/")
        cells = nbformat.reads(text, as_version=4).cells
        kind = "skeleton" if folder == "notebooks" else "solution"
        entry = found.setdefault(stem, {"points": {}})
        entry[kind] = [{"kind": c.cell_type, "source": c.source, "id": c.id,
                        "tags": c.metadata.get("tags", [])} for c in cells]  # fmt: skip
        names = [c.id.removeprefix("check-") for c in cells if c.id.startswith("check-")]
        entry["points"] = {name: EXERCISES[name].points for name in names}
    shared = {"COURSE_CACHE": str(cache_folder()), "COURSE_DATA": str(data_folder() or "")}
    data = [[name, bool(place)] for name, place in at_hand()]
    return {"notebooks": found, "shared": shared, "fonts": _fonts(), "data": data}


def _fonts() -> list[str]:
    """matplotlib's list of fonts, without which each run would search for fonts again."""
    import matplotlib.font_manager  # writes it, where it is missing

    return [str(path) for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json")]


def judge(name: str, payload: str, seed: int) -> dict[str, Any]:
    """The verdict on a payload that `inside.probe` made, as plain text; `status` is one of
    right, wrong, open, missing, failed, malformed."""
    try:
        content = json.loads(payload)
        if not isinstance(content, dict):
            raise Malformed("no content")
        errors = [_text(line) for line in _list(content.get("errors", []), 1)]
        more = {"errors": errors}
        if content.get("missing"):
            return {"status": "missing", **more}
        if "failed" in content:
            return {"status": "failed", "hint": _text(content["failed"]), **more}
        records = [_record(record) for record in _list(content.get("records"), 100)]
        verdict = EXERCISES[name].judge(records, seed)
    except Exception as error:  # whatever a made-up record does to the comparison
        return {"status": "malformed", "hint": f"{type(error).__name__}: {error}"[:200]}
    return {"status": verdict.status, **_plain(verdict), **more}


def _plain(verdict: Verdict) -> dict[str, Any]:
    card = GradeCard(verdict)
    return {
        "hint": verdict.hint, "mistake": verdict.mistake,
        "case": verdict.case.about if verdict.case else "",
        "obtained": verdict.obtained, "expected": verdict.expected,
        "html": card._repr_html_(), "text": repr(card),
    }  # fmt: skip


class GradeCard(Card):
    """The card that students see, with words for a graded notebook."""

    def head(self) -> str:
        """The sign, the name and the verdict."""
        words = {"right": "✓ {}: right.", "wrong": "✗ {}: not yet right.",
                 "open": "○ {}: not attempted."}  # fmt: skip
        return words[self.verdict.status].format(self.verdict.name)


def _record(record: Any) -> dict[str, Any]:
    """A record, if it has the form of one."""
    if not isinstance(record, dict) or set(record) != OUTCOMES.get(record.get("outcome")):
        raise Malformed("a record of unknown form")
    if record["outcome"] == "changed":
        record["names"] = [_text(name) for name in _list(record["names"], MAX_KEYS)]
    if record["outcome"] == "error":
        record |= {key: _text(record[key]) for key in ("type", "message", "at", "line")}
    if "value" in record:
        record["value"] = _value(record["value"])
    return record


def _value(value: Any, depth: int = 0) -> Any:
    """A plain value as `records.plain` makes it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, dict) or depth > MAX_DEPTH or len(value) > MAX_KEYS:
        raise Malformed("a value of unknown form")
    if set(value) == {"shape", "numbers", "kind"}:
        numbers = [_number(number) for number in _list(value["numbers"], MAX_NUMBERS)]
        shape = list(_list(value["shape"], 10))
        if not all(type(size) is int and size >= 0 for size in shape):
            raise Malformed("a shape of unknown form")
        if math.prod(shape) != len(numbers):
            raise Malformed("numbers that do not fill their shape")
        return {"shape": shape, "numbers": numbers, "kind": _text(value["kind"])}
    return {_text(key): _value(part, depth + 1) for key, part in value.items()}


def _number(number: Any) -> float:
    if type(number) not in (int, float):
        raise Malformed("a number of unknown form")
    return float(number)  # an integer beyond the range of floats raises OverflowError


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise Malformed("no text")
    return ADDRESS.sub("0x…", text[:MAX_TEXT])


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed("no list, or a long one")
    return value


def main() -> None:
    """Serve until the input ends."""
    import torch

    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    print(json.dumps(catalogue(ROOT)), file=out, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(judge(**request)), file=out, flush=True)


if __name__ == "__main__":
    main()
