"""Floors: an import goes to a lower floor only, and the start imports nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "course_lib"
FLOORS = [
    "errors settings card machine place progress deferred",
    "writing packing",
    "distributions plots synthetic devices codes parallel precision",
    "datasets models exact exact_chain",
    "losses errata recordings diagrams figures",
    "metrics diffusion vq masking",
    "training checkpoints diagnostics",
    "exercises widgets pretrained",
    "authoring demo recipes",
    "grading",
    "benchmarks",
    "commands",
    "__main__",
]
GRADING = [  # inside `grading`: the same, one floor for each step of a submission's path
    "assignment encoding outputs",
    "intake sandbox",
    "inside",
    "submission",
    "batch",
    "gradebooks",
    "reports",
    "classroom",
    "selftest",
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
HEAVY = {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "IPython", "nbformat", "PIL"}
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [path.relative_to(PACKAGE).as_posix() for path in FILES]


def part_of(name):
    """ "exercises/card.py" and "course_lib.exercises.card" belong to exercises."""
    return name.removeprefix("course_lib.").split("/")[0].split(".")[0]


def imports(path):
    """(line, dotted name) of everything that a file imports, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = path.parent.relative_to(ROOT).parts
            here = ".".join(folder[: len(folder) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [here, node.module]))
            inside = module in ("course_lib", "course_lib.grading")  # from course_lib import plots
            names = [f"{module}.{alias.name}" if inside else module for alias in node.names]
            yield from ((node.lineno, name) for name in names)


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_down(name):
    """Catches an import of a higher floor, or of another package on the same one."""
    path = PACKAGE / name
    own = part_of(name)
    if own == "__init__":
        return
    assert own in FLOOR, f"give {own} a floor in tests/test_floors.py"
    for line, module in imports(path):
        other = part_of(module)
        if not module.startswith("course_lib.") or other not in FLOOR or other == own:
            continue
        assert FLOOR[other] < FLOOR[own], f"{name}:{line}: {own} imports {other}, not below it"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("grading/")])
def test_imports_follow_the_path_of_a_submission(name):
    """Catches a part of the grader that needs a later one, or one that needs it in turn."""
    floor = {part: number for number, parts in enumerate(GRADING) for part in parts.split()}
    own = name.split("/")[1].removesuffix(".py")
    for line, module in imports(PACKAGE / name):
        other = module.removeprefix("course_lib.grading.").split(".")[0]
        if module.startswith("course_lib.grading.") and other != own and own != "__init__":
            assert floor[other] < floor[own], f"{name}:{line}: {own} imports {other}"


def fresh(code):
    """What a fresh Python prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", ["course_lib", "course_lib.__main__", "course_lib.errors"])
def test_start_is_light(module):
    """Catches a heavy import at the start: `lab` has to start on a Python without packages."""
    if module == "course_lib.__main__" and not (PACKAGE / "__main__.py").exists():
        pytest.skip("no command line yet")
    loaded = fresh(f"import sys, {module}; print(*sys.modules)").split()
    assert not HEAVY & set(loaded)


def test_import_is_quick():
    """Catches work at import: the best of three stays under 0.2 s."""
    clock = (
        "import time; t = time.perf_counter(); import course_lib; print(time.perf_counter() - t)"
    )
    assert min(float(fresh(clock)) for _ in range(3)) < 0.2


def test_floors_are_seen():
    """Catches a test of floors that reads no imports at all: these three forms count."""
    seen = {module for path in FILES for _, module in imports(path)}
    assert {"course_lib.errors", "torch", "__future__"} <= seen
