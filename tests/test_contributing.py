"""CONTRIBUTING's "Add an exercise", followed word by word on a copy of the course."""

import os
import re
import shutil
import subprocess
import sys

import pytest


def blocks(root):
    """The code blocks of the section, in order, without their indentation."""
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Add an exercise")[1].split("\n## ")[0]
    found = re.findall(r"^   ```(?:python|toml)\n(.*?)^   ```", section, re.MULTILINE | re.DOTALL)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]


@pytest.fixture(scope="module")
def guided(root, tmp_path_factory):
    """A copy of the course with the guide's exercise in notebook 04."""
    copy = tmp_path_factory.mktemp("contributing") / "course"
    for name in ("course_lib", "solutions", "tests"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", copy)
    cells, module, table, alternative = blocks(root)
    with open(copy / "solutions/04_beta_vae.py", "a", encoding="utf-8") as source:
        source.write("\n" + cells)
    package = copy / "course_lib/exercises/beta_vae"
    (package / "double.py").write_text(module, encoding="utf-8")
    (package / "double.toml").write_text(table, encoding="utf-8")
    registry = copy / "course_lib/exercises/__init__.py"
    listed = registry.read_text(encoding="utf-8").replace('"beta_vae": "', '"beta_vae": "double ')
    registry.write_text(listed, encoding="utf-8")
    with open(copy / "tests/alternatives/beta_vae.py", "a", encoding="utf-8") as file:
        file.write("\n\n" + alternative)
    return copy


def run(guided, *arguments):
    """What a command of the copy prints; it must end well."""
    env = {**os.environ, "PYTHONPATH": str(guided), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=guided, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_leads_to_green_tests(guided):
    """Catches a guide that leaves out a step, or whose own example fails the tests."""
    said = run(guided, "pytest", "-q", "tests/test_exercises.py", "-k", "double or registry")
    passed = int(re.search(r"(\d+) passed", said)[1])
    assert passed >= 12, said  # each test over the registry, and each of its mistakes


def test_the_guides_exercise_is_built_into_both_notebooks(guided):
    """Catches an exercise that the build refuses, or that shows its solution to students."""
    script = (
        "from pathlib import Path; from course_lib.authoring import build\nprint(*build(Path('.')))"
    )
    path = guided / "script.py"
    path.write_text(script, encoding="utf-8")
    assert "notebooks/04_beta_vae.ipynb" in run(guided, "script")
    text = (guided / "notebooks/04_beta_vae.ipynb").read_text(encoding="utf-8")
    assert "def double" in text and "return 2 * x" not in text


def test_a_mistake_in_the_table_alone_reaches_check_report_and_self_test(guided):
    """Catches an instructor's own mistake that only the notebook knows, or only the grader."""
    table = guided / "course_lib/exercises/beta_vae/double.toml"
    own = '["You halve."]\n"our own" = { "2 * x" = "x / 2" }\n'
    table.write_text(table.read_text(encoding="utf-8") + own, encoding="utf-8")
    script = (
        "import json; from course_lib.exercises import EXERCISES\n"
        "from course_lib.grading import selftest\n"
        "from course_lib.grading.assignment import Assignment\n"
        "from course_lib.grading.submission.judge import judge\n"
        "e, half = EXERCISES['double'], lambda x: x / 2\n"
        "one = judge('double', json.dumps({'records': e.records(half, 7)}), 7)\n"
        "points = {'double': 1}\n"
        "known = selftest.known_mistakes(Assignment('04_beta_vae', '', points))\n"
        "print(e.check(half).mistake, one['mistake'], known['double'].name, sep=';')"
    )
    (guided / "script.py").write_text(script, encoding="utf-8")
    assert run(guided, "script").strip() == "our own;our own;our own"
