"""The notebook that is run: the student's cells, with every locked cell as the course wrote it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from course_lib.grading.submission.reading import Cell, Unfit

MAGIC = re.compile(r"^\s*(%|!|\?)|^.*\?\s*$")


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


@dataclass(frozen=True)
class Plan:
    """`cells` in the order in which they run, each with the id of the course's cell or its own.

    `attempted` and `missing` are names of exercises; the rest were left as they came.
    """

    course: Course
    cells: list[Cell]
    attempted: list[str]
    missing: list[str]
    flags: list[str]


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
    owner = {i: name for name, places in where.items() for i in places}
    locked = {cell.id: cell for cell in course.skeleton if _is_locked(cell, course)}
    out: list[Cell] = []
    for i, cell in enumerate(cells):
        role = f"exercise-{owner[i]}" if i in owner else _locked_role(cell, locked)
        if role in locked:
            original = locked.pop(role)
            if cell.source.strip() != original.source.strip():
                flags.append(f"the cell {role} was changed; the course's own was run")
            out.append(original)
        elif i in owner or not _stands_for_locked(cell, course):
            out.append(replace(cell, id=role))
    for name, places in where.items():
        if len(places) > 1:
            flags.append(f"{name} has {len(places)} cells; the last definition counts")
        if not any(_role(cells[i]) in (name, f"exercise-{name}") for i in places):
            flags.append(f"the cell of {name} lost its metadata and was found by its name")
    for cell in locked.values():
        flags.append(f"the cell {cell.id} was missing and was put back")
        out.insert(_place_of(cell, out), cell)
    missing = [name for name in course.points if name not in where]
    stubs = {name: course.cell(f"exercise-{name}").source for name in course.points}
    changed = [name for name, places in where.items()
               if any(_code(cells[i].source) != _code(stubs[name]) for i in places)]  # fmt: skip
    attempted = [name for name in course.points if name in changed]
    return Plan(course, _with_own_ids(out, course), attempted, missing, flags)


def defined_names(source: str) -> set[str]:
    """Functions and classes that a cell defines at its top level."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in statements(source) if isinstance(node, kinds)}


def statements(source: str) -> list[ast.stmt]:
    """The statements of a cell, without magics; none where it is no Python."""
    for text in (source, "\n".join(("" if MAGIC.match(x) else x) for x in source.split("\n"))):
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return []


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
            if cell.source.strip() == original.source.strip():
                return original.id
    return cell.id


def _stands_for_locked(cell: Cell, course: Course) -> bool:
    """Whether this is a second copy of a check or of another locked cell."""
    own = [c for c in course.skeleton if _is_locked(c, course) and c.id in (cell.grade_id, cell.id)]
    return bool(own) and cell.kind == "code"


def _place_of(cell: Cell, out: list[Cell]) -> int:
    """Where a missing cell goes: a check behind its exercise, set-up and parameters in front."""
    wanted = cell.id.replace("check-", "exercise-")
    places = [i + 1 for i, other in enumerate(out) if other.id == wanted]
    if places:
        return places[-1]
    if cell.id == "parameters":
        return next((i + 1 for i, other in enumerate(out) if other.id == "setup"), 0)
    return 0 if cell.id == "setup" else len(out)


def _with_own_ids(cells: Iterable[Cell], course: Course) -> list[Cell]:
    """Cells whose ids are all different and valid; the course's own keep theirs."""
    known = {cell.id for cell in course.skeleton}
    seen: set[str] = set()
    out = []
    for number, cell in enumerate(cells):
        if cell.id not in known or cell.id in seen:
            cell = replace(cell, id=f"student-{number}")
        seen.add(cell.id)
        out.append(cell)
    return out


def _code(source: str) -> str:
    """What a cell does, without comments and layout; its text where it is no Python."""
    body = statements(source)
    try:
        return ast.dump(ast.Module(body, [])) if body else source.strip()
    except RecursionError:
        return source.strip()
