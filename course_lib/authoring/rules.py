"""What a notebook's source must look like before anything is built from it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Container

from course_lib.authoring.address import BADGE_LINE
from course_lib.authoring.markers import BEGIN, solution_lines, student_source
from course_lib.authoring.source import Cell


def require_well_formed(cells: list[Cell], exercises: Container[str]) -> None:
    """Raises CourseError with file and line at the first rule that a source breaks."""
    for cell in cells:
        _require_sound_cell(cell)
    _require_badge(cells)
    _require_setup(cells)
    _require_parameters(cells)
    _require_exercises(cells, exercises)


def _require_sound_cell(cell: Cell) -> None:
    if not cell.source.strip() and not cell.options.get("setup"):
        raise cell.error("an empty cell: fill it or remove it")
    if cell.exercise and cell.check:
        raise cell.error("an exercise and its check are two cells")
    if cell.exercise and not solution_lines(cell):
        raise cell.error(f"exercise {cell.exercise!r} has nothing between {BEGIN} and its end")
    if not cell.exercise and student_source(cell) != cell.source:
        raise cell.error("solution markers belong in an exercise cell")
    if cell.kind == "code":
        _require_python(
            cell, cell.source, "not plain Python; magics such as !pip have no place here"
        )
        if cell.exercise:
            _require_python(cell, student_source(cell), "not Python once the solution is taken out")


def _require_python(cell: Cell, source: str, message: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an invalid "\m" in a label
            ast.parse(source)
    except SyntaxError as error:
        # Lines move when a solution is taken out: then the cell's own line has to do.
        offset = (error.lineno or 0) if source == cell.source else 0
        raise cell.error(f"{message} ({error.msg})", offset=offset) from error


def _require_badge(cells: list[Cell]) -> None:
    if not cells or cells[0].kind != "markdown" or cells[0].source.count(BADGE_LINE) != 1:
        where = cells[0] if cells else Cell("markdown", "", "the source", 1)
        raise where.error(f"the first cell is markdown with one line {BADGE_LINE}")


def _require_setup(cells: list[Cell]) -> None:
    code = [cell for cell in cells if cell.kind == "code"]
    marked = [cell for cell in cells if "setup" in cell.options]
    if len(marked) != 1 or marked[0] is not code[0] or marked[0].options["setup"] is not True:
        where = (marked or cells)[-1]
        raise where.error("the first code cell, and only that one, is '# %% setup=true'")
    if marked[0].source.strip():
        raise marked[0].error("the set-up cell is written by the build: leave it empty")


def _require_parameters(cells: list[Cell]) -> None:
    tagged = [cell for cell in cells if "parameters" in cell.tags]
    if len(tagged) != 1 or tagged[0].kind != "code":
        raise (tagged or cells)[-1].error(f'one cell has tags=["parameters"], not {len(tagged)}')
    for statement in ast.parse(tagged[0].source).body:
        if not _is_literal_assignment(statement):
            message = "a parameters cell holds only lines 'name = literal'"
            raise tagged[0].error(message, offset=statement.lineno)


def _is_literal_assignment(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    else:
        return False
    try:
        ast.literal_eval(statement.value)
    except ValueError:
        return False
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _require_exercises(cells: list[Cell], exercises: Container[str]) -> None:
    opened: dict[str, Cell] = {}
    checked: set[str] = set()
    for cell in cells:
        name = cell.exercise or cell.check
        if name and cell.kind != "code":
            raise cell.error("an exercise and its check are code cells")
        if name and name not in exercises:
            raise cell.error(f"no exercise {name!r} in course_lib.exercises.EXERCISES")
        if cell.exercise:
            if name in opened:
                raise cell.error(
                    f"exercise {name!r} stands twice, first in line {opened[name].line}"
                )
            opened[name] = cell
        elif cell.check:
            if name not in opened or name in checked:
                raise cell.error(
                    f"check {name!r} needs one exercise cell above it, and stands once"
                )
            if f'{name} = check("{name}", {name})' not in cell.source.split("\n"):
                raise cell.error(f'the check cell holds the line {name} = check("{name}", {name})')
            checked.add(name)
    for name, cell in opened.items():
        if name not in checked:
            raise cell.error(f'exercise {name!r} has no cell check="{name}" below it')
