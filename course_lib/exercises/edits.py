"""The solution of each exercise, and the known mistakes as edits of it.

The solution stands in the exercise's cell in `solutions/` and nowhere else. A mistake stands in the
TOML file beside the exercise's module, with or under the hint for whoever made it:

    "no half" = { "0.5 * " = "", hint = "A ½ is missing." }

    ["You average over the latents: KLs of independent latents add up."]
    "mean over latents" = { ".sum(-1)" = ".mean(-1)" }
    "mean over all" = { ".sum(-1)" = ".mean()" }

Each text on the left of an edit occurs exactly once between the markers of the solution. Where an
edit cannot say it, a string in its place is the whole code between the markers, or the whole cell.
Mistakes under `[general]` are answered by what is said anyway, by `diagnosis` or by the exercise:
under `[properties]` stands what to say about a property that is not as it should be.
"""

import ast
import functools
import linecache
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.packing import unpack
from course_lib.place import ROOT

PACKED = Path(__file__).with_name("answers")  # the solutions, in the copy of a class
SOLUTIONS = PACKED if PACKED.is_dir() else ROOT / "solutions"
MODULE = "course_lib.exercises.solutions"  # what references call their module
CELL = re.compile(r"^# %%(?P<header>.*)$", re.MULTILINE)
EXERCISE = re.compile(r'exercise="(?P<name>\w+)"')
MARKED = re.compile(
    r"(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?P<code>.*?)\n[ \t]*### END SOLUTION", re.DOTALL
)
GENERAL = "general"  # the heading of mistakes that need no hint of their own
PROPERTIES = "properties"  # that of hints for properties


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer: the cell as it then reads, and the hint for it, or ""."""

    name: str
    hint: str
    code: str
    exercise: str

    @property
    def wrong(self) -> Callable:
        """The answer itself."""
        return _compiled(self.exercise, self.code, self.name)


@dataclass(frozen=True)
class Table:
    """What the TOML file of an exercise says.

    hints: what to say of a property that is wrong, by its name; elements: the solution before its
    last reduction, as code, "" if it has none; axes: a letter for each of its dimensions, by the
    name of the part where it returns several, else by "".
    """

    mistakes: tuple[Mistake, ...]
    hints: Mapping[str, str] = field(default_factory=dict)
    elements: str = ""
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def reference(name: str) -> Callable:
    """The solution of this exercise, compiled from its notebook's source."""
    source, _ = _found(name)
    return _world(source, source.stat().st_mtime_ns)[name]


def is_reference(candidate: Any) -> bool:
    """Whether this is one of the course's own solutions, as `check` hands them out."""
    return getattr(candidate, "__module__", "") == MODULE


def elements(name: str, code: str) -> Callable:
    """The solution with its last reduction left out."""
    return _compiled(name, code, "elements")


def read_table(path: Path, name: str) -> Table:
    """The known mistakes of an exercise. Raises CourseError with file, mistake and text."""
    source, cell = _found(name)
    stamps = (path.stat().st_mtime_ns if path.exists() else 0, source.stat().st_mtime_ns)
    return _table(path, name, cell, stamps)


@functools.lru_cache(maxsize=256)
def _table(path: Path, name: str, cell: str, _stamps: tuple[int, int]) -> Table:
    try:
        content = tomllib.loads(_text(path))
    except FileNotFoundError:
        return Table(())
    except (OSError, ValueError) as error:
        raise CourseError(f"{_short(path)}: {error}") from error
    reduced, axes = content.pop("elements", None), content.pop("axes", {})
    hints = content.pop(PROPERTIES, {})
    found: dict[str, Mistake] = {}
    for hint, mistakes in _by_hint(content):
        if not isinstance(mistakes, dict):
            parts = "elements, axes, [general], [properties], a mistake, and a hint in [brackets]"
            raise CourseError(f"{_short(path)}: '{hint}' is none of its parts: {parts}")
        for mistake, change in mistakes.items():
            where = f"{_short(path)}: '{mistake}'"
            if mistake in found:
                raise CourseError(f"{where} stands there twice")
            code = edited(cell, change, name, where)
            found[mistake] = Mistake(mistake, "" if hint == GENERAL else hint, code, name)
    where = f"{_short(path)}: elements"
    code = edited(cell, reduced, name, where) if reduced is not None else ""
    axes = axes if isinstance(axes, dict) else {"": axes}  # "B D", or { rate = "B d", … }
    return Table(
        (*found.values(),), hints, code, {part: tuple(axes[part].split()) for part in axes}
    )


def _by_hint(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Hint and mistakes; one that has its own hint comes as the only one under it."""
    for key, value in content.items():
        alone = isinstance(value, dict) and isinstance(value.get("hint"), str)
        yield (value.pop("hint"), {key: value}) if alone else (key, value)


def edited(cell: str, change: Any, name: str, where: str) -> str:
    """The cell after an edit {find: replace, …}, or with this code between its markers.

    Raises CourseError where a text does not occur exactly once, or what comes out is no Python.
    """
    parts = [*MARKED.finditer(cell)]
    if isinstance(change, str):
        code = _replaced(cell, change, name, parts, where)
    elif isinstance(change, dict) and change:
        code = _after_edits(cell, change, parts, where)
    else:
        raise CourseError(f'{where}: write {{ "find" = "replace" }}, or the code as one text')
    try:
        same = ast.dump(ast.parse(code)) == _tree(cell)
    except SyntaxError as error:
        raise CourseError(f"{where} is no Python: {error.msg} ({error.text})") from error
    if same:
        raise CourseError(f"{where} changes nothing")
    return code


@functools.lru_cache(maxsize=64)
def _tree(cell: str) -> str:
    return ast.dump(ast.parse(cell))


def _replaced(cell: str, text: str, name: str, parts: list[re.Match], where: str) -> str:
    if re.search(rf"^(def|class) {name}\b|^{name} *=", text, re.MULTILINE):
        return text
    if len(parts) != 1:
        raise CourseError(f"{where}: the solution has {len(parts)} parts: write the whole cell")
    code = textwrap.indent(textwrap.dedent(text).strip("\n"), parts[0]["indent"])
    return cell[: parts[0].start()] + code + cell[parts[0].end() :]


def _after_edits(cell: str, change: dict[str, str], parts: list[re.Match], where: str) -> str:
    code = [part["code"] for part in parts]
    for find in change:
        times = sum(text.count(find) for text in code)
        if times != 1:
            raise CourseError(f"{where}: '{find}' occurs {times} times in the solution, not once")
    finds = re.compile("|".join(map(re.escape, change)))
    for part, text in reversed([*zip(parts, code, strict=True)]):
        text = finds.sub(lambda found: change[found[0]], text)
        cell = cell[: part.start()] + text + cell[part.end() :]
    return cell


def exercise_cells(text: str) -> dict[str, str]:
    """Name to source of every exercise cell in a py:percent text, blank lines kept in place."""
    marks = [*CELL.finditer(text)]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    cells = {}
    for mark, end in zip(marks, ends, strict=True):
        exercise = EXERCISE.search(mark["header"])
        if exercise:
            # Lines stay at their numbers, so that a traceback points into the source.
            above = "\n" * text.count("\n", 0, mark.end())
            cells[exercise["name"]] = above + text[mark.end() : end]
    return cells


def _found(name: str) -> tuple[Path, str]:
    """The source that holds an exercise, and its cell."""
    for source in sorted(SOLUTIONS.glob("[0-9]*.py")):
        cells = _cells(source, source.stat().st_mtime_ns)
        if name in cells:
            return source, cells[name]
    raise CourseError(f"no solution of '{name}' in {SOLUTIONS.name}/: restore the course's folder")


@functools.lru_cache(maxsize=64)
def _cells(source: Path, _changed: int) -> dict[str, str]:
    return exercise_cells(_text(source))


@functools.lru_cache(maxsize=64)
def _world(source: Path, changed: int) -> dict[str, Any]:
    """The notebook's exercises, compiled; later ones may call earlier ones."""
    linecache.checkcache(str(source))
    world: dict[str, Any] = {"__name__": MODULE}
    for code in _cells(source, changed).values():
        _import_for(code, source, changed, world)
        exec(compile(code, str(source), "exec"), world)
    return world


@functools.lru_cache(maxsize=4096)
def _compiled(name: str, code: str, label: str) -> Callable:
    """What a changed cell defines, in the world of its notebook."""
    source, _ = _found(name)
    changed = source.stat().st_mtime_ns
    world = {**_world(source, changed), "__name__": f"{MODULE}.wrong"}
    _import_for(code, source, changed, world)
    exec(compile(code, f"<{name}: {label}>", "exec"), world)
    return world[name]


def _import_for(code: str, source: Path, changed: int, world: dict[str, Any]) -> None:
    """Run those imports of the notebook whose names this code uses."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    for names, statement in _imports(source, changed):
        if names & used:
            exec(statement, world)


@functools.lru_cache(maxsize=64)
def _imports(source: Path, _changed: int) -> list[tuple[set[str], str]]:
    """Names and text of every import at the top level of a notebook."""
    found = []
    for node in ast.parse(_text(source)).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.asname or alias.name.split(".")[0] for alias in node.names}
            found.append((names, ast.unparse(node)))
    return found


def _text(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    try:
        return unpack(text)
    except ValueError as error:
        raise CourseError(f"{_short(path)}: {error}") from error


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
