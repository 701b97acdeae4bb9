"""What an instructor hands out: the course without readable solutions, all checks working."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import nbformat

from course_lib.authoring.address import Address, badge, class_address, course_address
from course_lib.authoring.builder import rendered
from course_lib.errors import CourseError
from course_lib.packing import pack, pack_module, refuse_taken

TEMPLATE = Path(__file__).with_suffix(".md")
FILES = ("LICENSE", "pyproject.toml", "requirements.txt", "requirements-colab.txt",
         "environment.yml", ".gitattributes", ".gitignore")  # fmt: skip
FOLDERS = ("course_lib", "data", ".devcontainer", ".vscode")
# Paths in the course that stay with the instructor.
TOOLS = {f"course_lib/{name}" for name in ("authoring", "benchmarks", "grading", "recipes")}
TOOLS |= {
    f"course_lib/commands/{name}.py"
    for name in ("bench", "build", "grade", "site", "test", "train")
}
LEFT_OUT = TOOLS | {"data/README.md"}  # this one is about training
NOISE = shutil.ignore_patterns("__pycache__", "*.py[cod]", ".*checkpoints", "*.part", ".DS_Store")
# What shows an answer: the exercises' cases and mistakes, and functions of the library.
ANSWERS = ("exercises/*/*.py", "exercises/*/*.toml", "distributions.py", "losses.py",
           "metrics/[!_]*.py", "models/con*.py")  # fmt: skip
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([\w./%-]+)(?:#[^)\s]*)?\)")


def write_class_copy(root: Path, out: Path) -> list[Path]:
    """Write the folder `out` and `out`.zip, whole or not at all; returns both.

    Links and the set-up cell lead to `class_repository` of [tool.course], or nowhere.
    Raises CourseError.
    """
    archive = refuse_taken(root, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".class-copy-", dir=out.parent) as scratch:
            made = Path(scratch) / "made" / out.name
            _write(root, made)
            packed = shutil.make_archive(f"{scratch}/zip", "zip", made.parent, out.name)
            if out.is_dir():
                out.rmdir()  # it is empty
            made.rename(out)
            Path(packed).rename(archive)
    except OSError as error:
        raise CourseError(f"{out} cannot be written: {error.strerror or error}") from error
    return [out, archive]


def _write(root: Path, made: Path) -> None:
    from course_lib.exercises import EXERCISES  # imports torch, seconds

    address = class_address(root)
    notebooks = {
        name: text
        for name, text in rendered(root, EXERCISES, address=address).items()
        if name.startswith("notebooks/")
    }
    _copy(root, made)
    _pack(root, made)
    _write_pyproject(root, made / "pyproject.toml", address)
    (made / "notebooks").mkdir()
    for name, text in notebooks.items():
        (made / name).write_text(text, encoding="utf-8", newline="\n")
    for name in notebooks:
        _cut_links(root, made, name)
    rows = "\n".join(_row(name, text, address) for name, text in notebooks.items())
    readme = TEMPLATE.read_text(encoding="utf-8").replace("{notebooks}", rows)
    (made / "README.md").write_text(readme, encoding="utf-8", newline="\n")


def _copy(root: Path, made: Path) -> None:
    def ignored(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(root)
        left_out = {name for name in names if (inside / name).as_posix() in LEFT_OUT}
        return left_out | NOISE(folder, names)

    made.mkdir(parents=True)
    for folder in FOLDERS:
        if (root / folder).is_dir():
            shutil.copytree(root / folder, made / folder, ignore=ignored)
    for pattern in FILES:
        for path in root.glob(pattern):
            shutil.copy2(path, made)


def _pack(root: Path, made: Path) -> None:
    """Pack what shows an answer, where it stands; the solutions' sources into the exercises."""
    course = made / "course_lib"
    answers = course / "exercises" / "answers"
    answers.mkdir()
    for source in (root / "solutions").glob("[0-9]*.py"):
        (answers / source.name).write_text(pack(source.read_text("utf-8")), encoding="utf-8")
    for pattern in ANSWERS:
        for path in course.glob(pattern):
            if path.parent != answers and path.name != "__init__.py":
                packed = pack if path.suffix == ".toml" else pack_module
                path.write_text(packed(path.read_text("utf-8")), encoding="utf-8")


def _write_pyproject(root: Path, pyproject: Path, address: Address) -> None:
    """Without lines that name the repository with the solutions, or put these into wheels."""
    public = course_address(root).repository
    lines = []
    for line in pyproject.read_text("utf-8").splitlines():
        if re.fullmatch(rf'repository *= *"{re.escape(public)}".*', line):
            lines.append(f'repository = "{address.repository}"')
        elif public not in line and not line.startswith(("class_repository", '"solutions" =')):
            lines.append(line)
    pyproject.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _cut_links(root: Path, made: Path, name: str) -> None:
    """Of a link to a file that stays with the instructor only the words remain."""
    folder = Path(name).parent

    def words(link: re.Match) -> str:
        gone = (root / folder / link[2]).exists() and not (made / folder / link[2]).exists()
        return link[1] if gone else link[0]

    notebook = nbformat.read(made / name, as_version=nbformat.NO_CONVERT)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(words, cell.source)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    (made / name).write_text(text, encoding="utf-8", newline="\n")


def _row(name: str, text: str, address: Address) -> str:
    title = nbformat.reads(text, as_version=nbformat.NO_CONVERT).cells[0].source
    title = title.splitlines()[0].removeprefix("# ")
    return f"| [{title}]({name}) {badge(address, name)} |"
