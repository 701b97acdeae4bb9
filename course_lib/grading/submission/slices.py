"""What one exercise needs to run alone: its own code, imports, and whatever these use.

A name that the exercise uses is looked for in the student's cells above its check, then in the
solution's; other exercises are always taken from the solution. Only the statements that make the
needed names are run: no training, no plots. Where the student wrote more than that above the
check, which may matter all the same, a second way runs all of it.
"""

from __future__ import annotations

import ast
import functools
import symtable
from collections.abc import Iterable

from course_lib.grading.submission.reading import Cell
from course_lib.grading.submission.restore import (
    DEFINITIONS,
    IMPORTS,
    Course,
    Plan,
    bound_names,
    check_place,
    defined_names,
    statements,
)

Pieces = list[tuple[str, str]]  # (where from, source); "own" is the student's exercise
Chosen = dict[tuple[int, int, int], str]  # statements by their place: student's or not, cell, line
LONG = {"fit", "load", "evaluate"}  # training and data: too much for what an answer may not need


def ways(name: str, plan: Plan) -> list[Pieces]:
    """Sources to run one after another so that `name` is what the student made of it."""
    cells, course, own = plan.cells, plan.course, plan.answers[name]
    needed = functools.partial(_needed, name=name, course=course)
    answer = [cells[i] for i in own]
    above = range(max(check_place(name, cells), own[-1] + 1))
    others = {i: Cell("code", _plain(course.written(cells[i]))) for i in above
              if i not in own and course.is_written(cells[i])}  # fmt: skip
    around = [*others.values()]
    chosen = needed(answer, around)
    first = [*_pieces(chosen), *(("own", cell.source) for cell in answer)]
    used = set().union(*(used_names(_plain(statements(source))) for _, source in first))
    used -= course.points.keys()
    known = {*chosen.values()}
    if not any(
        _may_matter(statement, used) and (i > own[0] or ast.unparse(statement) not in known)
        for i in others
        for statement in course.written(cells[i])
    ):
        return [first]
    both = needed(answer, []) | needed(around, [], long=False)
    written = {i: ("own", cells[i].source) for i in own}
    written |= {i: ("other", cell.source) for i, cell in others.items()}
    return [first, [*_pieces(both), *(written[i] for i in sorted(written))]]


def used_names(source: str) -> set[str]:
    """Names that code takes from outside its functions; locals of a function do not count."""

    def names(table: symtable.SymbolTable) -> set[str]:
        top = table.get_name() == "top"
        own = {s.get_name() for s in table.get_symbols()
               if s.is_referenced() and (top or s.is_global())}  # fmt: skip
        return own.union(*map(names, table.get_children()))

    try:
        return names(symtable.symtable(source, "cell", "exec"))
    except (SyntaxError, ValueError, RecursionError):
        return set()


def _pieces(chosen: Chosen) -> Pieces:
    return [("needed", chosen[key]) for key in sorted(chosen)]


def _plain(body: Iterable[ast.stmt]) -> str:
    """Statements as text."""
    return "\n".join(map(ast.unparse, body))


def _may_matter(statement: ast.stmt, used: set[str]) -> bool:
    """Whether a statement outside an answer, which uses these names, could change what it does."""
    if isinstance(statement, IMPORTS):
        return False
    plain = isinstance(statement, DEFINITIONS) and not statement.decorator_list
    return not plain or statement.name in used


def _needed(
    own: list[Cell], above: list[Cell], *, name: str, course: Course, long: bool = True
) -> Chosen:
    """The statements that make what `own` uses, and what these use; with `long`, at any price."""
    taught = course.solution[: check_place(name, course.solution)]
    taught = [cell for cell in taught if cell.kind == "code"]
    wanted = used_names("\n".join(_plain(statements(cell.source)) for cell in own))
    wanted = wanted - {name} | {"*"}  # `from … import *` may bind anything
    slow = LONG.union(*(defined_names(cell.source) for cell in taught))
    chosen: Chosen = {}
    seen: set[str] = set()
    while wanted - seen:
        word = min(wanted - seen)
        seen.add(word)
        mine = [] if word in course.points else _binding(word, above, kind=1)
        for place, statement in [*mine, *_binding(word, taught, kind=0)]:
            if mine and place[0] == 0 and not isinstance(statement, IMPORTS):
                continue  # imports of the course do no harm, and its functions may need them
            if long or _is_quick(statement, slow):
                chosen[place] = ast.unparse(statement)
                wanted |= used_names(chosen[place]) - {name}
    return chosen


def _binding(
    word: str, cells: list[Cell], *, kind: int
) -> list[tuple[tuple[int, int, int], ast.stmt]]:
    return [
        ((kind, i, j), statement)
        for i, cell in enumerate(cells)
        if not cell.id.startswith("check-") and cell.id != "setup"
        for j, statement in enumerate(statements(cell.source))
        if word in bound_names(statement)
    ]


def _is_quick(statement: ast.stmt, slow: set[str]) -> bool:
    """Whether a statement only defines, imports, or assigns without one of the slow calls."""
    calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
    called = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
    if isinstance(statement, (*DEFINITIONS, *IMPORTS)):
        return True
    return isinstance(statement, ast.Assign | ast.AnnAssign) and not called & slow
