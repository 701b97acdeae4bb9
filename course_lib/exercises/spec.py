"""An exercise as one object: its cases, its reference, how results compare, its known mistakes.

Everything is judged from *records*: plain JSON of what a candidate did on each case. Records can be
made in one process and judged in another, and a record never holds code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from course_lib.exercises.diagnosis import common_ratio, first_difference, generic_hint
from course_lib.exercises.records import Record, same_record, take_record
from course_lib.exercises.references import reference

PUBLIC_SEED = 20  # the cases that a notebook shows; the grader draws its own


@dataclass(frozen=True)
class Case:
    """One call: positional arguments by name, and in words what is special about it."""

    about: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer, and the hint for whoever gave it."""

    name: str
    wrong: Callable
    hint: str


@dataclass(frozen=True)
class Verdict:
    """`status` is "right", "wrong" or "open" (not attempted); the rest explains it on one case."""

    name: str
    status: str
    hint: str = ""
    mistake: str | None = None
    case: Case | None = None
    obtained: str = ""
    expected: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "right"


def call(candidate: Callable, case: Case) -> Any:
    """The usual observation: what the candidate returns."""
    return candidate(*case.args.values())


@dataclass(frozen=True)
class Exercise:
    """One exercise; `observe(candidate, case)` says what is looked at, by default the result.

    Where it looks at named properties, `property_hints` says what to do about each that fails.
    """

    name: str
    points: int
    cases: Callable[[int], list[Case]]
    mistakes: tuple[Mistake, ...] = ()
    observe: Callable[[Callable, Case], Any] = call
    property_hints: Mapping[str, str] = field(default_factory=dict, hash=False)
    rtol: float = 1e-5
    atol: float = 1e-8
    remark: Callable[[list[Record]], str] = field(default=lambda records: "")

    @property
    def reference(self) -> Callable:
        """The code of the solution notebook's exercise cell."""
        return reference(self.name)

    def records(self, candidate: Callable, seed: int) -> list[Record]:
        """What the candidate does on each case of this seed, as plain JSON."""
        return [take_record(self.observe, candidate, case, seed=seed) for case in self.cases(seed)]

    def judge(self, records: list[Record], seed: int) -> Verdict:
        """Compare records with those of the reference on the same seed."""
        expected = _known_records(self, self.reference, seed)
        if len(records) != len(expected):
            return Verdict(self.name, "wrong", "The results are incomplete: run the cell again.")
        if any(record["outcome"] == "open" for record in records):
            return Verdict(self.name, "open")
        wrong = [
            i for i, pair in enumerate(zip(records, expected, strict=True)) if not self._same(*pair)
        ]
        if not wrong:
            return Verdict(self.name, "right", self.remark(records))
        mistake = self._recognise(records, wrong, seed)
        # A changed input explains all that follows from it, a value more than an error.
        told = {i: records[i]["outcome"] for i in wrong}
        i = min(wrong, key=lambda i: (told[i] != "changed", told[i] != "value"))
        case, pair = self.cases(seed)[i], (records[i], expected[i])
        close = {"rtol": self.rtol, "atol": self.atol}
        obtained, wanted = first_difference(*pair, **close)
        ratio = common_ratio(records, expected) if len(wrong) == len(records) else None
        known = {"ratio": ratio, "property_hints": self.property_hints}
        hint = mistake.hint if mistake else generic_hint(*pair, **close, **known)
        if not mistake and len(wrong) < len(records):
            hint = f"Other cases are right; this one fails: {case.about}. {hint}"
        name = mistake.name if mistake else None
        return Verdict(self.name, "wrong", hint, name, case, obtained, wanted)

    def check(self, candidate: Callable, seed: int = PUBLIC_SEED) -> Verdict:
        """Judge a candidate in this process."""
        with torch.enable_grad():
            return self.judge(self.records(candidate, seed), seed)

    def _same(self, a: Record, b: Record, *, clues: bool = False) -> bool:
        return same_record(a, b, rtol=self.rtol, atol=self.atol, clues=clues)

    def _recognise(self, records: list[Record], wrong: list[int], seed: int) -> Mistake | None:
        """The mistake that agrees best: on all cases and clues, on all cases, on the wrong ones."""
        best, best_rank = None, 0
        solid = any(records[i]["outcome"] == "value" for i in wrong)
        for mistake in self.mistakes:
            known = _known_records(self, mistake.wrong, seed)
            if not all(self._same(records[i], known[i]) for i in wrong):
                continue
            rank, pairs = int(solid), [*zip(records, known, strict=True)]
            if all(self._same(*pair) for pair in pairs):
                told = all(self._same(*pair, clues=True) for pair in pairs)
                rank = 3 if told else 2 * int(solid)  # errors agree only if their messages do
            if rank > best_rank:
                best, best_rank = mistake, rank
        return best


@functools.lru_cache(maxsize=4096)
def _known_records(exercise: Exercise, known: Callable, seed: int) -> list[Record]:
    """Records of the reference or of a mistake, made once for all answers judged on a seed."""
    with torch.enable_grad():
        return exercise.records(known, seed)
