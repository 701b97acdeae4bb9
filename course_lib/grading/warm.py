"""Put the data that a notebook loads into the cache, once, before a class is graded.

`python -m course_lib.grading.warm STEM …`. In a sandbox the cache is read-only: what is not there
would be drawn again by every submission.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from course_lib.grading.supervise import module_command, trusted_environment
from course_lib.grading.tree import ROOT


def warm(stems: list[str], *, root: Path = ROOT) -> None:
    """Load the data sets of these notebooks in a process of its own; its progress is shown."""
    if any(loads(stem, root) for stem in stems):
        command = [*module_command("warm"), *stems]
        subprocess.run(command, cwd=root, env=trusted_environment(root), check=False)


def loads(stem: str, root: Path) -> list[tuple[str, int | None]]:
    """(name, size) of each `datasets.load` with literal arguments in a notebook's source."""
    text = (root / "solutions" / f"{stem}.py").read_text(encoding="utf-8")
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "datasets.load":
            sizes = [word.value for word in node.keywords if word.arg == "size"]
            parts = [*node.args[:1], *sizes]
            if all(isinstance(part, ast.Constant) for part in parts) and node.args:
                found.append((parts[0].value, parts[1].value if sizes else None))
    return found


def main(stems: list[str]) -> None:
    """Load everything, one data set after another."""
    from course_lib import datasets

    for name, size in dict.fromkeys(pair for stem in stems for pair in loads(stem, ROOT)):
        datasets.load(name, size=size)


if __name__ == "__main__":
    main(sys.argv[1:])
