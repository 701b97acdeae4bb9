"""The build on small sources of its own: what it writes, what it hides, what it refuses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from course_lib.authoring import badge_markdown, build, course_address, read_source
from course_lib.authoring.assemble import cell_ids
from course_lib.authoring.markers import solution_lines
from course_lib.errors import CourseError

ROOT = Path(__file__).parents[1]
EXERCISES = {"double": SimpleNamespace(points=3), "Stack": SimpleNamespace(points=1.5)}
PYPROJECT = (
    '[project]\nname = "x"\n\n[tool.course]\nrepository = "someone/some-course"\ntag = "v7"\n'
)
NBGRADER_KEYS = {"schema_version", "grade_id", "grade", "solution", "locked", "task"}

SAMPLE = '''\
# %% [markdown]
# # A sample – with σ
#
# {{colab_badge}}

# %% setup=true

# %% tags=["parameters"]
seed = 0  # the student may change it
sizes = [1, 2]

# %%
from types import SimpleNamespace
# ls stays a comment

# %%
print("the same cell twice")

# %%
print("the same cell twice")

# %% exercise="double"
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    doubled = 2 * x

    return doubled
    ### END SOLUTION

# %% check="double" tags=["hide-input"]
double = check("double", double)

# %% exercise="Stack"
class Stack:
    def push(self, item):
        ### BEGIN SOLUTION
        self.items.append(item)
        ### END SOLUTION

    def pop(self):
        if True:
            ### BEGIN SOLUTION
            return self.items.pop()
            ### END SOLUTION

# %% check="Stack"
Stack = check("Stack", Stack)

# %% [markdown]
# The end.
'''


@pytest.fixture
def course(tmp_path):
    """A course folder with one source."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    write_source(tmp_path, SAMPLE)
    return tmp_path


def write_source(root, text, name="01_sample.py"):
    (root / "solutions").mkdir(exist_ok=True)
    (root / "solutions" / name).write_text(text, encoding="utf-8")


def built(root, folder):
    build(root, exercises=EXERCISES)
    return nbformat.read(root / folder / "01_sample.ipynb", as_version=nbformat.NO_CONVERT)


def cell(notebook, cell_id):
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def test_both_copies_are_valid_and_bare(course):
    """Catches an invalid notebook, an output, a run count, or a trace of the tools."""
    for folder in ("notebooks", "solutions"):
        notebook = built(course, folder)
        nbformat.validate(notebook)
        assert set(notebook.metadata) == {"colab", "kernelspec", "language_info"}
        assert notebook.metadata.colab == {"generative_ai_disabled": True, "toc_visible": True}
        assert notebook.metadata.language_info == {"name": "python"}
        assert notebook.metadata.kernelspec.name == "python3"
        for code in (c for c in notebook.cells if c.cell_type == "code"):
            assert code.outputs == [] and code.execution_count is None
            assert set(code.metadata) <= {"tags", "nbgrader", "deletable", "editable"}


def test_bytes_are_plain(course):
    """Catches \\r\\n, escaped letters, a missing last line end and unsorted keys."""
    build(course, exercises=EXERCISES)
    for path in course.glob("*/*.ipynb"):
        data = path.read_bytes()
        assert b"\r" not in data and data.endswith(b"}\n")
        assert "– with σ" in data.decode("utf-8")
        keys = list(json.loads(data))
        assert keys == sorted(keys)


def test_solution_becomes_a_stub_at_the_markers_place(course):
    """Catches a stub at the wrong indentation, a lost docstring, one pair of two forgotten."""
    notebook = built(course, "notebooks")
    assert cell(notebook, "exercise-double").source == (
        'def double(x):\n    """Twice x."""\n    raise NotImplementedError'
    )
    assert cell(notebook, "exercise-Stack").source == (
        "class Stack:\n"
        "    def push(self, item):\n"
        "        raise NotImplementedError\n"
        "\n"
        "    def pop(self):\n"
        "        if True:\n"
        "            raise NotImplementedError"
    )


def test_solution_keeps_its_markers(course):
    """Catches markers dropped from the solution, without which nbgrader cannot take it over."""
    source = cell(built(course, "solutions"), "exercise-double").source
    assert source.count("### BEGIN SOLUTION") == source.count("### END SOLUTION") == 1
    assert "doubled = 2 * x" in source


def test_no_solution_line_reaches_the_student(course):
    """Catches any hidden line in the student's file, metadata included."""
    build(course, exercises=EXERCISES)
    student = (course / "notebooks/01_sample.ipynb").read_text(encoding="utf-8")
    hidden = [
        line.strip()
        for source_cell in read_source(course / "solutions/01_sample.py")
        for line in solution_lines(source_cell)
        if line.strip()
    ]
    assert len(hidden) == 4
    assert not [line for line in hidden if line in student]
    assert "SOLUTION" not in student


def test_other_cells_are_the_same_in_both(course):
    """Catches copies that drift apart: ids, order, or text outside exercises and badge."""
    student, solution = built(course, "notebooks"), built(course, "solutions")
    assert [c.id for c in student.cells] == [c.id for c in solution.cells]
    for one, other in zip(student.cells[1:], solution.cells[1:], strict=True):
        assert one.source == other.source or one.id.startswith("exercise-")


def test_nbgrader_metadata(course):
    """Catches a departure from nbgrader's schema 3, or points not from the registry."""
    notebook = built(course, "solutions")
    exercise = cell(notebook, "exercise-double").metadata.nbgrader
    assert set(exercise) == NBGRADER_KEYS and exercise.schema_version == 3
    assert exercise.grade_id == "double" and exercise.solution is True
    assert not (exercise.grade or exercise.locked or exercise.task)
    judged = cell(notebook, "check-double").metadata.nbgrader
    assert set(judged) == NBGRADER_KEYS | {"points"} and judged.points == 3
    assert judged.grade_id == "check-double" and judged.grade and judged.locked
    assert not (judged.solution or judged.task)
    setup = cell(notebook, "setup").metadata.nbgrader
    assert setup.locked and not (setup.grade or setup.solution)


def test_locked_cells_resist_the_student_only(course):
    """Catches a check that a student can delete, or a solution that resists its author."""
    student, solution = built(course, "notebooks"), built(course, "solutions")
    for cell_id in ("setup", "check-double"):
        assert cell(student, cell_id).metadata.deletable is False
        assert cell(student, cell_id).metadata.editable is False
        assert "editable" not in cell(solution, cell_id).metadata
    assert "editable" not in cell(student, "exercise-double").metadata
    assert cell(student, "check-double").metadata.tags == ["hide-input"]


def test_ids_survive_an_insertion(course):
    """Catches ids that count cells: a new cell may not rename the others."""
    before = cell_ids(read_source(course / "solutions/01_sample.py"))
    assert len(set(before)) == len(before)
    write_source(course, SAMPLE.replace("# %% exercise", "# %%\nnew = 1\n\n# %% exercise", 1))
    after = cell_ids(read_source(course / "solutions/01_sample.py"))
    assert len(after) == len(before) + 1 and [i for i in after if i in before] == before


def test_comments_stay_comments(course):
    """Catches jupytext's reading of "# ls …" as a shell command."""
    sources = [c.source for c in built(course, "notebooks").cells]
    assert "from types import SimpleNamespace\n# ls stays a comment" in sources


def test_second_build_changes_nothing(course):
    """Catches a build that is not the same twice, and a check that writes."""
    names = ["notebooks/01_sample.ipynb", "solutions/01_sample.ipynb"]
    assert build(course, check=True, exercises=EXERCISES) == names
    assert not list(course.glob("*/*.ipynb"))
    assert build(course, exercises=EXERCISES) == names
    assert build(course, exercises=EXERCISES) == []
    assert build(course, check=True, exercises=EXERCISES) == []
    assert {p.suffix for p in course.glob("*/*")} == {".py", ".ipynb"}


def test_check_sees_every_difference(course):
    """Catches a check blind to an edited byte or to a notebook whose source is gone."""
    build(course, exercises=EXERCISES)
    path = course / "notebooks/01_sample.ipynb"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (course / "solutions/09_gone.ipynb").write_text("{}")
    (course / "notebooks/scratch.ipynb").write_text("{}")  # a student's own
    expected = ["notebooks/01_sample.ipynb", "solutions/09_gone.ipynb"]
    assert build(course, check=True, exercises=EXERCISES) == expected


def test_same_bytes_in_any_process(course):
    """Catches an order that depends on Python's hash seed."""
    script = (
        "import sys; from pathlib import Path; from types import SimpleNamespace as S\n"
        "from course_lib.authoring import build\n"
        "build(Path(sys.argv[1]), exercises={'double': S(points=3), 'Stack': S(points=1.5)})"
    )
    texts = set()
    for seed in ("0", "1"):
        for path in course.glob("*/*.ipynb"):
            path.unlink()
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", script, str(course)], env=env, check=True)
        texts.add(tuple(path.read_bytes() for path in sorted(course.glob("*/*.ipynb"))))
    assert len(texts) == 1 and len(texts.pop()) == 2


def test_work_of_a_student_is_kept(course):
    """Catches a build that overwrites a notebook somebody has worked in."""
    notebook = built(course, "notebooks")
    notebook.cells[2].update(execution_count=1, source="seed = 99")
    path = course / "notebooks/01_sample.ipynb"
    nbformat.write(notebook, path)
    assert build(course, exercises=EXERCISES) == ["notebooks/01_sample.ipynb"]
    assert "seed = 99" in path.with_suffix(".ipynb.bak").read_text(encoding="utf-8")
    assert "seed = 99" not in path.read_text(encoding="utf-8")


def test_failed_build_leaves_the_old_notebooks(course, monkeypatch):
    """Catches half-written notebooks: a full disk, or one unsound source among several."""
    build(course, exercises=EXERCISES)
    path = course / "notebooks/01_sample.ipynb"
    before = path.read_bytes()
    write_source(course, SAMPLE.replace("seed = 0", "seed = 5"))
    write_source(course, "# %% [markdown]\n# no badge\n", name="02_bad.py")
    with pytest.raises(CourseError, match=r"02_bad\.py:1"):
        build(course, exercises=EXERCISES)
    (course / "solutions/02_bad.py").unlink()

    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CourseError, match="No space left"):
        build(course, exercises=EXERCISES)
    assert path.read_bytes() == before and not list(course.glob("*/*.part"))


def test_folder_that_cannot_be_written_is_one_line(course, monkeypatch):
    """Catches a PermissionError of the cleaning up in place of the line on what to do."""

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(CourseError, match=r"cannot be written: Permission denied"):
        build(course, exercises=EXERCISES)


@pytest.mark.parametrize("broken", ["os.replace", "shutil.copyfile"])
def test_run_notebook_stays_where_it_is_until_it_is_replaced(course, monkeypatch, broken):
    """Catches a failed build that leaves a student no notebook, or harms the older .bak."""
    notebook = built(course, "notebooks")
    notebook.cells[2].update(execution_count=1, source="seed = 99")
    path = course / "notebooks/01_sample.ipynb"
    nbformat.write(notebook, path)
    path.with_suffix(".ipynb.bak").write_text("older")
    before, replace = path.read_bytes(), os.replace

    def fail(source, target):
        if broken == "os.replace" and Path(target) != path:
            return replace(source, target)
        Path(target).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(CourseError, match="No space left"):
        build(course, exercises=EXERCISES)
    assert path.read_bytes() == before and not list(course.glob("*/*.part"))
    kept = path.with_suffix(".ipynb.bak").read_bytes()
    assert kept == (before if broken == "os.replace" else b"older")


SOLVED = SAMPLE[SAMPLE.index("    ### BEGIN") : SAMPLE.index("# %% check")]
REFUSED = {  # name: (text replaced, by what, text of the line named, words of the message)
    "no end": ("            ### END SOLUTION\n", "", "            ### BEGIN", "without ### END"),
    "nested": ("    doubled =", "    ### BEGIN SOLUTION\n    doubled =", "### BEGIN", "in turn"),
    "end first": ('    """Twice x."""', "    ### END SOLUTION", "### END", "in turn"),
    "misspelt": ("        ### BEGIN", "        ## BEGIN", "        ## BEGIN", "in turn"),
    "lower case": ("### BEGIN SOLUTION", "### begin solution", "### begin", "in turn"),
    "elsewhere": ("sizes", "### BEGIN SOLUTION\n### END SOLUTION\ns", "# %% tags=", "belong"),
    "no markers": (SOLVED, "    return 2 * x\n\n", '# %% exercise="double"', "nothing between"),
    "no check": (' check="double"', "", '# %% exercise="double"', "has no cell"),
    "other check": ('double", double)', 'double", Stack)', '# %% check="double"', "holds the line"),
    "check first": ('exercise="double"', 'check="double"', '# %% check="double"', "belong"),
    "unknown": ('exercise="Stack"', 'exercise="Stock"', '# %% exercise="Stock"', "no exercise"),
    "twice": ('exercise="Stack"', 'exercise="double"', '# %% exercise="double"', "in line 22"),
    "option": ('exercise="Stack"', 'excercise="Stack"', '# %% excercise="Stack"', "unknown cell"),
    "no parameters": ('"parameters"', '"other"', "# %% [markdown]", "parameters"),
    "two parameters": ("# %%\nprint", '# %% tags=["parameters"]\nprint', "# %% tags=", "not 3"),
    "computed": ("sizes = [1, 2]", "sizes = list((1, 2))", "sizes", "literal"),
    "imported": ("sizes = [1, 2]", "import os", "import os", "literal"),
    "magic": ("# ls", "!pip install x\n# ls", "!pip", "magics"),
    "bad escape": ('print("', 'print("\\m', 'print("\\m', "escape"),
    "indentation": ("        if True:", "        if 1: 1\n", "return self.items", "not plain"),
    "stub breaks": (
        "    ### BEGIN SOLUTION\n    doubled",
        "    a = (\n    ### BEGIN SOLUTION\n    3)\n    doubled",
        '# %% exercise="double"',
        "once the solution is taken out",
    ),
    "checked twice": ("# %% [markdown]\n# The end.", '# %% check="Stack"\n1', "# %% check", "once"),
    "empty cell": ("# The end.", "", "# %% [markdown]", "empty"),
    "no badge": ("# {{colab_badge}}", "# no badge", "# %% [markdown]", "colab_badge"),
    "no setup": (" setup=true", '\n"text"', "# %% [markdown]", "first code cell"),
    "set-up code": ("setup=true\n", "setup=true\nimport os\n", "# %% setup", "leave it empty"),
    "late set-up": ("# %% setup", "# %%\nx = 1\n\n# %% setup", "# %% setup", "first code cell"),
    "text on top": ("# %% [markdown]\n# # A", "x = 1\n# %% [markdown]\n# # A", "x = 1", "begin"),
    "raw cell": ("# %% [markdown]\n# The", "# %% [raw]\n# The", "# %% [raw]", "code or"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unsound_source_is_refused(course, case):
    """Catches an unsound source that would be built, or an error that names the wrong line."""
    old, new, start, words = REFUSED[case]
    assert old in SAMPLE
    changed = SAMPLE.replace(old, new)
    write_source(course, changed)
    with pytest.raises(CourseError) as caught:
        build(course, exercises=EXERCISES)
    message = str(caught.value)
    line = int(re.fullmatch(r"solutions/01_sample\.py:(\d+): .+", message)[1])
    assert changed.splitlines()[line - 1].strip().startswith(start.strip()) and words in message
    assert not list(course.glob("*/*.ipynb"))


def test_folder_without_a_course(tmp_path):
    """Catches a silent success, or a traceback, where there is nothing to build."""
    with pytest.raises(CourseError, match="no source"):
        build(tmp_path, exercises=EXERCISES)
    write_source(tmp_path, SAMPLE)
    with pytest.raises(CourseError, match=r"no pyproject\.toml"):
        build(tmp_path, exercises=EXERCISES)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.course]\ntag = 'x'\n[other]\nrepository = \"y\"\n"
    )
    with pytest.raises(CourseError, match="repository"):
        build(tmp_path, exercises=EXERCISES)


def test_badge_opens_the_students_notebook(course):
    """Catches a badge at another address, tag or notebook, and one that opens the solutions:
    what nbgrader makes of these is handed out."""
    badge = badge_markdown(course, "notebooks/01_sample.ipynb")
    assert "/github/someone/some-course/blob/v7/notebooks/01_sample.ipynb)" in badge
    for folder in ("notebooks", "solutions"):
        assert badge in built(course, folder).cells[0].source


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is new in Python 3.11")
def test_address_is_read_as_toml_reads_it():
    """Catches the small parser disagreeing with the real one on the course's own file."""
    import tomllib

    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]
    assert course_address(ROOT)._asdict() == table
