"""From what an exercise did to its points.

Right is what is right by itself: the student's own code on secret cases, with nothing else of the
notebook, or with all that the student wrote. What the notebook's run showed costs and earns
nothing; where it differs, the instructor is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STATUSES = ("right", "wrong", "open", "missing")  # others are no verdict on the student's work
TAKEN = ("mistake", "hint", "case", "obtained", "expected")
Judge = Callable[[str, str, int], dict[str, Any]]


def exercise_entry(
    name: str, points: int, *, plan: dict[str, Any], ran: dict[str, Any], seed: int, judge: Judge
) -> dict[str, Any]:
    """One entry of a record's `exercises`, with `flags` and the `card` for the feedback.

    ran: what came of the submission's runs; judge(name, payload, seed) compares one payload.
    """
    alone = ran["alone"].get(name, {"runs": [], "words": [], "seconds": None})
    entry: dict[str, Any] = {"name": name, "max_points": points, "seconds": alone["seconds"]}
    entry |= dict.fromkeys(TAKEN) | {"points": 0, "status": "no_record", "reason": ""}
    entry |= {"from": "alone", "card": None, "flags": []}
    if name in plan["missing"]:
        return entry | {"status": "missing", "reason": f"no function or class {name} was found"}
    if name not in plan["attempted"]:
        return entry | {"status": "open", "reason": "its cell is as it came"}
    apart = _alone(alone["runs"], lambda payload: judge(name, payload, seed), ran["lost"])
    entry |= _decided(name, points, apart, _in_notebook(name, ran, seed, judge))
    if alone["words"]:
        said = f"{name}: its code reaches beyond the exercise: {', '.join(alone['words'])}"
        entry["flags"].append(said)
    return entry


def _alone(runs: list[dict[str, Any]], judge: Callable[[str], dict], lost: str) -> dict[str, Any]:
    """The verdict on the first run that is right, or on the first one."""
    verdicts: list[dict[str, Any]] = []
    for run in runs:
        verdicts.append(judge(run["payload"]) if run["payload"] else _lost(run["lost"]))
        if verdicts[-1]["status"] == "right":
            return verdicts[-1]
    return verdicts[0] if verdicts else _lost(lost)


def _lost(why: str) -> dict[str, Any]:
    return {"status": "lost", "hint": why}


def _in_notebook(name: str, ran: dict[str, Any], seed: int, judge: Judge) -> dict[str, Any] | None:
    """The verdict on the notebook's own run, or why it has none; None where it did not run."""
    ended, event = ran.get("ended"), ran.get("records", {}).get(name)
    if not ended:
        return None
    if event and event["payload"]:
        return judge(name, event["payload"], seed)
    if event is None and ended["ended"] != "ok":
        return _lost(f"the run did not get there: {ended['reason']}")
    return _lost("its check took too long" if event and event["slow"] else "no valid record")


def _decided(
    name: str, points: int, apart: dict[str, Any], inside: dict[str, Any] | None
) -> dict[str, Any]:
    """Points, status and reason; `from`: whether the notebook's run agreed."""
    status = apart["status"] if apart["status"] in STATUSES else "no_record"
    agree = inside is not None and inside["status"] == apart["status"]
    reason = "" if status in ("right", "wrong") else _in_words(apart)
    differs = inside is not None and not agree and "right" in (status, inside["status"])
    if differs and status == "right":
        reason = f"right alone; in the notebook: {_in_words(inside)}"
    elif differs:
        reason = f"right in the notebook, but not when only its own code runs: {_in_words(apart)}"
    return {key: apart.get(key) for key in TAKEN} | {
        "status": status,
        "points": points if status == "right" else 0,
        "reason": reason,
        "from": "notebook" if agree else "alone",
        "card": (apart["html"], apart["text"]) if apart.get("html") else None,
        "flags": [f"{name}: {reason}"] if differs else [],
    }


def _in_words(verdict: dict[str, Any]) -> str:
    """Why a verdict is not "right", in one line."""
    errors = verdict.get("errors")
    words = {"open": "it raises NotImplementedError", "missing": "its cell does not define it",
             "wrong": "its result is not right"}  # fmt: skip
    said = words.get(verdict["status"]) or verdict.get("hint") or "no record"
    if verdict["status"] == "wrong" and not verdict.get("expected"):
        said = f"it raises {verdict['obtained']}"
    return f"{said} ({errors[0]})" if errors else said
