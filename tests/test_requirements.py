"""What pyproject.toml asks for, and the files that are made from it."""

import ast
import re
import shutil
import sys
from importlib import metadata

import pytest

from course_lib.commands import requirements
from course_lib.errors import CourseError

STUDENTS, GROUPS = (
    ("lab", "grade", "demo"),
    ("dev", "browser", "cluster", "bench", "peers", "types", "docs"),
)
OWN = {"course_lib", "linux"}  # this one stands beside the file that imports it, in a sandbox
STANDARD = {*sys.stdlib_module_names, *OWN}


def locks(root):
    """The text of every lock by its name."""
    return {path.name: path.read_text(encoding="utf-8") for path in root.glob("requirements*.txt")
            if path.name != requirements.COLAB}  # fmt: skip


def test_locks_hold_every_requirement(root):
    """Catches a pyproject.toml that was changed without making the locks again."""
    students = requirements.pins(requirements.lock_text(root))
    for name, least in requirements.bounds(root, STUDENTS).items():
        assert all(requirements.at_least(version, least) for version in students[name]), name
    for group in GROUPS:
        added = requirements.pins(requirements.lock_text(root, f"requirements-{group}.txt"))
        for name, least in requirements.bounds(root, (group,)).items():
            assert all(requirements.at_least(v, least) for v in {**added, **students}[name]), name


def test_everything_that_is_imported_is_asked_for(root):
    """Catches a package that happens to come with another one, until that one drops it."""
    provided = metadata.packages_distributions()
    asked = {canonical(name) for name in requirements.bounds(root, (*STUDENTS, *GROUPS))}
    for path in (root / "course_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for module in {name.partition(".")[0] for name in names} - STANDARD:
                packages = {canonical(name) for name in provided.get(module, [module])}
                assert packages & asked, f"{path.name} imports {module}"


def canonical(name):
    """The form in which names of packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_students_need_no_tools_of_developers(root):
    """Catches ruff, pytest and nbval in the environment of everybody who opens a notebook."""
    names = requirements.pins(requirements.lock_text(root))
    assert not names.keys() & {"ruff", "pytest", "nbval", "uv", "hatchling", "playwright"}
    assert requirements.lock_names(root, ("lab",)) == ["requirements.txt"]


def test_locks_hold_hashes_and_nothing_about_where_they_were_made(root):
    """Catches an index or a path in a lock, and a file that pip would take without its hash."""
    line = r"[a-z0-9-]+==[\w.]+( ; [\w\s.<>=!'()*]+?)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n)+"
    for name, text in locks(root).items():
        assert re.fullmatch(rf"# .*\n({line})+", text), name


def test_no_two_locks_disagree(root):
    """Catches a group whose lock asks for another version than the one that it is added to."""
    seen = {}
    for text in locks(root).values():
        for package, versions in requirements.pins(text).items():
            assert seen.setdefault(package, versions) == versions, package


def test_conda_and_colab_say_what_pyproject_says(root):
    """Catches environment.yml edited by hand, or not made again."""
    for name, text in requirements.rendered(root).items():
        assert (root / name).read_text(encoding="utf-8") == text, name


def test_colab_keeps_its_own_torch(root):
    """Catches an installation on Colab that replaces what its runtime is made of."""
    text = (root / requirements.COLAB).read_text(encoding="utf-8")
    names = [line for line in text.splitlines() if not line.startswith("#")]
    assert names and not [n for n in names if re.match("torch|numpy|ipywidgets|ipython", n)]
    assert all("==" not in name for name in names)


def test_bounds_let_colab_in(root):
    """Catches a bound above what Colab has: pip would replace it there."""
    colab = requirements.pins((root / requirements.COLAB_VERSIONS).read_text(encoding="utf-8"))
    for name, least in requirements.bounds(root).items():
        for version in colab.get(name, []):
            assert requirements.at_least(version, least), name


def test_one_requirement_in_two_places_takes_the_higher_bound(tmp_path):
    """Catches JupyterLab with the ipywidgets that Colab makes do with."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "own"\ndependencies = ["a>=1", "b"]\n'
        '[project.optional-dependencies]\nlab = ["a>=2", "own[x]"]\n'
        '[dependency-groups]\ndev = ["own[lab]", "a>=1.5", "c>=3"]\n'
    )
    assert requirements.bounds(tmp_path, ("lab", "dev")) == {"a": "2", "b": "0", "c": "3"}
    assert requirements.bounds(tmp_path) == {"a": "1", "b": "0"}
    assert requirements.groups(tmp_path, ("lab", "dev")) == ["dev"]


def test_a_requirement_written_otherwise_is_refused(tmp_path):
    """Catches a line that the launcher would silently not check."""
    text = '[project]\nname = "own"\ndependencies = ["a~=1.0"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(CourseError, match=r"a~=1\.0"):
        requirements.bounds(tmp_path)


def test_torch_is_split_off_with_its_cuda(root):
    """Catches 3 GB of CUDA for a computer that has PyTorch's wheels for CPUs."""
    text = requirements.lock_text(root)
    torch, rest = requirements.split_off_torch(text)
    assert [pin.partition("==")[0] for pin in torch] == ["torch", "torchvision"]
    left = requirements.pins(rest)
    assert not [name for name in left if re.match("torch|nvidia|cuda|triton", name)]
    taken = requirements.pins(text).keys() - left.keys()
    assert taken and all(re.match("torch|nvidia|cuda|triton", name) for name in taken)


@pytest.mark.install
def test_locks_are_what_uv_makes_of_pyproject(root, tmp_path):
    """Catches a lock edited by hand. Needs a network."""
    for path in [root / "pyproject.toml", *root.glob("requirements*.txt"), root / "README.md"]:
        shutil.copy(path, tmp_path)
    (tmp_path / "course_lib").mkdir()
    shutil.copy(root / "course_lib/__init__.py", tmp_path / "course_lib")
    shutil.copy(root / "LICENSE", tmp_path)
    assert requirements.make_locks(tmp_path) == []


@pytest.mark.parametrize(
    ("version", "least", "enough"),
    [
        ("2.14.1+cpu", "2.11", True),
        ("2.9.0", "2.11", False),
        ("8", "8.0", True),
        ("8.1.9", "8.1", True),
        ("2.11", "2.11", True),
        (None, "0", False),
    ],
)
def test_versions_compare_as_numbers(version, least, enough):
    """Catches "2.9" taken for newer than "2.11"."""
    assert requirements.at_least(version, least) == enough


def test_pre_commit_formats_with_the_locked_ruff(root):
    """Catches a hook that lays out code in another way than CI wants it."""
    text = (root / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    locked = requirements.pins(requirements.lock_text(root, "requirements-dev.txt"))["ruff"]
    assert re.findall(r"rev: v([\d.]+)", text) == locked
