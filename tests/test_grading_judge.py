"""The judge: what a made-up record can do to it, which is nothing."""

import json
import math

import pytest

from course_lib.exercises import EXERCISES
from course_lib.grading.submission.judge import judge

pytestmark = pytest.mark.grading
KL, SEED = "kl_std_normal", 1234


def records(candidate=None):
    """What a candidate, or the reference, does on the cases of the seed."""
    exercise = EXERCISES[KL]
    return exercise.records(candidate or exercise.reference, SEED)


def verdict(content):
    payload = content if isinstance(content, str) else json.dumps(content)
    return judge(KL, payload, SEED)


def test_right_wrong_open_missing():
    """Catches a verdict that gets lost between the record and the answer."""
    assert verdict({"records": records()})["status"] == "right"
    wrong = verdict({"records": records(lambda mu, log_var: mu.mean(-1))})
    assert wrong["status"] == "wrong" and wrong["html"] and wrong["case"]
    assert verdict({"records": [{"outcome": "open"}] * len(records())})["status"] == "open"
    assert verdict({"missing": True})["status"] == "missing"
    assert verdict({"failed": "why"}) == {
        "status": "failed", "hint": "why", "errors": []}  # fmt: skip


def test_records_of_other_cases_are_wrong():
    """Catches a record that was made for one file and is handed in with another."""
    assert judge(KL, json.dumps({"records": records()}), SEED + 1)["status"] == "wrong"


def edited(change):
    """The reference's records with one change to the first value."""
    made = json.loads(json.dumps(records()))
    change(made[0]["value"]["result"])
    return {"records": made}


ODD = {
    "no json": "{",
    "deep": "[" * 100_000,
    "no content": "[]",
    "no records": {},
    "records of nothing": {"records": [None, 1]},
    "unknown outcome": {"records": [{"outcome": "right"}]},
    "unhashable outcome": {"records": [{"outcome": []}]},
    "more keys": {"records": [{"outcome": "open", "points": 100}]},
    "many records": {"records": [{"outcome": "open"}] * 1_000},
    "names of nothing": {"records": [{"outcome": "changed", "names": [1], "value": 1}]},
    "error of nothing": {"records": [
        {"outcome": "error", "type": 1, "message": None, "at": "own", "line": ""}]},
    "bare number": {"records": [{"outcome": "value", "value": 3}]},
    "deep value": {"records": [{"outcome": "value", "value": {"a": {"a": {"a": {"a": {"a": {
        "a": {"a": {"a": {"a": {"a": {}}}}}}}}}}}}]},
    "numbers as text": edited(lambda value: value.update(numbers=["1"] * 5)),
    "true as number": edited(lambda value: value.update(numbers=[True] * 5)),
    "huge integer": edited(lambda value: value.update(numbers=[10**400] * 5)),
    "wrong size": edited(lambda value: value.update(shape=[10**9])),
    "negative size": edited(lambda value: value.update(shape=[-5, -1])),
    "kind of nothing": edited(lambda value: value.update(kind=None)),
    "shape of floats": edited(lambda value: value.update(shape=[5.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_malformed_records(name):
    """Catches a record that raises in the judge, fills its memory, or counts as an answer."""
    assert verdict(ODD[name])["status"] == "malformed"


def test_not_a_number_is_wrong():
    """Catches NaN and infinity that count as equal to everything, or that raise."""
    for number in (math.nan, math.inf):
        made = edited(lambda value, n=number: value.update(numbers=[n] * len(value["numbers"])))
        assert verdict(made)["status"] == "wrong"


def test_words_are_bounded_and_escaped():
    """Catches a feedback that carries a student's HTML, or a novel, or an address of memory."""
    message = "<script>alert(1)</script> at 0x7f00deadbeef " + "x" * 10_000
    one = {"outcome": "error", "type": "E<b>", "message": message, "at": "own", "line": "<i>x</i>"}
    made = [one] * len(records())
    said = verdict({"records": made})
    assert (
        said["status"] == "wrong" and "<script>" not in said["html"] and "<i>" not in said["html"]
    )
    assert len(said["hint"]) < 3_000 and "0x7f00deadbeef" not in json.dumps(said)
