"""From the two runs of an exercise to its points.

Right is what is right alone, and in the notebook too where its run came to the check. What is right
in the notebook and not alone gets no points: something else than the student's function may have
made that record. What is right alone and not in the notebook (an earlier cell or exercise broke it)
gets its points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOST = {"missing", "failed", "malformed", "lost", ""}
TAKEN = ("mistake", "hint", "case", "obtained", "expected")


def exercise_entry(
    name: str,
    points: int,
    *,
    plan: dict[str, Any],
    told: dict[str, Any],
    ended: dict[str, str],
    seed: int,
    judge: Callable[[str, str, int], dict[str, Any]],
) -> dict[str, Any]:
    """One entry of a record's `exercises`, with `flags` and the `card` for the feedback."""
    alone = told["alone"].get(name, {})
    entry: dict[str, Any] = {"name": name, "points": 0, "max_points": points, "flags": []}
    entry |= {"status": "no_record", "reason": "", "from": "notebook", "card": None}
    entry |= dict.fromkeys(TAKEN) | {"seconds": alone.get("seconds")}
    if name in plan["missing"]:
        reason = f"no function or class {name} was found"
        return entry | {"status": "missing", "reason": reason}
    if name not in plan["attempted"]:
        return entry | {"status": "open", "reason": "its cell is as it came"}
    inside = _verdict(name, told["record"].get(name), seed, judge)
    apart = _verdict(name, alone, seed, judge)
    if inside["status"] == "":
        inside["hint"] = _why_no_record(told["record"].get(name), ended)
    return entry | _decided(name, points, inside, apart)


def _decided(
    name: str, points: int, inside: dict[str, Any], apart: dict[str, Any]
) -> dict[str, Any]:
    both = inside["status"] == apart["status"]
    flags = []
    if apart.get("tampered"):
        reason = f"its code reaches beyond the exercise: {apart['tampered']}"
        flags.append(f"{name}: {reason}")
        return _entry(apart, "wrong", "alone") | {"reason": reason, "flags": flags}
    if apart["status"] == "right":
        reason = ""
        if not both:
            reason = f"right alone; in the notebook: {_in_words(inside)}"
            flags.append(f"{name}: {reason}")
        chosen = _entry(apart, "right", "notebook" if both else "alone")
        return chosen | {"points": points, "reason": reason, "flags": flags}
    if inside["status"] == "right":
        reason = f"right in the notebook, but not when only its own code runs: {_in_words(apart)}"
        status = "wrong" if apart["status"] in ("wrong", "open") else "no_record"
        return _entry(apart, status, "alone") | {
            "reason": reason, "flags": [f"{name}: {reason}"]}  # fmt: skip
    for verdict, origin in ((inside, "notebook"), (apart, "alone")):
        if verdict["status"] == "wrong":
            return _entry(verdict, "wrong", origin) | {"flags": flags}
    status = apart["status"] if apart["status"] in ("open", "missing") else "no_record"
    return _entry(apart, status, "alone") | {"reason": _in_words(apart), "flags": flags}


def _entry(verdict: dict[str, Any], status: str, origin: str) -> dict[str, Any]:
    taken = {key: verdict.get(key) for key in TAKEN}
    card = (verdict.get("html"), verdict.get("text")) if verdict.get("html") else None
    return {**taken, "status": status, "from": origin, "card": card}


def _verdict(name: str, event: dict[str, Any] | None, seed: int, judge: Callable) -> dict[str, Any]:
    """What the judge says about a record; status "" where there is none."""
    if event and event.get("payload"):
        return judge(name, event["payload"], seed)
    if event and event.get("tampered"):
        return {"status": "tampered", "hint": "", "tampered": event["tampered"]}
    if event and event.get("lost"):
        return {"status": "lost", "hint": event["lost"]}
    return {"status": "", "hint": ""}


def _why_no_record(event: dict[str, Any] | None, ended: dict[str, str]) -> str:
    if event is None and ended["ended"] != "ok":
        return f"the run did not get there: {ended['reason']}"
    if event and event.get("slow"):
        return "its check took too long"
    return "no valid record"


def _in_words(verdict: dict[str, Any]) -> str:
    """Why a verdict is not "right", in one line."""
    errors = verdict.get("errors")
    words = {"open": "it raises NotImplementedError", "missing": "its cell does not define it",
             "wrong": "its result is not right"}  # fmt: skip
    said = words.get(verdict["status"]) or verdict.get("hint") or "no record"
    return f"{said} ({errors[0]})" if errors else said
