"""What a student's object does on secret cases, as JSON text.

The process in which this runs belongs to the student, who could report anything: nothing in it is
secret, and only who has solved the exercise knows numbers that the judge takes (SECURITY.md).
"""

from __future__ import annotations

import json
from typing import Any

from course_lib.exercises import EXERCISES

MISSING = object()


def payload_of(name: str, candidate: Any, seed: int, errors: list[str] = []) -> str:  # noqa: B006
    """{"records": …}, {"missing": true}, or {"failed": why}, whatever the candidate does."""
    if candidate is MISSING:
        return json.dumps({"missing": True, "errors": errors[:1]})
    try:
        content = {"records": EXERCISES[name].records(candidate, seed)}
    except KeyboardInterrupt:
        content = {"failed": "it took too long"}
    except BaseException as error:
        content = {"failed": f"it ended with {type(error).__name__}"[:200]}
    return json.dumps(content | {"errors": errors[:1]})
