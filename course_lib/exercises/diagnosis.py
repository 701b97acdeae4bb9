"""What to say about a wrong answer that is none of the exercise's own mistakes.

Everything here is read off records, and nothing is said that contradicts a case: a reading such as
"twice the expected result" has to explain every number of every case.
"""

import functools
import itertools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.exercises.records import (
    Record,
    finite,
    is_array,
    is_estimate,
    same_kind,
    same_value,
)

# What a letter stands for, and where an answer that has lost it should look.
AXES = {"B": "the images of the batch", "N": "the images", "S": "the samples", "D": "the pixels",
        "d": "the latents", "C": "the channels", "H": "the rows", "W": "the columns",
        "K": "the factors", "M": "the anomalies", "n": "the normal images"}  # fmt: skip


MISSING = {"type": "missing"}  # a part that was not looked at, since one before it failed


@dataclass(frozen=True)
class Finding:
    """What was found in a word or two, and the hint; near: only a scale or an axis is off."""

    name: str
    hint: str
    near: bool = False


@dataclass(frozen=True)
class Pair:
    """What came out and what was expected on one case, and what the readings may use.

    sizes: letter to size; elements: for each part, the expected values before their last reduction
    and the letters of their axes.
    """

    obtained: Record
    expected: Record
    sizes: Mapping[str, int]
    elements: Mapping[str, tuple[Any, tuple[str, ...]]]


def find(
    pairs: list[Pair], first: int, *, rtol: float, atol: float, property_hints: Mapping[str, str]
) -> Finding:
    """The most telling difference, as seen on all cases; `first` is the first that is wrong."""
    obtained, expected = pairs[first].obtained, pairs[first].expected
    if obtained["outcome"] == "error":
        return _of_error(obtained)
    if obtained["value"] is None:
        asked = "is there a `return`, with a value behind it? `backward` and `append` give none."
        if any(pair.obtained.get("value") is not None for pair in pairs):
            asked = "does every path end in a `return`?"
        return Finding("nothing returned", f"Your function returns nothing: {asked}")
    if obtained["value"] == {"type": "printed"}:
        return Finding("printed", "Your function prints its result and returns nothing: write "
                       "`return` where `print` stands.")  # fmt: skip
    if obtained["outcome"] == "changed":
        names = ", ".join(obtained["names"])
        return Finding("input changed", f"Your code changes its input `{names}`, which the cells "
                       "below still use: work on a copy.")  # fmt: skip
    close = {"rtol": rtol, "atol": atol}
    for key, got, want in differing_parts(obtained["value"], expected["value"], **close):
        found = _of_kind(got, want)
        if found is None and is_array(got) and is_array(want):
            parts = [_part(pair, key) for pair in pairs]
            parts = [part for part in parts if is_array(part.expected.get("value"))]
            found = _of_numbers(parts, got, want, **close) if parts else None
        if found:
            return found if key in ("", "result") else _of_part(key, found)
        hint = hint_for(key, property_hints) or hint_for(key, shared_hints("properties.toml"))
        if hint:
            return Finding(key, hint)
    return Finding("", "The values differ; compare the two lines.")


def differing_parts(
    got: Any, want: Any, *, rtol: float, atol: float
) -> Iterator[tuple[str, Any, Any]]:
    """Name, obtained and expected value of the parts that differ; the whole has no name."""
    parts = isinstance(want, dict) and not is_array(want) and not is_estimate(want)
    if not parts or is_array(got) or not isinstance(got, dict) or set(got) == {"type"}:
        yield "", got, _promised(want) if parts else want
        return
    for key in want:
        same = key in got and same_value(got[key], want[key], rtol=rtol, atol=atol)
        if not key.startswith("_") and not same:
            yield key, got.get(key, MISSING), want[key]


def _promised(want: dict) -> Any:
    """What the signature promises, among the parts that are looked at."""
    parts = [*want.values()]
    inner = [part for part in parts if isinstance(part, dict) and not is_estimate(part)]
    parts += [p for part in inner for p in part.values()]
    arrays = [part for part in parts if is_array(part)]
    return want.get("result", arrays[0] if arrays else want)


def _part(pair: Pair, key: str) -> Pair:
    """The pair with one part of both values in place of the whole."""

    def of(record: Record) -> Record:
        value = record.get("value")
        if isinstance(value, dict) and not is_array(value) and not is_estimate(value):
            value = value.get(key) if key else _promised(value)
        return {**record, "value": value}

    name = "" if key == "result" else key
    elements = {"": pair.elements[name]} if name in pair.elements else {}
    return Pair(of(pair.obtained), of(pair.expected), pair.sizes, elements)


def _of_part(key: str, found: Finding) -> Finding:
    """The same about one named part of what is looked at."""
    hint = found.hint.replace("Your function returns", f"Your {key} is", 1)
    hint = hint.replace("Your result", f"Your {key}", 1).replace("your result", f"your {key}", 1)
    hint = hint if hint != found.hint else f"{key}: {hint}"
    return Finding(f"{key}: {found.name}", hint, found.near)


def _of_kind(got: Any, want: Any) -> Finding | None:
    """Something else than what the signature promises."""
    named = isinstance(want, dict) and not is_array(want) and not is_estimate(want)
    unknown = isinstance(got, dict) and (set(got) == {"type"} or (named and is_array(got)))
    if got == MISSING or not (is_array(want) or unknown):
        return None
    kind = want["kind"] if is_array(want) else ""
    words = {"int": "one plain number", "float": "one plain number", "": "something else"}
    wanted = words.get(kind, f"a {kind}")
    if not is_array(got) or named:
        told: dict[str, Any] = got if isinstance(got, dict) else {"type": type(got).__name__}
        kind = told.get("type", told.get("kind", "dict"))
        return Finding(_a(kind), f"Your function returns {_a(kind)}. It is asked for {wanted}: "
                       "what do the signature and its text say?")  # fmt: skip
    if same_kind(got, want):
        return None
    if got["kind"].startswith("tensor") and want["kind"].startswith("tensor"):
        dtype = want["kind"].removeprefix("tensor of ")
        step = "leaves the dtype of the inputs"
        if dtype.startswith("int"):
            whole = "should give whole numbers, with which one can count and index"
            step = "makes others of PyTorch's own int64" if "int" in got["kind"] else whole
        return Finding(got["kind"], f"Your result is a {got['kind']}, asked for is {dtype}: "
                       f"which step {step}?")  # fmt: skip
    if want["kind"] == "int":
        return Finding(_a(got["kind"]), f"Your function returns {_a(got['kind'])}, and this is "
                       "counted with later: it is asked for a whole number, an `int`.")  # fmt: skip
    what = "Cells below go on with it: stay within PyTorch."
    if want["kind"] == "float":
        what = "How does one number come of it?"
    return Finding(_a(got["kind"]), f"Your function returns {_a(got['kind'])}, and it is asked "
                   f"for {wanted}. {what}")  # fmt: skip


def _a(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def _of_numbers(
    pairs: list[Pair], got: dict, want: dict, *, rtol: float, atol: float
) -> Finding | None:
    if not finite(got) and finite(want):
        causes = (
            "divides by 0, averages nothing, overflows, or leaves the range of root, log or acos"
        )
        return Finding("not finite", f"Your result has NaN or infinity in it: which step {causes}?")
    whole = all(is_array(pair.obtained.get("value")) for pair in pairs)
    if whole:
        if _Closeness(rtol, atol).all(pairs, lambda right, _: right):
            return Finding("nearly equal", "Your result is the expected one up to a small error: "
                           "is something rounded, cut off, or a constant inexact?")  # fmt: skip
        for reading in (_reductions, _shapes, _constants, _functions, _orders):
            found = reading(pairs, _Closeness(rtol, atol))
            if found:
                return found
    shape, wanted = tuple(got["shape"]), tuple(want["shape"])
    if shape != wanted:
        step = "keeps a wrong dimension or size"
        if len(shape) != len(wanted):
            step = (
                "loses a dimension" if len(shape) < len(wanted) else "leaves a dimension too many"
            )
        return Finding("shape", f"Your result has shape {shape}, expected is {wanted}: which step "
                       f"{step}?")  # fmt: skip
    return None


@dataclass(frozen=True)
class _Closeness:
    rtol: float
    atol: float

    def all(self, pairs: list[Pair], expected: Callable[[np.ndarray, Pair], Any]) -> bool:
        """Whether every case has the numbers that `expected` makes of the right ones."""
        for pair in pairs:
            got, want = (_array(record["value"]) for record in (pair.obtained, pair.expected))
            with np.errstate(all="ignore"):
                made = expected(want, pair)
            if made is None or np.shape(made) != got.shape:
                return False
            # A little wider than what counts as right: two ways to a wrong result differ as well.
            if not np.allclose(got, made, rtol=4 * self.rtol, atol=4 * self.atol, equal_nan=True):
                return False
        return True


def _array(value: dict) -> np.ndarray:
    return np.array(value["numbers"], dtype=np.float64).reshape(value["shape"])


def _reductions(pairs: list[Pair], close: _Closeness) -> Finding | None:
    """Another sum or mean over the axes of the elements than the expected one."""
    if not all(pair.elements and is_array(pair.elements[""][0]) for pair in pairs):
        return None
    axes = pairs[0].elements[""][1]
    elements = {id(pair): _array(pair.elements[""][0]) for pair in pairs}
    ways = [*itertools.product(("kept", "sum", "mean"), repeat=len(axes))]
    expected = next((way for way in ways if all(
        np.shape(made) == tuple(pair.expected["value"]["shape"])
        and np.allclose(made, _array(pair.expected["value"]), rtol=close.rtol, atol=close.atol)
        for pair in pairs for made in (_reduced(elements[id(pair)], way),)
    )), None)  # fmt: skip
    if expected is None:
        return None
    for way in sorted(
        ways, key=lambda way: sum(a != b for a, b in zip(way, expected, strict=True))
    ):
        if way != expected and close.all(pairs, lambda _, pair, way=way: _reduced(
                elements[id(pair)], way)):  # fmt: skip
            return _of_reductions(axes, way, expected)
    return None


def _reduced(elements: np.ndarray, way: tuple[str, ...]) -> np.ndarray:
    for axis in reversed(range(len(way))):
        if way[axis] != "kept":
            elements = elements.sum(axis) if way[axis] == "sum" else elements.mean(axis)
    return elements


def _of_reductions(
    axes: tuple[str, ...], way: tuple[str, ...], expected: tuple[str, ...]
) -> Finding:
    """What is done over which axes, and what is to be done; a sentence for all that are alike."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, change in enumerate(zip(way, expected, strict=True)):
        if change[0] != change[1]:
            groups.setdefault(change, []).append(i)
    names, hints = [], []
    for (got, want), dims in groups.items():
        over = _listed([AXES.get(axes[i], axes[i]) for i in dims])
        where = f"{over} (dimension{'s' * (len(dims) > 1)} {_listed([str(i) for i in dims])})"
        done = {"sum": f"You sum over {where}", "mean": f"You average over {where}",
                "kept": f"You keep one value for each of {where}"}[got]  # fmt: skip
        asked = {"sum": "they are to be summed", "mean": "they are to be averaged",
                 "kept": "one value for each is to stay"}[want]  # fmt: skip
        word = {"sum": "sum over", "mean": "mean over", "kept": "not reduced over"}[got]
        names.append(f"{word} {over}")
        hints.append(f"{done}: {asked}.")
    return Finding(", ".join(names), " ".join(hints), near=True)


def _listed(words: list[str]) -> str:
    """The words in one, with commas and an "and" between them."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _shapes(pairs: list[Pair], close: _Closeness) -> Finding | None:
    """The right numbers in another shape."""
    if close.all(pairs, lambda want, _: want.T) and any(
        np.ndim(_array(pair.expected["value"])) > 1 for pair in pairs
    ):
        return Finding("transposed", "Your result is transposed: which dimension comes first?",
                       near=True)  # fmt: skip

    def same_numbers(want: np.ndarray, pair: Pair) -> np.ndarray | None:
        shape = tuple(pair.obtained["value"]["shape"])
        return want.reshape(shape) if np.prod(shape) == want.size else None

    if not close.all(pairs, same_numbers):
        return None
    shapes = [[tuple(r["value"]["shape"]) for r in (p.obtained, p.expected)] for p in pairs]
    got, want = next(pair for pair in shapes if pair[0] != pair[1])
    hint = f"The numbers are right, their shape is {got} in place of {want}: "
    if 1 in got and len(got) > len(want):
        return Finding("a dimension too many", hint + "which step leaves a dimension of size 1, "
                       "as `keepdim`, `[:, None]` and `[None]` do?", near=True)  # fmt: skip
    return Finding("another shape", hint + "which step joins or splits dimensions?", near=True)


def _named_constants(sizes: Mapping[str, int]) -> Iterator[tuple[str, float, str]]:
    """Name, value and the question that leads on; simple ones first."""
    yield "2", 2.0, "is a ½ missing, or something counted twice?"
    yield "½", 0.5, "is there a ½ too many, or one half left out?"
    yield "−1", -1.0, "which sign is turned round?"
    yield "−2", -2.0, "a sign is turned round, and a ½ missing?"
    yield "−½", -0.5, "a sign is turned round, and a ½ too many?"
    yield "1/ln 2", 1 / np.log(2), "is this in bits? Nats take the natural logarithm."
    yield "ln 2", np.log(2), "is something taken for bits? The natural logarithm gives nats."
    yield "1/ln 10", 1 / np.log(10), "which logarithm is to base 10?"
    yield "ln 10", np.log(10), "which logarithm should be to base 10?"
    for letter, size in sizes.items():
        over = AXES.get(letter, letter)
        yield f"1/{letter}", 1 / size, f"is a mean over {over} too many, or in place of a sum?"
        yield letter, size, f"is there a sum over {over} where a mean is meant?"
    for letter, size in sizes.items():
        if size > 1:
            over = AXES.get(letter, letter)
            which = f"which mean over {over} divides by {letter} − 1, and which by {letter}?"
            yield f"{letter}/({letter} − 1)", size / (size - 1), which
            yield f"({letter} − 1)/{letter}", (size - 1) / size, which
    for (a, m), (b, n) in itertools.combinations(sizes.items(), 2):
        both = f"{AXES.get(a, a)} and {AXES.get(b, b)}"
        yield f"1/({a}·{b})", 1 / (m * n), f"is there a mean over {both}?"
        yield f"{a}·{b}", m * n, f"is there a sum over {both}?"
        yield f"{a}/{b}", m / n, f"are {both} mixed up in a mean?"
        yield f"{b}/{a}", n / m, f"are {both} mixed up in a mean?"


def _constants(pairs: list[Pair], close: _Closeness) -> Finding | None:
    """The expected result times, or plus, one constant."""
    wants = np.concatenate([_array(pair.expected["value"]).ravel() for pair in pairs])
    if len(wants) < 2 or not (np.abs(wants) > 1e-6).any():  # one number may be anything
        return None
    if not any(any(pair.obtained["value"]["numbers"]) for pair in pairs):
        return Finding("all 0", "Your result is 0 everywhere: does it use its inputs?")
    tables = [[*_named_constants(pair.sizes)] for pair in pairs]
    for named in zip(*tables, strict=False):
        value = {id(pair): constant for pair, (_, constant, _) in zip(pairs, named, strict=True)}
        if close.all(pairs, lambda want, pair, value=value: value[id(pair)] * want):
            name, _, question = named[0]
            return Finding(f"{name} times", f"Your result is {name} times the expected one: "
                           f"{question}", near=True)  # fmt: skip
    got, want = (_array(r["value"]) for r in (pairs[0].obtained, pairs[0].expected))
    if got.shape != want.shape:
        return None
    solid = np.abs(want) > 1e-6
    ratio = float((got[solid] / want[solid])[0]) if solid.any() else 1.0
    if len(wants) > 2 and f"{ratio:.4g}" != "1" and close.all(pairs, lambda w, _: ratio * w):
        return Finding(f"{ratio:.4g} times", f"Everywhere your result is {ratio:.4g} times the "
                       "expected one: which constant is that?", near=True)  # fmt: skip
    step = float((got - want).ravel()[0]) if want.size else 0.0
    if len(wants) > 2 and close.all(pairs, lambda want, _: want + step):
        return Finding(f"{step:+.4g}", f"Everywhere your result is the expected one {step:+.4g}: "
                       "which constant is that?", near=True)  # fmt: skip
    return None


_FUNCTIONS: tuple[tuple[str, Callable, str], ...] = (
    ("the square of", np.square, "is a root missing, or a square too many?"),
    ("the root of", np.sqrt, "is a square missing, or a root too many?"),
    ("the logarithm of", np.log, "is an `exp` missing, or a `log` too many?"),
    ("the exponential of", np.exp, "is a `log` missing, or an `exp` too many?"),
    ("1 over", lambda want: 1 / want, "which fraction is upside down?"),
    ("1 minus", lambda want: 1 - want, "which of two sides is counted?"),
    ("the absolute value of", np.abs, "where is the sign lost?"),
    ("cut off at 0, not", lambda want: np.maximum(want, 0), "may it not be negative?"),
)


def _functions(pairs: list[Pair], close: _Closeness) -> Finding | None:
    """A simple function of every expected number."""
    wants = np.concatenate([_array(pair.expected["value"]).ravel() for pair in pairs])
    for words, function, question in _FUNCTIONS:
        if len(wants) > 1 and close.all(pairs, lambda want, _, f=function: f(want)):
            return Finding(words, f"Your result is {words} the expected one: {question}")
    return None


def _orders(pairs: list[Pair], close: _Closeness) -> Finding | None:
    """The right numbers in another order."""
    sizes = [_array(pair.expected["value"]).size for pair in pairs]
    if max(sizes) < 3 or any(p.obtained["value"]["shape"] == [] for p in pairs):
        return None
    if close.all(pairs, lambda want, _: want[::-1]):
        return Finding("reversed", "The numbers are right, their order is reversed: from which end "
                       "does it count?", near=True)  # fmt: skip
    for step, way in ((1, "late"), (-1, "early")):
        if close.all(pairs, lambda want, _, step=step: np.roll(want, step, -1)):
            return Finding("shifted by one", f"Every number stands one place too {way}: where does "
                           "the index start?", near=True)  # fmt: skip
    values = [(pair.obtained["value"], pair.expected["value"]) for pair in pairs]
    if all(
        got["shape"] == want["shape"]
        and np.allclose(sorted(got["numbers"]), sorted(want["numbers"]), close.rtol, close.atol)
        for got, want in values
    ):
        return Finding("another order", "The numbers are right, their order is not: what decides "
                       "which comes first?", near=True)  # fmt: skip
    return None


@functools.cache
def shared_hints(name: str) -> dict[str, str]:
    """What is said in every exercise, from a TOML file; read where an answer is judged."""
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def hint_for(key: str, hints: Mapping[str, str]) -> str:
    """What these say of a property, or "": a `*` in a name, and in its hint, is any one word."""
    for pattern, hint in hints.items():
        word = re.fullmatch(re.escape(pattern).replace(r"\*", r"(\w+)"), key)
        if word:
            return hint.replace("*", *word.groups() or "*")
    return ""


def _of_error(record: Record) -> Finding:
    """What failed: a line of the student's, the call, or what was done with the result."""
    kind, message, line = record["type"], record["message"], record["line"]
    if record["at"] == "call":
        return Finding("the signature", "The call does not fit: your function has to take the "
                       "arguments of the given signature, in its order.")  # fmt: skip
    told = f"{kind}: {message}"
    words = shared_hints("errors.toml").items()
    fitting = (hint for parts, hint in words if any(part in told for part in parts.split(" | ")))
    help_ = next(fitting, "")
    where = f"The line `{line}` raises" if line else "Your code raises"
    if record["at"] == "result":
        where = "Your code runs, but using what it returns raises"
        help_ = help_ or "Is it what the signature promises?"
    # What follows these is all numbers of a tensor, or advice.
    message = re.split(", but found invalid values| Hint: |\n\n", message)[0]
    told = f"{kind}: {message}" if message else kind
    return Finding(kind, f"{where} {told.rstrip('.')}. {help_}".strip())


def first_difference(
    obtained: Record, expected: Record, *, rtol: float, atol: float
) -> tuple[str, str]:
    """Obtained and expected value of the first part that differs, around the first such number."""
    if obtained["outcome"] == "error":
        return f"{obtained['type']}: {obtained['message']}", ""
    if obtained["outcome"] == "changed":
        return f"input {', '.join(obtained['names'])} changed", "inputs unchanged"
    values, close = (obtained["value"], expected["value"]), {"rtol": rtol, "atol": atol}
    key, got, want = next(differing_parts(*values, **close), ("", *values))
    label = f"{key}: " if key else ""
    start = 0
    if is_array(got) and is_array(want) and got["shape"] == want["shape"]:
        wrong = ~np.isclose(got["numbers"], want["numbers"], rtol=rtol, atol=atol, equal_nan=True)
        start = max(0, int(np.argmax(wrong)) - 2) if wrong.size > SHOWN else 0
    digits = 4 if short(got, start=start) != short(want, start=start) else 9
    texts = [short(value, digits=digits, start=start) for value in (got, want)]
    if texts[0] == texts[1] and is_array(got) and is_array(want):
        texts = [f"{text}  {value['kind']}" for text, value in zip(texts, (got, want), strict=True)]
    return f"{label}{texts[0]}", f"{label}{texts[1]}"


SHOWN = 6  # numbers of a tensor on a card


def short(value: Any, *, most: int = SHOWN, digits: int = 4, start: int = 0) -> str:
    """A plain value in one line: its shape and a few of its numbers, by default the first."""
    if is_estimate(value):
        pairs = zip(value["mean"]["numbers"], value["standard error"]["numbers"], strict=True)
        return ", ".join(f"{mean:.{digits}g} ± {error:.2g}" for mean, error in [*pairs][:most])
    if isinstance(value, dict) and not is_array(value):
        if set(value) == {"type"}:
            return str(value["type"])
        parts = [(k, v) for k, v in value.items() if not k.startswith("_")]
        text = "; ".join(f"{key}: {short(part, most=3, digits=digits)}" for key, part in parts[:4])
        return text + ("; …" if len(parts) > 4 else "")
    if not is_array(value):
        return str(value)
    numbers, shape = value["numbers"], tuple(value["shape"])
    text = ", ".join(f"{number:.{digits}g}" for number in numbers[start : start + most])
    if not shape:
        return text
    before, after = "…, " if start else "", ", …" if len(numbers) > start + most else ""
    return f"[{before}{text}{after}]  shape {shape}"
