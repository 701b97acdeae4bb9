"""Intake: every student appears once, whatever lies in the folder or the ZIP."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import unicodedata
import warnings
import zipfile
from pathlib import PurePosixPath

import pytest
from grade_tools import OTHER, STEM, folder_of, notebook, zip_of

from course_lib.authoring.builder import rendered
from course_lib.errors import CourseError
from course_lib.exercises import EXERCISES
from course_lib.grading import assignment, intake
from course_lib.grading.intake import entries, names

LIMIT = 2**20


@pytest.fixture
def collect(tmp_path):
    """Takes submissions in; gives them by id, and the whole intake as `collect.last`."""
    stage = tmp_path / "stage"
    stage.mkdir()

    def run(source, notebook=None):
        wanted = assignment.find(notebook) if notebook else None
        run.last = intake.collect(source, wanted=wanted, limit=LIMIT)
        staged = [intake.staged(one, stage, limit=LIMIT) for one in run.last.submissions]
        found = {one.student: one for one in staged}
        assert len(found) == len(run.last.submissions), "an id twice"
        folders = {one.folder.casefold() for one in found.values()}
        assert len(folders) == len(found), "two students share a folder"
        return found

    run.stage = stage
    return run


def member(name, *, mode=0, flags=0):
    """A ZIP member with a mode, or with flags that its author set."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.flag_bits = flags
    return info


# --- folders and plain ZIPs -------------------------------------------------------------------

CLASS = {
    "alice.ipynb": notebook(text="a"),
    "Bob.IPYNB": notebook(text="b"),
    "carla/03 my work.ipynb": notebook(text="c"),
    "carla/data/notes.txt": b"hello",
    "dmitri/deep/er/x.ipynb": notebook(text="d"),
    "empty/.keep": b"",
    "pdf/report.pdf": b"%PDF",
    ".hidden.ipynb": notebook(),
    ".ipynb_checkpoints/alice-checkpoint.ipynb": notebook(),
    "carla/.ipynb_checkpoints/03 my work-checkpoint.ipynb": notebook(text="old"),
    "__MACOSX/._alice.ipynb": b"junk",
    "README.txt": b"read me",
}
STUDENTS = ["alice", "Bob", "carla", "dmitri", "empty", "pdf"]


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a top folder", "zip in folders"])
def test_one_submission_per_student(collect, tmp_path, kind):
    """Catches a lost student, a hidden file taken for one, and a top folder taken for one."""
    if kind == "folder":
        source = folder_of(tmp_path / "class", CLASS)
    else:
        top = {"zip": "", "zip with a top folder": "hw/", "zip in folders": "a/b/"}[kind]
        source = zip_of(tmp_path / "class.zip", CLASS, top=top)
    found = collect(source)
    assert list(found) == STUDENTS
    for student, text in (("alice", "a"), ("Bob", "b"), ("carla", "c"), ("dmitri", "d")):
        assert found[student].path.read_bytes() == notebook(text=text)
        assert found[student].status == "" and found[student].flags == ()
    assert found["carla"].file.endswith("03 my work.ipynb")
    for student, words in (("empty", "the folder is empty"), ("pdf", "report.pdf")):
        assert found[student].status == "no_notebook" and words in found[student].reason
        assert found[student].path is None
    assert [name.split("/")[-1] for name in collect.last.ignored] == ["README.txt"]


def test_a_student_in_a_zip_alone_keeps_the_folder(collect, tmp_path):
    """Catches a student named after the course's file, or after the ZIP's own folder."""
    course_file = {f"alice/{STEM}.ipynb": notebook()}
    assert list(collect(zip_of(tmp_path / "x.zip", course_file))) == ["alice"]
    assert list(collect(zip_of(tmp_path / "y.zip", course_file, top="y/"))) == ["alice"]
    assert list(collect(zip_of(tmp_path / "z.zip", {"z/bob.ipynb": notebook()}))) == ["bob"]
    assert list(collect(zip_of(tmp_path / "v.zip", {"bob/homework.ipynb": notebook()}))) == ["bob"]


def test_the_right_one_of_several_notebooks(collect, tmp_path):
    """Catches the copied solution, another notebook or an old copy graded in place of the work."""
    members = {
        f"a/notebooks/{STEM}.ipynb": notebook(text="own"),
        f"a/notebooks/{OTHER}.ipynb": notebook(OTHER),
        f"a/solutions/{STEM}.ipynb": notebook(text="solution"),
        f"b/{OTHER}.ipynb": notebook(OTHER),
        "b/anything.ipynb": notebook(text="own"),
        f"c/{STEM}.ipynb": notebook(text="own"),
        f"c/{STEM}-Copy1.ipynb": notebook(text="copy"),
        f"d/{STEM}.ipynb": notebook(text="own"),
        f"d/backup/{STEM}.ipynb": notebook(text="own"),
    }
    found = collect(folder_of(tmp_path / "class", members), notebook="1")
    assert {one.path.read_bytes() for one in found.values()} == {notebook(text="own")}
    flags = {student: one.flags for student, one in found.items()}
    assert flags == {"a": (), "b": (), "c": ("several_notebooks",), "d": ()}


def test_the_class_says_which_notebook(collect, tmp_path):
    """Catches a class graded as the notebook that one student handed in by mistake."""
    members = {f"{name}.ipynb": notebook(OTHER, text=name) for name in "abc"}
    source = folder_of(tmp_path / "class", {**members, "d.ipynb": notebook()})
    found = collect(source)
    assert collect.last.assignment.stem == OTHER
    assert found["d"].path is not None  # the engine says what is wrong with it


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.ipynb": notebook(), "b.ipynb": notebook(OTHER)}, r"01 \(1\), 03 \(1\)"),
        ({f"a/{s}.ipynb": notebook(s) for s in (STEM, OTHER)}, r"01 \(1\), 03 \(1\)"),
        ({"a.ipynb": b"{}"}, "none of the files is a notebook of the course"),
        ({"readme.md": b"hello"}, "no submissions in"),
        ({}, "no submissions in"),
    ],
)
def test_what_cannot_be_known_is_asked_for(collect, tmp_path, members, words):
    """Catches a guess where the instructor has to decide, and a silent empty class."""
    (tmp_path / "class").mkdir()
    with pytest.raises(CourseError, match=words):
        collect(folder_of(tmp_path / "class", members))


BROKEN = {
    "cut.ipynb": (b'{"cells": [{"cell_', "unreadable", "is not JSON"),
    "page.ipynb": (b"<html>an error page", "unreadable", "is not JSON"),
    "list.ipynb": (b'[{"cells": []}, 1]', "unreadable", "no notebook: it has no list of cells"),
    "odd.ipynb": (b'{"cells": "code"} ', "unreadable", "no notebook: it has no list of cells"),
    "bytes.ipynb": (b"\xff" * 18, "unreadable", "is not JSON"),
    "deep.ipynb": (b"[" * 50_000, "unreadable", "is not JSON"),
    "blank.ipynb": (b" " * 18, "empty", "the file is empty"),
}


def test_a_broken_file_is_told_at_once(collect, tmp_path, within):
    """Catches seconds of a sandbox for 18 bytes, and a broken copy graded beside the good one."""
    members = {name: data for name, (data, _, _) in BROKEN.items()}
    members |= {"a.ipynb": notebook(), f"b/{STEM}.ipynb": b'{"cells": [{"cell_'}
    members["b/saved again.ipynb"] = notebook(text="b")
    members["old.ipynb"] = b'{"worksheets": [], "nbformat": 3}'
    source = folder_of(tmp_path / "class", members)
    found = within(1, lambda: collect(source))
    for name, (_, status, words) in BROKEN.items():
        one = found[name.removesuffix(".ipynb")]
        assert one.status == status and words in one.reason and one.path is None
        assert "\n" not in one.reason
    assert found["b"].path.read_bytes() == notebook(text="b")
    assert found["a"].status == found["old"].status == ""


# --- names ------------------------------------------------------------------------------------


def test_duplicates_are_kept_and_flagged(collect, tmp_path):
    """Catches a student overwritten by another one of the same name."""
    members = {"alice.ipynb": notebook(text="1"), f"alice/{STEM}.ipynb": notebook(text="2")}
    members |= {"alice (2).ipynb": notebook(text="3"), "bob/alice.ipynb": notebook(text="4")}
    found = collect(folder_of(tmp_path / "class", members))
    assert {s: one.path.read_bytes() for s, one in found.items()} == {
        "alice": notebook(text="1"),
        "alice (2)": notebook(text="3"),
        "alice (3)": notebook(text="2"),
        "bob": notebook(text="4"),
    }
    flagged = {student for student, one in found.items() if "duplicate_id" in one.flags}
    assert flagged == {"alice", "alice (3)"}
    assert found["bob"].flags == ("named_like_another",)


def test_names_that_a_file_system_takes_for_one(collect, tmp_path):
    """Catches Alice's results in alice's folder on a Mac, or é in two spellings merged."""
    accented = [unicodedata.normalize(form, "josé") for form in ("NFC", "NFD")]
    pairs = [(f"{name}.ipynb", notebook(text=str(i))) for i, name in enumerate(accented)]
    pairs += [("alice.ipynb", notebook()), ("Alice.ipynb", notebook()), ("x.ipynb", notebook())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, about the next one
        found = collect(zip_of(tmp_path / "class.zip", [*pairs, ("x.ipynb", notebook(text="y"))]))
    assert set(found) == {"alice", "Alice", "josé", "josé (2)", "x", "x (2)"}
    assert all(one.flags == ("duplicate_id",) for one in found.values())
    assert len({one.path.read_bytes() for one in found.values() if "josé" in one.student}) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name themselves")
def test_names_in_no_encoding_at_all(collect, tmp_path):
    """Catches a name that cannot be written into the table later."""
    root = folder_of(tmp_path / "class", {"a.ipynb": notebook()})
    (tmp_path / "class" / os.fsdecode(b"m\xfcller.ipynb")).write_bytes(notebook())
    found = collect(root)
    assert set(found) == {"a", "m\ufffdller"}
    "".join(found).encode("utf-8")


def test_names_in_utf8_that_do_not_say_so(collect, tmp_path):
    """Catches mojibake from ZIPs that older programs write."""
    path = zip_of(tmp_path / "class.zip", {"m__ller.ipynb": notebook(), "b.ipynb": notebook()})
    path.write_bytes(path.read_bytes().replace(b"m__ller", "müller".encode()))
    assert set(collect(path)) == {"müller", "b"}


ODD = ["x" * 300, "ü" * 90, "a/b\\c", "CON", "nul.txt", "..", " dot. ", "a\tb\nc", "évariste"]
ODD += ["=cmd|' /C calc'!A0", "J. Doe", "名前", "a\u202etxt", "doejohn_12_", "-rf"]


@pytest.mark.parametrize("student", ODD)
def test_folders_are_safe_and_of_one_student_each(student):
    """Catches a name that leaves the folder, that Windows refuses, or that two students share."""
    name = names.folder_name(names.readable(student))
    assert len(name.encode()) < 100 and name == name.strip(". ")
    assert not set('<>:"/\\|?*\n\t\u202e') & set(name)
    assert not names.RESERVED.fullmatch(name)
    assert names.folder_name(names.readable(student)) == name
    assert names.folder_name(names.readable(student + "x")) != name


def test_plain_ids_keep_their_name():
    """Catches digests in folder names where nobody needs them."""
    for student in ("alice", "s1234567", "anna.schmidt@uni-ulm.de", "a_b-c+d"):
        assert names.folder_name(student) == student


# --- files beside the notebooks ---------------------------------------------------------------


def test_loose_files_of_other_kinds_are_submissions(collect, tmp_path):
    """Catches a student who is not in the table because the file is a ZIP, a PDF or misnamed."""
    members = {
        "anna.ipynb": notebook(text="anna"),
        "anna.pdf": b"%PDF",  # hers, no second Anna
        "bob.zip": zipped({"my/x.ipynb": notebook(text="bob"), "my/a.png": b""}),
        "carla.PDF": b"%PDF",
        "dora.ipynb.txt": notebook(text="dora"),
        "emil.ipynb.txt": b"<html>not a notebook</html>",
        "franz.zip": b"PK cut off",
        "gül/work.ipynb.json": notebook(text="gül"),
        "ina.zip": zipped({"work.ipynb.txt": notebook(text="ina")}),
        "notes.txt": b"the instructor's",
    }
    for source in (zip_of(tmp_path / "c.zip", members), folder_of(tmp_path / "class", members)):
        found = collect(source)
        assert list(found) == ["anna", "bob", "carla", "dora", "emil", "franz", "gül", "ina"]
        assert collect.last.ignored == ["notes.txt"]
        for student in ("anna", "bob", "dora", "gül", "ina"):
            assert found[student].path.read_bytes() == notebook(text=student)
        flagged = {student for student, one in found.items() if one.flags == ("renamed",)}
        assert flagged == {"dora", "gül", "ina"}
        for student, words in (("carla", "carla.PDF"), ("emil", "emil.ipynb.txt")):
            assert found[student].status == "no_notebook" and words in found[student].reason
        assert found["anna"].flags == () and found["franz"].status == "no_notebook"


def test_a_folder_with_nothing_but_the_classes_zip(collect, tmp_path):
    """Catches a whole class graded as one student because its ZIP was put into a folder."""
    whole = zipped({f"{name}.ipynb": notebook(text=name) for name in "abc"})
    with pytest.raises(CourseError, match=r"holds only moodle\.zip: .* give it itself"):
        collect(folder_of(tmp_path / "class", {"moodle.zip": whole}))
    assert list(collect(folder_of(tmp_path / "other", {"anna/work.zip": zipped(CLASS)}))) == [
        "anna"
    ]


# --- Canvas and Moodle ------------------------------------------------------------------------

LIKE_A_PLATFORM = [
    ["WS_2024_25_Mueller", "WS_2024_25_Schmidt"],
    ["ws_2024_25_müller", "ws_2024_25_schmidt", "ws_2024_26_ólafsdóttir"],
    ["ws_2024_05_anna", "ss_2025_06_bob"],
    ["team_3_1_anna", "team_3_2_bob", "team_4_3_carla"],
    ["red_1_1_anna", "red_1_2_bob", "blue_2_1_carla"],
    ["red_1_1_anna", "blue_1_2_bob"],
    ["Red Foxes_1_1_anna", "Red Foxes_1_2_bob", "Blue Hares_2_3_carla"],
    ["group-a_1_1_anna", "group-a_1_2_bob", "group-b_2_3_carla"],
    ["anna", "bob", "x_5_assignsubmission_file_y", "carl_17_18_x"],
    [f"{x}_assignsubmission_file_hw" for x in ("x_5_assignsubmission_file_y_77", "Ann_5", "Bo_6")],
]


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("names", LIKE_A_PLATFORM)
def test_nobody_vanishes_in_names_like_a_platform_s(collect, tmp_path, names, kind):
    """Catches two students read as two uploads of one, and one graded as a neighbour."""
    members = {f"{name}.ipynb": notebook(text=name) for name in names}
    make, place = (folder_of, "class") if kind == "folder" else (zip_of, "class.zip")
    found = collect(make(tmp_path / place, members))
    assert {s: one.path.read_bytes() for s, one in found.items()} == {
        name: notebook(text=name) for name in names
    }
    assert {(one.owner.platform, one.flags) for one in found.values()} == {("", ())}


def test_a_file_by_mail_beside_a_platform_s(collect, tmp_path):
    """Catches a class that loses its numbers because one student handed in otherwise."""
    canvas = {f"{n}_{i}_{i}9_hw.ipynb": notebook(text=n) for i, n in enumerate(["anna", "bo"], 7)}
    canvas |= {"anna_7_80_more.txt": b"", "carl_LATE_9_99_hw.ipynb": notebook(text="carl")}
    moodle = {f"{n}_{i}_assignsubmission_file_/x.ipynb": notebook() for i, n in enumerate("abc", 7)}
    moodle["Default group_assignsubmission_file_/x.ipynb"] = notebook()
    for name, members, numbers in (
        ("canvas", canvas, {"anna_7": "7", "bo_8": "8", "carl_9": "9", "by mail": ""}),
        ("moodle", moodle, {"a_7": "7", "b_8": "8", "c_9": "9", "by mail": "",
                            "Default group_assignsubmission_file_": ""}),
    ):  # fmt: skip
        members |= {"by mail.ipynb": notebook(), "README.md": b"", "points.csv": b"", "a.png": b""}
        found = collect(folder_of(tmp_path / name, members))
        assert {student: one.owner.number for student, one in found.items()} == numbers


def test_what_a_student_calls_a_file_is_nobody_s_number(collect, tmp_path):
    """Catches a file graded as the neighbour whose number a student wrote into its name."""
    ending = "x_5_assignsubmission_file_y.ipynb"
    flat = {
        f"{who}_assignsubmission_file_{ending}": notebook(text=who) for who in ("Bo_7", "Ann_5")
    }
    flat["Cy_8_assignsubmission_onlinetext_onlinetext.html"] = b"<p>"
    found = collect(zip_of(tmp_path / "flat.zip", flat))
    numbers = {student: one.owner.number for student, one in found.items()}
    assert numbers == {"Bo_7": "7", "Ann_5": "5", "Cy_8": "8"}
    folders = {f"{who}_assignsubmission_file_/{ending}": notebook() for who in ("Bo_7", "Ann_5")}
    folders["x_5_assignsubmission_file_y_77_assignsubmission_file_/hw.ipynb"] = notebook()
    found = collect(zip_of(tmp_path / "folders.zip", folders))
    assert {one.owner.number for one in found.values()} == {"7", "5", "77"}
    canvas = {f"{who}_{ending}": notebook(text=who) for who in ("bo_7_70", "ann_5_71")}
    found = collect(zip_of(tmp_path / "canvas.zip", canvas))
    assert {student: one.owner.number for student, one in found.items()} == {
        "bo_7": "7",
        "ann_5": "5",
    }


def test_canvas(collect, tmp_path):
    """Catches Canvas' numbers taken for names, lateness lost, an old attempt graded."""
    members = {
        "doejohn_1001_5001_01_autoencoder_basics.ipynb": notebook(text="john"),
        "doejohn_1002_5009_01_autoencoder_basics.ipynb": notebook(text="the other john"),
        "leejin_LATE_1003_5003_homework-1.ipynb": notebook(text="jin"),
        "mü_ller_1004_5100_hw.ipynb": notebook(text="old"),
        "mü_ller_1004_5200_hw-1.ipynb": notebook(text="new"),
        "mü_ller_1004_5201_notes_2_3_x.txt": b"notes",
        "poeedgar_1005_text.html": b"<p>Here is my work</p>",
        "anon_x9Yz1_5300_hw.ipynb": notebook(text="nobody"),
        "LATE_anon_abcde_5301_hw.ipynb": notebook(text="nobody late"),
    }
    found = collect(zip_of(tmp_path / "submissions.zip", members))
    texts = {
        "doejohn_1001": "john",
        "doejohn_1002": "the other john",
        "leejin_1003": "jin",
        "mü_ller_1004": "new",
        "anon_x9Yz1": "nobody",
        "anon_abcde": "nobody late",
    }
    assert set(found) == {*texts, "poeedgar_1005"}
    for student, text in texts.items():
        assert found[student].path.read_bytes() == notebook(text=text)
    late = {student for student, one in found.items() if "late" in one.flags}
    assert late == {"leejin_1003", "anon_abcde"}
    assert "several_notebooks" in found["mü_ller_1004"].flags
    assert found["poeedgar_1005"].status == "no_notebook"
    owner = found["doejohn_1002"].owner
    assert (owner.platform, owner.number, owner.name) == ("canvas", "1002", "doejohn")


@pytest.mark.parametrize(
    "ending", ["_assignsubmission_file_/", "_assignsubmission_file/", "_assignsubmission_file_"]
)
def test_moodle(collect, tmp_path, ending):
    """Catches Moodle's long folder names in the table, and students without a file lost."""
    members = {
        f"Ana María de la O_3101{ending}{STEM}.ipynb": notebook(text="ana"),
        f"Group 2-Jin Lee_3102{ending}homework.ipynb": notebook(text="jin"),
        f"Jin Lee_3103{ending}homework.ipynb": notebook(text="the other jin"),
        "Edgar_Poe_3104_assignsubmission_onlinetext_/onlinetext.html": b"<p>text</p>",
        f"Sam_3105{ending}work.zip": zipped({"my/x.ipynb": notebook(text="sam"), "a.txt": b""}),
    }
    found = collect(zip_of(tmp_path / "VAE-01-123.zip", members))
    texts = {
        "Ana María de la O_3101": "ana",
        "Group 2-Jin Lee_3102": "jin",
        "Jin Lee_3103": "the other jin",
        "Sam_3105": "sam",
    }
    assert set(found) == {*texts, "Edgar_Poe_3104"}
    for student, text in texts.items():
        assert found[student].path.read_bytes() == notebook(text=text)
    assert found["Edgar_Poe_3104"].status == "no_notebook"
    assert found["Jin Lee_3103"].owner.number == "3103"


def zipped(members):
    """The bytes of a ZIP."""
    buffer = io.BytesIO()
    return zip_of(buffer, members).getvalue()


# --- hostile ----------------------------------------------------------------------------------


def test_a_zip_writes_nowhere_else(collect, tmp_path):
    """Catches paths that leave the folder, absolute ones, and links: none is read or followed."""
    good = {"good.ipynb": notebook(text="good")}
    bad = [
        ("../evil.ipynb", notebook()),
        ("/tmp_evil/abs.ipynb", notebook()),
        ("C:\\evil\\windows.ipynb", notebook()),
        ("eve/../../../up.ipynb", notebook()),
        (member("link.ipynb", mode=stat.S_IFLNK | 0o777), b"/etc/passwd"),
        (member("mallory/link.ipynb", mode=stat.S_IFLNK | 0o777), b"../good.ipynb"),
    ]
    before = {path for path in tmp_path.rglob("*") if path != collect.stage}
    found = collect(zip_of(tmp_path / "class.zip", [*good.items(), *bad]))
    made = set(tmp_path.rglob("*")) - before - {collect.stage, tmp_path / "class.zip"}
    assert made == {collect.stage / "good.ipynb"}
    assert len(found) == 7
    assert {one.status for s, one in found.items() if s != "good"} == {"unreadable"}
    assert "leads out of the ZIP" in found["evil"].reason
    assert "is a link" in found["link"].reason and "is a link" in found["mallory"].reason


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
def test_links_and_pipes_in_a_folder(collect, tmp_path):
    """Catches a link that hands in somebody else's work, and a pipe that waits forever."""
    root = folder_of(tmp_path / "class", {"good.ipynb": notebook(), "eve/readme.txt": b""})
    secret = folder_of(tmp_path / "secret", {"solution.ipynb": notebook()})
    (root / "eve/work.ipynb").symlink_to(root / "good.ipynb")
    (root / "link.ipynb").symlink_to(root / "good.ipynb")
    (root / "mallory").symlink_to(secret, target_is_directory=True)
    (root / "trent").mkdir()
    (root / "trent/all").symlink_to(secret, target_is_directory=True)
    os.mkfifo(root / "pipe.ipynb")
    found = collect(root)
    assert found["good"].status == ""
    assert {s: one.status for s, one in found.items() if s != "good"} == {
        "eve": "unreadable",
        "link": "unreadable",
        "pipe": "unreadable",
        "trent": "no_notebook",
    }
    assert "is no regular file" in found["pipe"].reason
    assert collect.last.ignored == ["mallory"]


def test_damaged_and_encrypted_members(collect, tmp_path):
    """Catches one damaged file that stops the class."""
    path = zip_of(tmp_path / "class.zip", {f"{n}.ipynb": notebook(text=n * 50) for n in "abc"})
    data = bytearray(path.read_bytes())
    start = data.index(b"b.ipynb") + 20
    data[start : start + 10] = b"\0" * 10
    path.write_bytes(bytes(data))
    found = collect(path)
    assert [one.status for one in found.values()] == ["", "unreadable", ""]
    assert "damaged in the ZIP" in found["b"].reason
    locked = zip_of(tmp_path / "locked.zip", {"a.ipynb": notebook(), "b.ipynb": notebook()})
    data = bytearray(locked.read_bytes())
    at = data.rindex(b"PK\x01\x02")  # the second member's place in the directory
    data[at + 8] |= 1
    locked.write_bytes(bytes(data))
    assert collect(locked)["b"].reason == "the file is encrypted"


def test_large_files_are_named_and_never_unpacked(collect, tmp_path):
    """Catches a bomb that fills the disk, and a student with a large file who is lost."""
    members = {"a.ipynb": notebook(), "bomb.ipynb": bytes(400 * LIMIT)}
    for source in (zip_of(tmp_path / "class.zip", members), folder_of(tmp_path / "class", members)):
        found = collect(source)
        assert found["a"].status == ""
        assert found["bomb"].status == "too_large" and "400 MB" in found["bomb"].reason
    assert {path.name for path in collect.stage.iterdir()} == {"a.ipynb"}


def test_a_whole_bomb_is_refused(collect, tmp_path, monkeypatch):
    """Catches thousands of files that are each small enough and together fill the disk."""
    monkeypatch.setattr(entries, "MAX_UNPACKED_BYTES", 10 * LIMIT)
    members = {f"{i}.ipynb": bytes(LIMIT) for i in range(12)}
    with pytest.raises(CourseError, match="a ZIP bomb"):
        collect(zip_of(tmp_path / "class.zip", members))
    nested = {f"x_{i}_9{i}_a.zip": zipped(members) for i in (1, 2)}
    nested |= {"y_3_93_a.ipynb": notebook(), "z_4_94_a.zip": b"PK cut off"}
    found = collect(zip_of(tmp_path / "nested.zip", nested))
    assert {s: one.status for s, one in found.items()} == {
        "x_1": "no_notebook",
        "x_2": "no_notebook",
        "y_3": "",
        "z_4": "no_notebook",
    }


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off", b"no zip at all"])
def test_a_broken_archive_is_one_line(collect, tmp_path, data):
    """Catches a traceback where the download was cut off."""
    (tmp_path / "class.zip").write_bytes(data)
    with pytest.raises(CourseError, match="no readable ZIP"):
        collect(tmp_path / "class.zip")
    with pytest.raises(CourseError, match="there is no folder or ZIP"):
        collect(tmp_path / "nowhere")


def test_a_folder_with_an_environment_in_it(collect, tmp_path, monkeypatch):
    """Catches minutes spent in a student's own .venv or a hundred thousand other files."""
    monkeypatch.setattr(entries, "MAX_FOLDER_FILES", 50)
    members = {f"a/{STEM}.ipynb": notebook(), f"a/.venv/{STEM}.ipynb": notebook(text="no")}
    members |= {f"a/z/{i}.ipynb": b"{}" for i in range(80)}
    members |= {f"a/lib/site-packages/{i}.ipynb": b"{}" for i in range(9)}
    root = folder_of(tmp_path / "class", members)
    assert len(entries.read_entries(root, limit=LIMIT)) <= 50
    assert collect(root)["a"].path.read_bytes() == notebook()


# --- which notebook ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["3", "03", OTHER, f"{OTHER}.ipynb"])
def test_a_notebook_by_any_of_its_names(text):
    """Catches `--notebook 3` that is not understood."""
    assert assignment.find(text).stem == OTHER


def test_an_unknown_notebook_is_refused():
    """Catches a KeyError in an instructor's face."""
    with pytest.raises(CourseError, match="no notebook '9'; there are: 01, 02, 03, 04, 05"):
        assignment.find("9")


def test_the_sources_say_what_can_be_handed_in(root, tmp_path):
    """Catches an instructor's copy in notebooks/ taken for an assignment, and points of a copy."""
    for part in ("solutions", "course_lib/exercises"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / part, tmp_path / part, ignore=ignored)
    (tmp_path / "notebooks").mkdir()
    for path in (f"notebooks/{STEM}.ipynb", f"notebooks/{STEM}-Copy1.ipynb"):
        (tmp_path / path).write_bytes(notebook(text="worked on"))
    shutil.copy(tmp_path / f"solutions/{STEM}.py", tmp_path / f"solutions/{STEM}-Copy1.py")
    found = assignment.assignments(tmp_path)
    assert found == assignment.assignments() and len(found) == 7
    for name, text in rendered(root, EXERCISES).items():
        cells = json.loads(text)["cells"]
        graded = [c["metadata"]["nbgrader"] for c in cells if c["id"].startswith("check-")]
        points = {flags["grade_id"].removeprefix("check-"): flags["points"] for flags in graded}
        one = found[PurePosixPath(name).stem]
        assert list(one.points.items()) == list(points.items())
        assert "".join(cells[0]["source"]).startswith(f"# {one.title}\n")
    with pytest.raises(CourseError, match="no source solutions/NN_name"):
        assignment.assignments(tmp_path / "notebooks")


def test_to_know_the_notebooks_takes_no_torch():
    """Catches seconds before the command says what is wrong with its arguments."""
    code = "import sys; from course_lib.grading import assignment as a; a.find('1'); "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


def test_notebooks_are_recognised_by_their_exercises(root):
    """Catches a notebook mistaken for another, or one whose metadata were lost not recognised."""
    for stem, one in assignment.assignments().items():
        for folder in ("notebooks", "solutions"):
            assert assignment.recognise((root / folder / f"{stem}.ipynb").read_bytes()) == stem
        assert one.max_points == sum(one.points.values()) > 0
        stripped = notebook(stem).replace(b"grade_id", b"lost")
        assert assignment.recognise(stripped) == stem
    assert assignment.recognise(b'{"cells": []}') is None
    assert assignment.recognise(os.urandom(1000)) is None
