"""The notebook that is run: the student's cells, with every locked cell as the course wrote it."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.submission.reading import Cell, Unfit, read_cells

CELL_MAGIC = re.compile(r"\s*%%(\w+).*\n?")  # its cell is Python, but for these languages
OTHER_CODE = re.compile(
    r"\s*%%(!|(bash|sh|script|html|javascript|js|latex|markdown|svg|writefile|file|perl|ruby|"
    r"python\d?|pypy|system|sx|cmd|cython|sql)\b)", re.IGNORECASE
)  # fmt: skip
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
SET_UP_ADDRESS = re.compile(r'^ARCHIVE = "[^"\n]*"$|(?<=Path\.cwd\(\) / )"[^"\n]*"', re.MULTILINE)
TIMED = re.compile(r"^(\s*)%time ", re.MULTILINE)


@dataclass(frozen=True)
class Course:
    """One notebook of the course: both copies as cells, and the points of each exercise."""

    stem: str
    skeleton: list[Cell]
    solution: list[Cell]
    points: dict[str, int]

    def cell(self, cell_id: str, *, solved: bool = False) -> Cell:
        """The cell of this id in the student's copy, or in the solution."""
        return next(c for c in (self.solution if solved else self.skeleton) if c.id == cell_id)

    @functools.cached_property
    def digests(self) -> set[str]:
        """Of every statement in the student's copy, as it came."""
        return {one for c in self.skeleton if c.kind == "code" for one in _digests(c.source)}

    def is_written(self, cell: Cell) -> bool:
        """Whether there is code of the student's in a cell."""
        return not self.digests.issuperset(_digests(cell.source) if cell.kind == "code" else ())

    def written(self, cell: Cell) -> list[ast.stmt]:
        """The statements of a cell that are none of the course's."""
        pairs = zip(statements(cell.source), _digests(cell.source), strict=False)
        return [s for s, digest in pairs if digest not in self.digests and cell.kind == "code"]

    def binds(self, cell: Cell, name: str) -> bool:
        """Whether the student binds a name there."""
        return any(name in bound_names(statement) for statement in self.written(cell))


@dataclass(frozen=True)
class Plan:
    """`cells` in the order in which they run, each with the id of the course's cell or its own.

    answers: positions of the cells that answer each exercise. `attempted` and `missing` are names
    of exercises; the rest were left as they came.
    """

    course: Course
    cells: list[Cell]
    answers: dict[str, list[int]]
    attempted: list[str]
    missing: list[str]
    flags: list[str]


def prepare(path: Path, courses: dict[str, Course], *, stem: str | None, limits: Limits) -> Plan:
    """What is done to a notebook before it runs. Raises Unfit where there is nothing to run."""
    cells, flags = read_cells(path, file_mb=limits.file_mb)
    course = recognise(courses, cells, stem)
    return make_plan(course, cells, flags)


def recognise(courses: dict[str, Course], cells: list[Cell], stem: str | None) -> Course:
    """The notebook of the course that this is. Raises Unfit for another one than `stem`."""
    if stem is not None and stem not in courses:
        raise Unfit("error", f"the course has no notebook {stem}")
    found = {name: len(exercise_cells(course, cells)) for name, course in courses.items()}
    best = max(found, key=lambda name: (found[name], name == stem))
    if not found[best]:
        wanted = stem or "any notebook of the course"
        raise Unfit("wrong_notebook", f"no exercise of {wanted} is in this file")
    if stem is not None and found[best] > found[stem]:
        raise Unfit("wrong_notebook", f"this is {best}, not {stem}")
    return courses[best]


def exercise_cells(course: Course, cells: list[Cell]) -> dict[str, list[int]]:
    """Positions of the cells of each exercise that is there: by their metadata, else by name."""
    found: dict[str, list[int]] = {}
    for i, cell in enumerate(cells):
        name = _role(cell).removeprefix("exercise-")
        if cell.kind == "code" and name in course.points:
            found.setdefault(name, []).append(i)
    for i, cell in enumerate(cells):
        if cell.kind == "code" and _role(cell) not in course.points:
            for name in defined_names(cell.source) & (course.points.keys() - found.keys()):
                found[name] = [i]
    return found


def make_plan(course: Course, cells: list[Cell], flags: list[str]) -> Plan:
    """Restore what is locked, and say what was found otherwise."""
    flags, where = [*flags], exercise_cells(course, cells)
    out = _with_own_ids(_restored(course, cells, where, flags), course)
    answers = {name: _answers(name, out, course) for name in course.points}
    for name, places in answers.items():
        bind = [i for i in places if course.binds(out[i], name)]
        if len(bind) > 1:
            flags.append(f"{name} has {len(bind)} cells; the last definition counts")
        if places and places[0] > check_place(name, out):
            flags.append(f"{name} is answered below its check; that answer counts")
        if name in where and not any(_role(cells[i]) in (name, f"exercise-{name}")
                                     for i in where[name]):  # fmt: skip
            flags.append(f"the cell of {name} lost its metadata and was found by its name")
    missing = [name for name in course.points if not answers[name]]
    attempted = [name for name, places in answers.items()
                 if any(course.is_written(out[i]) for i in places)]  # fmt: skip
    return Plan(course, out, answers, attempted, missing, flags)


def _restored(
    course: Course, cells: list[Cell], where: dict[str, list[int]], flags: list[str]
) -> list[Cell]:
    """The student's cells with every locked one as the course wrote it; adds to the flags."""
    owner = {i: name for name, places in where.items() for i in places}
    originals = {cell.id: cell for cell in course.skeleton if _is_locked(cell, course)}
    locked = {**originals}
    out: list[Cell] = []
    for i, cell in enumerate(cells):
        role = f"exercise-{owner[i]}" if i in owner else _locked_role(cell, originals)
        if role not in originals:
            out.append(replace(cell, id=role))
            continue
        original = originals[role]
        if role in locked and _without_address(cell) != _without_address(original):
            flags.append(f"the cell {role} was changed; the course's own was run")
        out += _own_code(cell, original, course)
        if role.startswith("check-"):  # of several copies the last one counts
            out = [other for other in out if other is not original]
        if role in locked or role.startswith("check-"):
            out.append(original)
        locked.pop(role, None)
    for cell in locked.values():
        flags.append(f"the cell {cell.id} was missing and was put back")
        out.insert(_place_of(cell, out), cell)
    return out


def _answers(name: str, cells: list[Cell], course: Course) -> list[int]:
    """Positions of the cells that answer an exercise: its own, and all that bind its name.

    Those below its check count where none is above; a stub as it came, where nothing else is.
    """
    role = f"exercise-{name}"
    own = [i for i, cell in enumerate(cells) if course.binds(cell, name) or (
        cell.id == role and course.is_written(cell))]  # fmt: skip
    own = own or [i for i, cell in enumerate(cells) if cell.kind == "code" and (
        cell.id == role or name in defined_names(cell.source))]  # fmt: skip
    return [i for i in own if i < check_place(name, cells)] or own


def check_place(name: str, cells: list[Cell]) -> int:
    """Where the check of an exercise stands."""
    places = [i for i, cell in enumerate(cells) if cell.id == f"check-{name}"]
    return places[0] if places else len(cells)


def defined_names(source: str) -> set[str]:
    """Functions and classes that a cell defines at its top level."""
    return {node.name for node in statements(source) if isinstance(node, DEFINITIONS)}


@functools.lru_cache(maxsize=1024)
def statements(source: str) -> tuple[ast.stmt, ...]:
    """The statements of a cell, as IPython reads it; none where it is no Python."""
    for read in (str, _without_magics):
        try:
            return (*ast.parse(read(source)).body,)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return ()


def _without_magics(source: str) -> str:
    """What IPython makes of a cell. Raises SyntaxError."""
    from IPython.core.inputtransformer2 import TransformerManager  # slow, and seldom needed

    while (magic := CELL_MAGIC.match(source)) and not OTHER_CODE.match(source):
        source = source[magic.end() :]
    return TransformerManager().transform_cell(TIMED.sub(r"\1", source))


def bound_names(statement: ast.stmt) -> set[str]:
    """Names that a statement at the top level of a cell may bind."""
    if isinstance(statement, DEFINITIONS):
        return {statement.name}  # its locals are no names of the notebook
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            found.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def _role(cell: Cell) -> str:
    return cell.grade_id or cell.id


def _is_locked(cell: Cell, course: Course) -> bool:
    name = cell.id.removeprefix("check-")
    return cell.id in ("setup", "parameters") or (name in course.points and name != cell.id)


def _locked_role(cell: Cell, locked: dict[str, Cell]) -> str:
    """The id of the locked cell that this one is, or its own id."""
    if cell.kind == "code":
        for name in (cell.grade_id, cell.id):
            if name in locked:
                return name
        if "parameters" in cell.tags and "parameters" in locked:
            return "parameters"
        for original in locked.values():
            same = cell.source.strip() == original.source.strip()
            checks = {*_digests(original.source)} if original.id.startswith("check-") else set()
            if same or checks.intersection(_digests(cell.source)):
                return original.id
    return cell.id


def _without_address(cell: Cell) -> str:
    """Where the set-up fetches the course differs between versions and in a class's copy."""
    source = SET_UP_ADDRESS.sub("", cell.source) if cell.id == "setup" else cell.source
    return source.strip()


def _own_code(cell: Cell, original: Cell, course: Course) -> list[Cell]:
    """What a student added to a locked cell, as a cell: all but its checks, or answers at least."""
    kept = []
    for statement in statements(cell.source):
        match getattr(statement, "value", None):
            case ast.Call(func=ast.Name("check"), args=[ast.Constant(str(name)), candidate]):
                if name in course.points and ast.unparse(candidate) != name:
                    kept.append(f"{name} = {ast.unparse(candidate)}")
            case _ if original.id.startswith("check-") or (
                bound_names(statement) & course.points.keys()
            ):
                kept.append(ast.unparse(statement))
    return [Cell("code", "\n".join(kept))] if kept else []


def _place_of(cell: Cell, out: list[Cell]) -> int:
    """Where a missing cell goes: a check behind its exercise, set-up and parameters in front."""
    name = cell.id.removeprefix("check-")
    places = [i + 1 for i, other in enumerate(out) if other.kind == "code" and (
        other.id == f"exercise-{name}" or name in defined_names(other.source))]  # fmt: skip
    if places:
        return places[-1]
    if cell.id == "parameters":
        return next((i + 1 for i, other in enumerate(out) if other.id == "setup"), 0)
    return 0 if cell.id == "setup" else len(out)


def _with_own_ids(cells: list[Cell], course: Course) -> list[Cell]:
    """Cells whose ids are all different and valid; the course's own keep theirs."""
    left = {cell.id for cell in course.skeleton}
    out = []
    for number, cell in enumerate(cells):
        out.append(cell if cell.id in left else replace(cell, id=f"student-{number}"))
        left.discard(cell.id)
    return out


@functools.lru_cache(maxsize=1024)
def _digests(source: str) -> tuple[str, ...]:
    """Of each statement, without comments and layout; of the text of a cell that has none."""
    parts = [source.strip()]
    with contextlib.suppress(RecursionError):
        parts = [*map(ast.dump, statements(source))] or parts
    return tuple(hashlib.sha256(part.encode()).hexdigest() for part in parts if part)
