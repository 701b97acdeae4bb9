"""How sources, prose and files read: the rules of the course that a machine can hold."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

from course_lib.authoring import badge_markdown, course_address, read_source
from course_lib.authoring.markers import student_source

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))
MODULES = sorted((ROOT / "course_lib").rglob("*.py"))
PAGES = sorted(ROOT.glob("*.md"))

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
each_module = pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def code_lines(cell):
    """Lines with code in them: neither blank, comment, nor marker; docstrings count."""
    return [t for t in map(str.strip, cell.source.split("\n")) if t and not t.startswith("#")]


def read_lines(cell):
    """Lines that a reader sees, without the solution markers."""
    return [line for line in cell.source.split("\n") if not line.strip().startswith("### ")]


def opening(cells):
    """The prose before the first code cell."""
    first = next(i for i, cell in enumerate(cells) if cell.kind == "code")
    return "\n".join(cell.source for cell in cells[:first])


# --- notebooks --------------------------------------------------------------------------------


@each_source
def test_opening_says_what_it_takes(source):
    """Catches an opening without 3 to 5 objectives, minutes, difficulty or what comes before."""
    text = opening(read_source(source))
    assert re.search(r"^# \S", text, re.MULTILINE), "no title"
    goals = re.search(r"(?:able to|you can)\b.*?\n+((?:[-*\d].*\n(?:  .*\n)*)+)", text + "\n", re.I)
    assert goals, 'no list after "you can" or "you will be able to"'
    assert 3 <= len(re.findall(r"^[-*\d]", goals[1], re.MULTILINE)) <= 5
    for word in (r"\d+ minutes", r"difficulty", r"\bneed\b"):
        assert re.search(word, text, re.IGNORECASE), f"the opening does not say: {word}"


@each_source
def test_cells_are_short(source):
    """Catches a cell of more than 20 lines, or a notebook whose median is over 8.

    An exercise is read as the student gets it; with its solution it may have 30 lines.
    """
    code = [c for c in read_source(source) if c.kind == "code" and not c.options.get("setup")]
    for cell in code:
        length = len(read_lines(cell))
        given = student_source(cell).count("\n") + 1
        assert given <= 20, f"{cell.path}:{cell.line}: {given} lines"
        assert length <= (30 if cell.exercise else 20), f"{cell.path}:{cell.line}: {length} lines"
    assert statistics.median(len(code_lines(cell)) for cell in code) <= 8


@each_source
def test_each_exercise_has_hints_and_a_measure(source):
    """Catches an exercise without 2 or 3 unfolding hints, or without what it will cost.

    Both stand in the prose between the check before and the exercise's own check.
    """
    prose = ""
    for cell in read_source(source):
        if cell.kind == "markdown":
            prose += cell.source + "\n"
        if not cell.check:
            continue
        hints = len(re.findall(r"<details>\s*<summary>Hint \d</summary>", prose))
        assert 2 <= hints <= 3, f"{cell.path}:{cell.line}: {cell.check} has {hints} hints"
        unfolding = len(re.findall(r"<details>\s*<summary>", prose))  # hints, and answers
        assert unfolding == prose.count("</details>"), f"{cell.path}:{cell.line}: open <details>"
        measure = r"^.*difficulty.*importance.*\d+ minutes.*$"
        found = re.findall(measure, prose, re.MULTILINE | re.IGNORECASE)
        assert len(found) == 1, f"{cell.path}:{cell.line}: {cell.check} needs one line {measure}"
        prose = ""


@each_source
def test_figures_are_numbered_in_order(source):
    """Catches a figure number used twice, skipped, or mentioned before it exists."""
    prose = "\n".join(c.source for c in read_source(source) if c.kind == "markdown")
    captions = [int(n) for n in re.findall(r"^\*\*Figure (\d+)\.\*\* \S", prose, re.MULTILINE)]
    assert captions and captions == list(range(1, len(captions) + 1))
    mentioned = {int(n) for n in re.findall(r"Figure (\d+)", prose)}
    assert mentioned <= set(captions)


@each_source
def test_plots_stand_beside_no_training(source):
    """Catches a cell that both trains and draws."""
    for cell in read_source(source):
        if cell.kind == "code" and "plt.show" in cell.source:
            trains = re.search(r"\.backward\(|\btrain\w*\(|\bfit\(", cell.source)
            assert not trains, f"{cell.path}:{cell.line}: {trains[0]}"


@each_source
def test_prose_is_plain(source):
    """Catches hype, and paragraphs nobody reads."""
    for cell in read_source(source):
        if cell.kind != "markdown":
            continue
        hype = re.search(r"\b(amazing|powerful|simply|obviously|magic(al)?)\b", cell.source, re.I)
        assert not hype, f"{cell.path}:{cell.line}: {hype}"
        for paragraph in re.split(r"\n\s*\n|\n(?=- )", cell.source):
            assert len(paragraph.split()) <= 120, f"{cell.path}:{cell.line}: {paragraph[:60]}"


# --- links and files --------------------------------------------------------------------------


def links(text):
    """Targets of markdown links and pictures, code left out."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


def tracked():
    """Text files that git holds; without git, nothing to judge."""
    try:
        git = ["git", "ls-files", "-z"]
        names = subprocess.run(git, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in path.read_bytes()[:8000]:
            yield name, path.read_text(encoding="utf-8")


def test_local_links_lead_somewhere():
    """Catches a link in README, CONTRIBUTING or a notebook to a file that is not there."""
    pages = [(page.parent, page.name, page.read_text(encoding="utf-8")) for page in PAGES]
    for source in SOURCES:
        for cell in read_source(source):
            if cell.kind == "markdown":  # both copies lie one folder deep
                pages.append((source.parent, f"{source.name}:{cell.line}", cell.source))
    for folder, name, text in pages:
        for link in links(text):
            if not re.match(r"[a-z]+:|#", link):
                assert (folder / link.split("#")[0]).exists(), f"{name} links to {link}"


def test_readme_badges_come_from_the_one_place():
    """Catches a badge in README that opens another repository, tag or notebook."""
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README yet")
    text = readme.read_text(encoding="utf-8")
    for source in SOURCES:
        assert badge_markdown(ROOT, f"notebooks/{source.stem}.ipynb") in text
    assert text.count("colab-badge.svg") == len(SOURCES)
    assert f"git clone {course_address(ROOT).url}\n" in text


def test_address_stands_once():
    """Catches a second hand-written copy of the hosting address."""
    address = course_address(ROOT).repository
    generated = ("notebooks/", "solutions/", "README.md")
    found = [n for n, text in tracked() if address in text and not n.startswith(generated)]
    assert found == ["CITATION.cff", "pyproject.toml"]


def test_no_trace_of_one_machine():
    """Catches paths and package mirrors of the machine that a file was written on."""
    folders = ["work", "root", "home", "Users"]
    paths = "|".join(rf"(?<![\w.~<]){re.escape('/' + name + '/')}\w" for name in folders)
    mirrors = r"(?:index-url|index_url)[ =]+\S*://(?!download\.pytorch\.org)"
    for name, text in tracked():
        for number, line in enumerate(text.splitlines(), start=1):
            assert not re.search(f"{paths}|{mirrors}", line), (
                f"{name}:{number}: {line.strip()[:80]}"
            )


def test_text_files_are_plain():
    """Catches \\r\\n and tabs, which differ between machines."""
    for name, text in tracked():
        assert "\r" not in text, name
        assert "\t" not in text, name


# --- code -------------------------------------------------------------------------------------


PROTOCOL = {"forward", "encode", "decode", "cases", "observe", "add_arguments", "run", "error"}
PROTOCOL |= {"backward", "jvp", "setup_context", "vmap"}  # of torch.autograd.Function


def public(nodes):
    """Functions and classes of this body without a leading underscore, and their methods."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from public(node.body) if isinstance(node, ast.ClassDef) else ()


def explains_itself(node):
    """A property of one line, or a name whose meaning a protocol fixes in one place."""
    return node.name in PROTOCOL or (bool(node.decorator_list) and len(node.body) == 1)


def length(function):
    """Lines of a function's body: signature, docstring and inner functions are not counted."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    inner = [n for node in body for n in ast.walk(node) if isinstance(n, ast.FunctionDef)]
    span = body[-1].end_lineno - body[0].lineno + 1 if body else 0
    return span - sum(node.end_lineno - node.lineno + 1 for node in inner)


@each_module
def test_public_names_have_docstrings(module):
    """Catches a module, class or function that says nothing about itself."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    for node in [] if module.name.startswith("_") else public(tree.body):
        said = ast.get_docstring(node) or explains_itself(node)
        assert said, f"line {node.lineno}: {node.name}"


@each_module
def test_functions_are_short(module):
    """Catches a function over 30 lines: the measure is 25. A file is as long as its one subject."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert length(node) <= 30, f"line {node.lineno}: {node.name} has {length(node)} lines"


@each_module
def test_no_plot_shows_itself(module):
    """Catches plt.show() in the library: the caller decides when a figure is done."""
    assert "plt.show(" not in module.read_text(encoding="utf-8")


@each_module
def test_long_signatures_are_keyword_only(module):
    """Catches a public function with more than four arguments that are told apart by place."""
    for node in public(ast.parse(module.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.FunctionDef):
            placed = [a for a in node.args.posonlyargs + node.args.args if a.arg != "self"]
            assert len(placed) <= 4, f"line {node.lineno}: {node.name}"


TESTS = sorted((ROOT / "tests").glob("test_*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_each_test_says_what_it_catches(path):
    """Catches a test whose reader has to guess what it is for."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"line {node.lineno}: {node.name}"
