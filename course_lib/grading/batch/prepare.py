"""Put the data that a notebook loads into the cache, once, before a class is graded.

Run as a process of its own. In a sandbox the cache is read-only: what is not there
would be drawn again by every submission.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

from course_lib.grading.sandbox.supervise import process_command, trusted_environment
from course_lib.place import ROOT


@functools.lru_cache(maxsize=8)
def fill_cache(stem: str, *, root: Path = ROOT) -> None:
    """Load the notebook's data sets in a process of its own; its progress is shown.

    Where that fails the notebooks say why themselves.
    """
    if loads(stem, root):
        command = process_command("prepare", stem)
        subprocess.run(command, cwd=root, env=trusted_environment(root), check=False)


def loads(stem: str, root: Path) -> list[tuple[str, int | None]]:
    """(name, size) of each `datasets.load` in a notebook's source, both names of a choice."""
    tree = ast.parse((root / "solutions" / f"{stem}.py").read_text(encoding="utf-8"))
    choices = {
        node.targets[0].id: [node.value.body, node.value.orelse]
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp)
        and isinstance(node.targets[0], ast.Name)
    }  # fmt: skip
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "datasets.load":
            sizes = [ast.literal_eval(word.value) for word in node.keywords if word.arg == "size"]
            names = choices.get(ast.unparse(node.args[0]), [node.args[0]])
            found += [(ast.literal_eval(name), sizes[0] if sizes else None) for name in names]
    return [*dict.fromkeys(found)]


def main(stem: str) -> None:
    """Load everything, one data set after another."""
    from course_lib import datasets

    for name, size in loads(stem, ROOT):
        datasets.load(name, size=size)


if __name__ == "__main__":
    main(sys.argv[1])
