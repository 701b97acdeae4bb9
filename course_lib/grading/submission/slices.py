"""What one exercise needs to run alone: its own code, imports, and whatever these use.

A name that the exercise uses is looked for in the student's cells above its check, then in the
solution's; other exercises are always taken from the solution. Only the statements that make the
needed names are run: no training, no plots.
"""

from __future__ import annotations

import ast
import symtable

from course_lib.grading.submission.reading import Cell
from course_lib.grading.submission.restore import Course, Plan, statements

Pieces = list[tuple[str, str]]  # (where from, source); "own" is the student's exercise

BEYOND = ("__globals__", "__closure__", "cell_contents", "__subclasses__", "_getframe", "f_back",
          "f_locals", "f_globals", "tb_frame", "gi_frame", "getprofile", "addaudithook",
          "get_objects", "get_referrers", "course_lib.exercises.",
          "course_lib.grading")  # fmt: skip


def pieces_of(name: str, plan: Plan) -> Pieces:
    """Sources to run one after another so that `name` is what the student made of it."""
    above = _above(name, plan.cells)
    taught = _above(name, plan.course.solution)
    own = [cell for cell in above if _makes(cell, name, plan.course)]
    needed = _needed(own, name, above=above, taught=taught, course=plan.course)
    return [*needed, *(("own", cell.source) for cell in own)]


def words_beyond(pieces: Pieces) -> list[str]:
    """What no answer needs, in the student's own code: ways from a function to its caller's world.

    Reading these is no audit event in every Python, so they are looked for in the text.
    """
    found = set()
    for _, source in pieces:
        for statement in statements(source):
            for node in ast.walk(statement):
                texts = (getattr(node, "attr", ""), getattr(node, "id", ""),
                         getattr(node, "value", ""))  # fmt: skip
                found |= {word for text in texts if isinstance(text, str)
                          for word in BEYOND if word in text}  # fmt: skip
    return sorted(found)


def bound_names(statement: ast.stmt) -> set[str]:
    """Names that a statement at the top level of a cell may bind."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
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


def _above(name: str, cells: list[Cell]) -> list[Cell]:
    ids = [cell.id for cell in cells]
    end = ids.index(f"check-{name}") if f"check-{name}" in ids else len(cells)
    return [cell for cell in cells[:end] if cell.kind == "code"]


def _makes(cell: Cell, name: str, course: Course) -> bool:
    """Whether a cell is this exercise's, or binds its name elsewhere."""
    if cell.id in {f"exercise-{other}" for other in course.points}:
        return cell.id == f"exercise-{name}"
    locked = cell.id.startswith("check-") or cell.id in ("setup", "parameters")
    return not locked and any(name in bound_names(s) for s in statements(cell.source))


def _needed(
    own: list[Cell], name: str, *, above: list[Cell], taught: list[Cell], course: Course
) -> Pieces:
    """The statements that make what `own` uses, and what these use, in the order of the cells."""
    source = "\n".join(ast.unparse(s) for cell in own for s in statements(cell.source))
    wanted = used_names(source) - {name} | {"*"}  # `from … import *` may bind anything
    chosen: dict[tuple[int, int, int], str] = {}
    seen: set[str] = set()
    while wanted - seen:
        word = min(wanted - seen)
        seen.add(word)
        places = [(0, taught)] if word in course.points else [(1, above), (0, taught)]
        for kind, cells in places:
            found = _binding(word, cells, skip=own)
            for place, statement in found:
                chosen[(kind, *place)] = ast.unparse(statement)
                wanted |= used_names(ast.unparse(statement)) - {name}
            if found:
                break
    return [("needed", chosen[key]) for key in sorted(chosen)]


def _binding(
    word: str, cells: list[Cell], *, skip: list[Cell]
) -> list[tuple[tuple[int, int], ast.stmt]]:
    return [
        ((i, j), statement)
        for i, cell in enumerate(cells)
        if cell not in skip and not cell.id.startswith("check-") and cell.id != "setup"
        for j, statement in enumerate(statements(cell.source))
        if word in bound_names(statement)
    ]
