"""What an instructor may want to look at in an answer; it costs no point."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from course_lib.grading.submission.restore import IMPORTS, Plan, bound_names, statements
from course_lib.grading.submission.slices import Pieces

# Ways from a function to its caller's world, or to what is compared.
BEYOND = re.compile(
    r"(?<!\w)(_getframe|currentframe|f_back|f_locals|f_globals|tb_frame|gi_frame|__globals__|"
    r"__closure__|cell_contents|__subclasses__|settrace|setprofile|addaudithook|get_objects|"
    r"get_referrers|ctypes|__torch_function__|__array__|as_subclass|_exit|inspect\.stack|"
    r"inspect import stack|course_lib\.grading|course_lib\.exercises\.\w+|"
    r"course_lib\.exercises import (?!check\b)\w+)(?!\w)"
)


def words_beyond(name: str, ways: list[Pieces], plan: Plan) -> list[str]:
    """Names in an answer that none needs, and the course's own function where it is the answer."""
    code = [s for pieces in ways for _, source in pieces for s in statements(source)]
    found = {word for statement in code for word in BEYOND.findall(ast.unparse(statement))}
    taught = ast.walk(ast.parse(plan.course.cell(f"exercise-{name}", solved=True).source))
    used = {getattr(node, "attr", getattr(node, "id", "")) for node in taught}
    modules = dict(pair for statement in code for pair in _imported(statement))
    for i in plan.answers[name]:
        for statement in statements(plan.cells[i].source):
            path = name in bound_names(statement) and _passed_on(statement, name, modules)
            if path and path.split(".")[-1] not in used:
                found.add(f"the course's own function {path}")
    return sorted(found)


def _imported(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Names that are bound to modules and functions of the course, and where these stand there."""
    for alias in statement.names if isinstance(statement, IMPORTS) else ():
        module = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
        if f"{module}{alias.name}".startswith("course_lib"):
            path = f"{module}{alias.name}" if module or alias.asname else "course_lib"
            yield alias.asname or path.split(".")[-1], path.removeprefix("course_lib.")


def _passed_on(statement: ast.stmt, name: str, modules: dict[str, str]) -> str:
    """The course's function that a statement binds to `name`, or only calls in it."""
    value = getattr(statement, "value", None)
    body = [s for s in getattr(statement, "body", []) if not isinstance(s, ast.Expr)]
    if isinstance(value, ast.Lambda):
        value = getattr(value.body, "func", None)
    elif len(body) == 1 and isinstance(body[0], ast.Return):
        value = getattr(body[0].value, "func", None)
    if isinstance(statement, ast.ImportFrom):
        value = ast.Name(name)
    root, dot, rest = ast.unparse(value).partition(".") if value else ("", "", "")
    path = f"{modules[root]}{dot}{rest}" if root in modules else ""
    return path.removeprefix("course_lib.")
