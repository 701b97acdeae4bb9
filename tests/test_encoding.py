"""Text in files, pipes and consoles, where the system's own encoding has few letters."""

import ast
import os

import pytest

from course_lib.commands import cli

SMALL = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
STARTERS = ("run", "Popen", "check_output", "check_call", "call")


def encodings_left_out(source):
    """(line, what) of each text file or pipe that would take whatever encoding the system has."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = name or getattr(node.func, "id", "")
        options = {word.arg: word.value for word in node.keywords}
        parts = [part for one in node.args for part in ast.walk(one)]
        literal = [part.value for part in parts if isinstance(part, ast.Constant)]
        modes = {one for one in literal if isinstance(one, str) and set(one) <= set("rwax+bt")}
        modes |= {getattr(options.get("mode"), "value", "")} - {""}
        binary = any("b" in mode for mode in modes)
        is_builtin = isinstance(node.func, ast.Name)
        text = (
            (name in STARTERS and {"text", "universal_newlines"} & set(options))
            or (name == "open" and (is_builtin or modes) and not binary)
            or (name in ("fdopen", "TemporaryFile", "NamedTemporaryFile") and modes and not binary)
            or (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) < 2)
        )
        if text and "encoding" not in options:
            yield node.lineno, name


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("subprocess.run(c, text=True)", ["run"]),
        ("subprocess.check_output(c, universal_newlines=True)", ["check_output"]),
        ("subprocess.run(c, text=True, encoding='utf-8')", []),
        ("subprocess.run(c, capture_output=True)", []),
        ("open(p)", ["open"]),
        ("open(p, 'w')", ["open"]),
        ("open(p, mode='a')", ["open"]),
        ("open(p, 'rb')", []),
        ("open(p, 'ab' if start else 'wb')", []),
        ("open(p, 'w', encoding='ascii')", []),
        ("p.open('r')", ["open"]),
        ("Image.open(file)", []),
        ("os.fdopen(1, 'w')", ["fdopen"]),
        ("p.read_text()", ["read_text"]),
        ("p.read_text('utf-8')", []),
        ("p.write_text(t)", ["write_text"]),
        ("p.write_text(t, encoding='utf-8')", []),
    ],
)
def test_what_counts_as_left_out(source, found):
    """Catches a search that finds nothing, or what needs no encoding."""
    assert [name for _, name in encodings_left_out(source)] == found


def test_every_text_names_its_encoding(root):
    """Catches a file that Windows reads as cp1252, and a child's output that it cannot decode."""
    files = [*root.glob("course_lib/**/*.py"), *root.glob("solutions/*.py")]
    left_out = [
        f"{file.relative_to(root)}:{line}: {name} without encoding"
        for file in files
        for line, name in encodings_left_out(file.read_text(encoding="utf-8"))
    ]
    assert len(files) > 100 and not left_out, "\n".join(left_out)


def test_no_default_encoding_is_used(course, tmp_path):
    """Catches what the search in the sources does not see, such as a name for `open`."""
    for arguments in (
        ["build", "--check"],
        ["data", "list"],
        ["demo", "--export", tmp_path / "x.html"],
    ):
        done = course(*arguments, PYTHONWARNDEFAULTENCODING="1")
        warned = [line for line in done.stderr.splitlines() if "EncodingWarning" in line]
        assert done.returncode == 0 and not [line for line in warned if "course_lib" in line]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_without_the_letters_of_a_path(course, tmp_path, encoding):
    """Catches UnicodeEncodeError from the home of Łukasz or Ελένη: question marks do instead."""
    home = tmp_path / "Łukasz Ελένη"
    home.mkdir()
    small = {**SMALL, "PYTHONIOENCODING": encoding, "HOME": str(home), "USERPROFILE": str(home)}
    for arguments, code, words in (
        (["demo", "--export", "~/Ł.html"], 0, "wrote "),
        (["demo", "--export", "~/no/Ł.html"], 2, "is not the path of a file"),
        (["train", "Łx"], 2, "no recipe and no checkpoint '?x'"),
        (["lab", "Ελένη"], 2, "there is no notebook '?????'"),
        (["grade", home / "nothing", "--out", home / "out"], 2, "there is no folder or file"),
        (["data", "list"], 0, "faces"),
    ):
        done = course(*arguments, **small)
        said = done.stdout + done.stderr
        assert done.returncode == code and words in said and "Traceback" not in said, said
    assert (home / "Ł.html").stat().st_size > 1e6


@pytest.mark.skipif(os.name == "nt", reason="Windows' file names have all letters everywhere")
def test_a_locale_without_letters_for_file_names_is_left(monkeypatch):
    """Catches a folder of a student called Ł that cannot be made under LC_ALL=C."""
    started = []
    monkeypatch.setattr(cli.sys, "getfilesystemencoding", lambda: "ascii")
    monkeypatch.setattr(cli, "hand_over", started.append)
    monkeypatch.setenv("PYTHONUTF8", "0")  # also restores it
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert cli.main(["--version"]) == 0
    assert started[0][1:] == ["-X", "utf8", "-m", "course_lib", "--version"]
    assert os.environ["PYTHONUTF8"] == "1" and os.environ["PYTHONIOENCODING"].endswith(":replace")
