"""An exercise as one object: its cases, what is looked at, how results compare, its mistakes.

Everything is judged from *records*: plain JSON of what a candidate did on each case. Records can be
made in one process and judged in another, and a record never holds code.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Generator, Tensor

from course_lib.errors import CourseError
from course_lib.exercises import diagnosis, edits
from course_lib.exercises.diagnosis import Finding
from course_lib.exercises.edits import Mistake
from course_lib.exercises.records import (
    Record,
    Unfit,
    failure,
    is_named,
    plain,
    same_record,
    take_record,
    usual_settings,
)

Candidate = Callable  # what a student hands in: a function, or a class
Parts = dict[str, Any]  # raw values or properties, by their names
PUBLIC_SEED = 20  # the cases that a notebook shows; the grader draws its own


@dataclass(frozen=True)
class Case:
    """One call: positional arguments by name, and in words what is special about it."""

    about: str
    args: dict[str, Any]


Cases = Iterable[Case]


@dataclass(frozen=True)
class Verdict:
    """`status` is "right", "wrong" or "open" (not attempted); the rest explains the first failure.

    mistake: what was recognised, in a word or two; near: nothing but a scale or an axis is off;
    right_cases of n_cases came out right.
    """

    name: str
    status: str
    hint: str = ""
    mistake: str | None = None
    near: bool = False
    case: Case | None = None
    obtained: str = ""
    expected: str = ""
    right_cases: int = 0
    n_cases: int = 0

    @property
    def passed(self) -> bool:
        return self.status == "right"


def call(candidate: Candidate, case: Case) -> Any:
    """What the candidate returns."""
    return candidate(*case.args.values())


def named_result(candidate: Candidate, case: Case) -> Parts:
    """The usual observation: what the candidate returns, if anything."""
    result = call(candidate, case)
    if result is None:
        raise Unfit(result)
    return {"result": result}


def as_observed(raw: Parts, case: Case) -> Parts:
    """The usual properties: what was observed, part by part."""
    return raw


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise; its solution is its cell in `solutions/`, its mistakes the TOML file beside it.

    observe(candidate, case) gives raw values, by default the result: numbers, shapes and names, and
    no verdict on them. It runs beside the candidate's code, so nothing that it says is believed.
    properties(raw, case) makes of its named parts, as plain values, what is compared, where answers
    are judged; as an iterator it is read up to the first that is False. The TOML file says what to
    do about each that fails, `properties.toml` about those that several exercises have. letters:
    the dimensions of the arguments, such as {"mu": "B d"}, by which a wrong scale is recognised.
    pictures: for each property whose failure can be seen, the observed part that holds images.
    """

    name: str
    points: int
    draw: Callable[[Generator], Cases]
    observe: Callable[[Candidate, Case], Parts] = named_result
    properties: Callable[[Parts, Case], Parts | Iterator] = as_observed
    letters: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    rtol: float = 1e-5
    atol: float = 1e-8

    def cases(self, seed: int) -> list[Case]:
        """What `draw` makes of a generator that starts at this seed."""
        return [*self.draw(Generator().manual_seed(seed))]

    @property
    def reference(self) -> Callable:
        """The code of the solution notebook's exercise cell."""
        return edits.reference(self.name)

    @property
    def table(self) -> edits.Table:
        """The TOML file that stands beside the module of the cases."""
        path = Path(self.draw.__code__.co_filename).with_suffix(".toml")
        return edits.read_table(path, self.name)

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The known wrong answers."""
        return self.table.mistakes

    @property
    def hints(self) -> Mapping[str, str]:
        """What to say of each property that fails, other than those that exercises share."""
        return self.table.hints

    def records(self, candidate: Callable, seed: int) -> list[Record]:
        """What the candidate does on each case of this seed, as plain JSON."""
        with usual_settings():
            cases = self.cases(seed)
            return [take_record(self.observe, candidate, case, seed=seed) for case in cases]

    def judged(self, record: Record, seed: int, i: int) -> Record:
        """The record of one case with properties in place of its raw values."""
        if not is_named(record.get("value")):
            return record
        try:
            parts = self.properties(record["value"], _cases(self, seed)[i])
            named = parts if isinstance(parts, dict) else _up_to_failure(parts)
            return record | {"value": plain(named)}
        except Exception as error:  # values of which no property can be made
            return {"outcome": "error", **failure(error), "at": "result", "line": ""}

    def judge(self, records: list[Record], seed: int) -> Verdict:
        """Compare records with those of the reference on the same seed."""
        with usual_settings():
            return self._judge(records, seed)

    def _judge(self, records: list[Record], seed: int) -> Verdict:
        cases = _cases(self, seed)
        expected = [_known(self, self.reference, seed, i) for i in range(len(cases))]
        if any(record["outcome"] != "value" for record in expected):
            raise CourseError(f"the solution of {self.name} does not pass its own cases")
        if len(records) != len(expected):
            return Verdict(self.name, "wrong", "The results are incomplete: run the cell again.")
        if any(record["outcome"] == "open" for record in records):
            return Verdict(self.name, "open")
        records = [self.judged(record, seed, i) for i, record in enumerate(records)]
        pairs = [*zip(records, expected, strict=True)]
        wrong = [i for i, pair in enumerate(pairs) if not self._same(*pair)]
        right = len(pairs) - len(wrong)
        if not wrong:
            return Verdict(self.name, "right", right_cases=right, n_cases=len(pairs))
        obtained, wanted = diagnosis.first_difference(
            *pairs[wrong[0]], rtol=self.rtol, atol=self.atol
        )
        found = self._recognised(records, wrong, seed) or self._diagnosed(pairs, wrong[0], seed)
        return Verdict(
            self.name, "wrong", found.hint, found.name or None, found.near,
            cases[wrong[0]], obtained, wanted, right, len(pairs),
        )  # fmt: skip

    def check(self, candidate: Callable, seed: int = PUBLIC_SEED) -> Verdict:
        """Judge a candidate in this process."""
        return self.judge(self.records(candidate, seed), seed)

    def _same(self, a: Record, b: Record, *, clues: bool = False) -> bool:
        return same_record(a, b, rtol=self.rtol, atol=self.atol, clues=clues)

    def _recognised(self, records: list[Record], wrong: list[int], seed: int) -> Finding | None:
        """The mistake that does the same on every case, those that are right included."""
        order = [*wrong, *(i for i in range(len(records)) if i not in wrong)]
        for mistake in self.mistakes:
            if mistake.hint and self._agrees(records, mistake.wrong, order, seed):
                return Finding(mistake.name, mistake.hint)
        return None

    def _agrees(self, records: list[Record], wrong: Callable, order: list[int], seed: int) -> bool:
        """Whether a wrong answer has these records; it is run up to the first that differs."""
        return all(self._same(records[i], _known(self, wrong, seed, i), clues=True) for i in order)

    def _diagnosed(self, pairs: list[tuple[Record, Record]], first: int, seed: int) -> Finding:
        table = self.table
        made = edits.elements(self.name, table.elements) if table.elements else self.reference
        told = [
            diagnosis.Pair(
                obtained, expected, self._sizes(case),
                _elements(call(made, case), table.axes) if table.axes else {},
            )
            for (obtained, expected), case in zip(pairs, _cases(self, seed), strict=True)
        ]  # fmt: skip
        close = {"rtol": self.rtol, "atol": self.atol}
        return diagnosis.find(told, first, **close, property_hints=self.hints)

    def _sizes(self, case: Case) -> dict[str, int]:
        """Letter to size of the dimensions of a case's arguments."""
        sizes: dict[str, int] = {}
        for name, letters in self.letters.items():
            if isinstance(case.args[name], Tensor):
                sizes |= zip(letters.split(), case.args[name].shape, strict=False)
            else:
                sizes[letters] = int(case.args[name])
        return sizes


def _up_to_failure(properties: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Properties as they come, up to the first that is False: later ones may need it."""
    found = {}
    for name, value in properties:
        found[name] = value
        if value is False:
            break
    return found


def _elements(made: Any, axes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Name of each part to its values before the last reduction and their axes."""
    parts = made if isinstance(made, tuple) else (made,)
    return {k: (plain(part), axes[k]) for k, part in zip(axes, parts, strict=True)}


@functools.lru_cache(maxsize=256)
def _cases(exercise: Exercise, seed: int) -> list[Case]:
    return exercise.cases(seed)


@functools.lru_cache(maxsize=32_768)
def _known(exercise: Exercise, known: Callable, seed: int, i: int) -> Record:
    """Record of the reference or of a mistake on one case, made once for all answers of a seed."""
    record = take_record(exercise.observe, known, _cases(exercise, seed)[i], seed=seed)
    return exercise.judged(record, seed, i)
