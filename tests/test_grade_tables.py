"""Tables and exports: every student once, nothing that a spreadsheet runs, no row lost."""

import codecs
import csv
import io
import json
import re

import pytest
from grade_tools import OTHER, STEM, result_of

from course_lib.errors import CourseError
from course_lib.grading import assignment
from course_lib.grading.batch import overrides
from course_lib.grading.batch.overrides import Override
from course_lib.grading.encoding import harmless
from course_lib.grading.gradebooks import canvas, gradescope, moodle, sheet
from course_lib.grading.reports import table

COURSE = assignment.find(STEM)  # 12 points: 2, 2, 3, 3, 2
NAMES = list(COURSE.points)


def rows_of(data, encoding="utf-8-sig", delimiter=","):
    """A CSV file as a spreadsheet reads it."""
    return list(csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter=delimiter))


# --- grades.csv -------------------------------------------------------------------------------


def test_the_table_says_what_the_records_say():
    """Catches columns that have moved, points lost, a student without a row."""
    results = [result_of("alice", right=NAMES), result_of("bob", right=NAMES[:2])]
    results.append(result_of("carla", status="timeout", reason="it took longer than 600 s"))
    head, *rows = rows_of(table.table(results, COURSE))
    rows = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert [rows[s]["points"] for s in ("alice", "bob", "carla")] == ["12", "4", "0"]
    assert rows["bob"]["percent"] == "33.3" and rows["bob"]["max_points"] == "12"
    assert [rows["bob"][name] for name in NAMES] == ["2", "2", "0", "0", "0"]
    assert rows["carla"]["status"] == "timeout" and "600 s" in rows["carla"]["reason"]
    assert rows["alice"]["isolation"] == "namespaces"
    assert rows["alice"]["folder"] == "students/alice"


def test_a_failure_of_the_grader_is_no_zero():
    """Catches a student who gets 0 points for what is not his fault."""
    for status in ("error", "no_isolation"):
        head, row = rows_of(table.table([result_of("a", status=status)], COURSE))
        assert dict(zip(head, row, strict=True))["points"] == ""


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "a;=1+1", "a, =1", "a\n=cmd|'/C x'!A0"],
)
def test_no_cell_is_a_formula(cell):
    """Catches a name that runs when the instructor opens the table, in any kind of spreadsheet."""
    result = result_of("alice", reason=cell)
    text = table.table([result], COURSE).decode("utf-8-sig")
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            assert not any(each.lstrip(' "').startswith(tuple("=+-@＝\t\r")) for each in row)
    assert harmless(cell).replace("'", "") == cell.replace("'", "")
    assert harmless("right, 2 of 3 - well done") == "right, 2 of 3 - well done"


# --- overrides --------------------------------------------------------------------------------


def read_overrides(tmp_path, text, students=("alice", "bob")):
    """The overrides in a file with this text."""
    path = tmp_path / "overrides.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return overrides.read(path, students=students, assignment=COURSE)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("sign", [",", ";"])
def test_overrides_are_read_as_spreadsheets_write_them(tmp_path, mark, sign):
    """Catches Excel's mark and semicolons, decimal commas, and quotes."""
    half = '"1,5"' if sign == "," else "1,5"
    lines = [
        "Student,exercise, points,comment",
        f"alice,{NAMES[0]},HALF,a typo",
        "",
        "bob,total,7,",
    ]
    text = "\r\n".join(lines)
    text = text.replace(",", sign).replace("HALF", half)
    found = read_overrides(tmp_path, mark + text.encode())
    assert found == {
        ("alice", NAMES[0]): Override(1.5, "a typo"),
        ("bob", "total"): Override(7.0, ""),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "student,exercise,points\nalcie,total,3\n",
            ":2: unknown student 'alcie': did you mean alice",
        ),
        (f"student,exercise,points\n\nbob,{NAMES[0]}s,3\n", ":3: unknown exercise"),
        ("student,exercise,points\nbob,total,many\n", ":2: 'many' is no number of points"),
        ("student,exercise,points\nbob,total,-1\n", ":2: '-1' is no number"),
        ("student,exercise,points\nbob,total,nan\n", ":2: 'nan' is no number"),
        ("student,exercise,points\nbob,total,12.5\n", ":2: 12.5 points, where total has 12"),
        (
            f"student,exercise,points\n\nbob,{NAMES[0]},20\n",
            f":3: 20 points, where {NAMES[0]} has 2",
        ),
        ("student,exercise,points\nbob,total,1\nbob,total,2\n", ":3: bob has two lines for total"),
        ("bob,total,1\n", "the first line must name the columns"),
        ("", "the first line must name the columns"),
    ],
)
def test_an_override_that_fits_nothing_is_an_error(tmp_path, text, words):
    """Catches points that the instructor gave and that silently never arrive."""
    with pytest.raises(CourseError, match=words):
        read_overrides(tmp_path, text)


def test_an_id_is_known_as_the_table_writes_it(tmp_path):
    """Catches points refused because the id was copied with the apostrophe against formulas."""
    students = ["=1+1", "a, -b", "'c", "bob"]
    head, *rows = rows_of(table.table([result_of(one) for one in students], COURSE))
    copied = [row[head.index("student")] for row in rows]
    assert copied == ["'=1+1", "a,' -b", "'c", "bob"]
    for spelt in (copied, students):
        lines = [f'"{one}",total,{points}' for points, one in enumerate(spelt)]
        text = "\n".join(["student,exercise,points", *lines])
        found = read_overrides(tmp_path, text, students)
        assert {who: given.points for (who, _), given in found.items()} == {
            one: points for points, one in enumerate(students)
        }


def test_overrides_are_visible_and_count():
    """Catches a changed grade that looks like the grader's own, or a total that ignores one."""
    given = {("a", NAMES[2]): Override(1, "see mail"), ("b", "total"): Override(9, "")}
    a, b = (result_of(s, right=NAMES[:2], overrides=given) for s in "ab")
    assert (a.points, b.points) == (5, 9)
    assert a.changes == [f"{NAMES[2]} 0 → 1 (see mail)"] and b.changes == ["total 4 → 9"]
    head, *rows = rows_of(table.table([a, b], COURSE))
    assert [row[head.index("overridden")] for row in rows] == [a.changes[0], b.changes[0]]
    assert [one["points"] for one in a.record["exercises"]] == [2, 2, 0, 0, 0]
    rescued = result_of("a", status="error", overrides=given)
    assert rescued.graded and rescued.points == 1


# --- Gradescope -------------------------------------------------------------------------------


GRADESCOPE = """score execution_time output output_format test_output_format test_name_format
visibility stdout_visibility extra_data tests leaderboard"""
GRADESCOPE_TEST = """score max_score status name name_format number output output_format tags
visibility extra_data"""


def test_gradescope():
    """Catches results that Gradescope refuses, or hints that are lost on the way."""
    given = {("alice", NAMES[4]): Override(2, "right up to our typo")}
    result = result_of("alice", right=NAMES[:2], overrides=given, seconds=61.7)
    found = json.loads(gradescope.results_json(result))
    assert found["score"] == 6 and found["execution_time"] == 62
    assert sum(test["score"] for test in found["tests"]) == found["score"]
    passed = [test["status"] == "passed" for test in found["tests"]]
    assert passed == [True, True, False, False, True]
    assert "Turn the sign round." in found["tests"][2]["output"]
    assert "Expected: 1" in found["tests"][2]["output"]
    assert "right up to our typo" in found["tests"][4]["output"]
    assert f"{NAMES[4]} 0 → 2" in found["output"]
    late = json.loads(gradescope.results_json(result_of("b", status="timeout", reason="slow")))
    assert late["output"] == "timeout: slow"
    for whole in (found, late):
        assert {"score", "output", "tests"} <= set(whole) <= set(GRADESCOPE.split())
        assert all(set(test) <= set(GRADESCOPE_TEST.split()) for test in whole["tests"])


# --- Canvas -----------------------------------------------------------------------------------

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,VAE 01 basics (9001),VAE 10 (9010),Final Score\n"
    ",,,,,Manual Posting,,\n"
    "    Points Possible,,,,,24,10,(read only)\n"
    '"Doe, John",1001,s100,jdoe@uni.edu,"VAE, Monday",,3,\n'
    '"Doe, John",1002,s101,jd2@uni.edu,VAE,5,3,\n'
    '"Müller, Änne",1003,s102,amueller@uni.edu,VAE,,,\n'
    '"de la O, Ana María",1004,s103,ana@uni.edu,VAE,,,\n'
    '"Lee, Jin",1005,s104,jlee@uni.edu,VAE,EX,,\n'
    '"Poe, Edgar ""Ed""",1006,s105,poe@uni.edu,VAE,,,\n'
    '"Student, Test",1007,,abc123,VAE,,,\n'
)


def in_file(tmp_path, text, encoding="utf-8", mark=b""):
    """A file with this text."""
    path = tmp_path / "export.csv"
    path.write_bytes(mark + text.encode(encoding))
    return path


def canvas_class():
    """Four from Canvas' own ZIP, three by other names, and some that fit nobody."""
    entries = ["doejohn_1001_7_x.ipynb", "doejohn_LATE_1002_8_x.ipynb", "leejin_1005_9_x.ipynb"]
    entries += ["gone_1099_9_x.ipynb"]
    found = [result_of("x", entry=entry, right=NAMES[:2]) for entry in entries]
    found += [result_of(s, right=NAMES) for s in ("Änne Müller", "ana", "s105", "nobody")]
    found += [result_of("s102", right=()), result_of("abc123", right=(), status="error")]
    return [*found, result_of("John Doe", right=()), result_of("poe", flags=("duplicate_id",))]


def test_canvas_gets_its_column_and_keeps_the_rest(tmp_path):
    """Catches a wrong student's points, a lost row, and a changed byte anywhere else."""
    path = in_file(tmp_path, CANVAS)
    found = canvas.filled(path, canvas_class(), COURSE)
    old, new = rows_of(path.read_bytes()), rows_of(found.content)
    points = {row[1]: row[5] for row in new[3:]}
    assert points == {
        "1001": "8",  # 4 of 12 points count as 8 of 24
        "1002": "8",
        "1003": "",  # two submissions claim this row
        "1004": "24",
        "1005": "EX",
        "1006": "24",
        "1007": "",
    }
    for before, after in zip(old, new, strict=True):
        assert before[:5] + before[6:] == after[:5] + after[6:]
    same = CANVAS.encode().replace(b'Monday",,3', b'Monday",8,3').replace(b"VAE,5,3", b"VAE,8,3")
    same = same.replace(b"ana@uni.edu,VAE,,", b"ana@uni.edu,VAE,24,")
    assert found.content == same.replace(b"poe@uni.edu,VAE,,", b"poe@uni.edu,VAE,24,")
    notes = "\n".join(found.notes)
    for words in (
        "12 points count as 24",
        "not in the gradebook: gone_1099, nobody",
        "several submissions for one row: Änne Müller, s102",
        "fits several rows: John Doe",
        "not graded: abc123",
        "enter these by hand: poe",
        "excused in Canvas, left as they are: leejin_1005",
        "rows without a submission, left as they are: Student, Test",
    ):
        assert words in notes
    assert found.filled == 4


def test_an_anonymous_number_is_no_user_s(tmp_path):
    """Catches the points of somebody unknown in the row of the user whose number is the same."""
    text = CANVAS.replace(",1001,", ",10011,")
    anonymous = result_of("x", entry="anon_10011_7_x.ipynb", right=NAMES)
    found = canvas.filled(in_file(tmp_path, text), [anonymous], COURSE)
    assert found.filled == 0 and "not in the gradebook: anon_10011" in found.notes


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("cp1252", b""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_encoding_mark_and_line_ends_stay(tmp_path, encoding, mark, end, sign):
    """Catches a file that Canvas no longer reads as its own, and names turned into rubbish."""
    text = CANVAS.replace(",", "§").replace("§ ", ", ").replace("§", sign).replace("\n", end)
    path = in_file(tmp_path, text, encoding, mark)
    assert sheet.read(path).encoded() == path.read_bytes()
    found = canvas.filled(path, [result_of("Änne Müller", right=NAMES)], COURSE).content
    assert found.startswith(mark) and found.count(end.encode(encoding)) == text.count(end)
    row = f"amueller@uni.edu{sign}VAE{sign}24".encode(encoding)
    assert row in found and "Müller".encode(encoding) in found


ODD = ['a,b\n"x\ny","""q"""\n', "a,b", 'a,b\n1,"2', "a,b\n\n\n1,2\n", 'a,"b,c"x\r\n1,2', "a,\n,b\n"]


@pytest.mark.parametrize("text", ODD)
def test_odd_files_come_back_as_they_were(tmp_path, text):
    """Catches rows lost at quotes, at line ends in cells, and at the end of the file."""
    path = in_file(tmp_path, text)
    book = sheet.read(path)
    assert book.encoded() == text.encode()
    if '"""q"""' in text:
        assert book.values(1) == ["x\ny", '"q"']


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("VAE 01 basics", "Basics"), r"no column fits notebook 01: .* Basics \(9001\), VAE 10"),
        (("VAE 10", "Notebook 1"), r"several columns fit notebook 01: .* Notebook 1 \(9010\)"),
        (("Student,ID", "Name,No"), "is no gradebook of Canvas"),
        ((CANVAS, "one column\n"), "is no CSV file"),
    ],
)
def test_a_gradebook_that_does_not_say_where_is_refused(tmp_path, change, words):
    """Catches points written over another assignment."""
    with pytest.raises(CourseError, match=words):
        canvas.filled(in_file(tmp_path, CANVAS.replace(*change)), [], COURSE)


OTHERS = [
    "Quiz 1",
    "Quiz 01",
    "Test: autoencoder basics",
    "Homework 1",
    "Talk 2024-01-15",
    "Week 1.01",
]
OTHERS += ["VAE 011", "Notebook 12", "Exam notebook 1"]


@pytest.mark.parametrize("other", OTHERS)
def test_points_go_where_the_notebook_is_named_and_nowhere_else(tmp_path, other):
    """Catches points in a quiz's column because its name has the digit 1 in it."""
    results = [result_of("ana", right=NAMES), result_of("s104", right=NAMES)]
    text = CANVAS.replace("VAE 01 basics", "Autoencoders homework").replace("VAE 10", other)
    path = in_file(tmp_path, text.replace(",EX,", ",N/A,"))
    words = rf"no column fits notebook 01: give --column NAME, one of: Auto.*, {other} \(9010\)"
    with pytest.raises(CourseError, match=words):
        canvas.filled(path, results, COURSE)
    for column in ("Autoencoders homework", "Autoencoders homework (9001)"):
        found = canvas.filled(canvas.Export(path, column), results, COURSE)
        rows = rows_of(found.content)[3:]
        assert [row[5:7] for row in rows[3:5]] == [["24", ""], ["N/A", ""]]
        assert found.notes[0] == "in the column Autoencoders homework (9001)"
    with pytest.raises(CourseError, match="no column fits column 'Section'"):
        canvas.filled(canvas.Export(path, "Section"), results, COURSE)
    for named in ("Notebook 1", "HW01", "VAE-01", "Autoencoder basics", "1 · Autoencoder Basics"):
        text = CANVAS.replace("VAE 01 basics", named).replace("VAE 10", other)
        found = canvas.filled(in_file(tmp_path, text), results, COURSE)
        assert found.notes[0] == f"in the column {named} (9001)" and found.filled == 1


def test_a_column_may_have_the_title(tmp_path):
    """Catches an assignment that carries the notebook's name and no number."""
    other = assignment.find(OTHER)
    text = CANVAS.replace("VAE 01 basics", "The VAE, derived").replace("The VAE, d", '"The VAE, d')
    text = text.replace("(9001)", '(9001)"')
    found = canvas.filled(
        in_file(tmp_path, text), [result_of("ana", stem=OTHER, right=other.points)], other
    )
    assert b"ana@uni.edu,VAE,24," in found.content


# --- Moodle -----------------------------------------------------------------------------------

MOODLE = (
    'Identifier,"Full name","Email address",Status,Grade,"Maximum grade","Grade can be changed",x\n'
    '"Participant 3101","Ana María de la O",ana@uni.es,"Submitted for grading - ",,100.00,Yes,\n'
    '"Participant 3102","Jin Lee",jin@uni.es,"Submitted - ",50.00,100.00,Yes,"well\ndone"\n'
    '"Participant 3103","Jin Lee",jlee@uni.es,"No submission",,100.00,Yes,\n'
    '"Participant 3104","Edgar Poe",poe@uni.es,"Submitted",10.00,100.00,No,\n'
)
GERMAN = MOODLE.replace("100.00", '"100,00"').replace("Identifier", "ID")
GERMAN = GERMAN.replace("Full name", "Vollständiger Name").replace("Grade can", "Bewertung kann")
GERMAN = GERMAN.replace(",Grade,", ",Bewertung,").replace("Participant ", "Teilnehmer/in")
GERMAN = GERMAN.replace("Maximum grade", "Bestwertung").replace("No,\n", "Nein,\n")


@pytest.mark.parametrize(("text", "whole"), [(MOODLE, "33.33"), (GERMAN, "33,33")])
def test_moodle_gets_its_grades(tmp_path, text, whole):
    """Catches a grade for a namesake, and a decimal point that German Moodle does not read."""
    entries = [f"{n}_assignsubmission_file_" for n in ("Ana María de la O_3101", "Edgar Poe_3104")]
    found = [result_of("x", entry=f"{entry}_x.ipynb", right=NAMES[:2]) for entry in entries]
    jin = result_of("x", entry="Jin Lee_3102_assignsubmission_file_x.ipynb", right=NAMES)
    filled = moodle.filled(in_file(tmp_path, text), [*found, jin], COURSE)
    grades = [row[4] for row in rows_of(filled.content)[1:]]
    assert grades == [whole, "100", "", "10.00"]
    notes = "\n".join(filled.notes)
    assert "12 points count as 100" in notes
    assert "locked in Moodle, left as they are: Edgar Poe_3104" in notes
    assert "well\ndone" in filled.content.decode()


# "Grade", "Yes" and "No" of languages, among them ones whose words the code does not have
LANGUAGES = {
    "ca": ("Qualificació", "Sí", "No"),
    "pl": ("Ocena", "Tak", "Nie"),
    "sv": ("Betyg", "Ja", "Nej"),
    "ja": ("評点", "はい", "いいえ"),
    "ru": ("Оценка", "Да", "Нет"),
    "da": ("Karakter", "Ja", "Nej"),
    "tr": ("Not", "Evet", "Hayır"),
    "fi": ("Arvosana", "Kyllä", "Ei"),
    "cs": ("Známka", "Ano", "Ne"),
    "en_au": ("Mark", "Yes", "No"),
    "cy": ("Gradd", "Ie", "Na"),
}


@pytest.mark.parametrize("workflow", [False, True])
@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_moodle_s_columns_in_any_language(tmp_path, language, anonymous, workflow):
    """Catches a sheet refused for its language, a locked row filled, a status taken for a name."""
    grade, yes, no = LANGUAGES[language]
    who = ["Status"] if anonymous else ["N", "Nr", "Mail", "S"]
    state = ["W"] if workflow else []
    head = ["Id", *who, grade, "Max", *state, "C", "Last modified", "F"]
    lines = [",".join(head)]
    for number, name, old, locked in (
        (7, "Ann", "", no),
        (8, "Bo", "3,5", yes),
        (9, "Cy", "", yes),
    ):
        own = ["Sent in"] if anonymous else [name, "", f"{name}@x.org", "Sent in"]
        cells = [f"P{number}", *own, f'"{old}"', '"24,00"', *(["Not marked"] * len(state))]
        lines.append(",".join([*cells, locked, "-", ""]))
    entries = [f"{name}_assignsubmission_file_x.ipynb" for name in ("Ann_7", "Bo_8")]
    results = [result_of("x", entry=entry, right=NAMES[:1]) for entry in entries]
    found = moodle.filled(in_file(tmp_path, "\n".join(lines)), results, COURSE)
    at = head.index(grade)
    notes, known = "\n".join(found.notes), language != "cy"
    assert [row[at] for row in rows_of(found.content)[1:]] == ["" if known else "4", "4", ""]
    assert ("locked in Moodle, left as they are: Ann_7" in notes) == known
    assert ("does not say which grades are locked" in notes) != known
    assert f"rows without a submission, left as they are: {'9' if anonymous else 'Cy'}" in notes


def test_moodle_s_anonymous_teams_are_no_names(tmp_path):
    """Catches "Submitted for grading" among the people, where a team stands before the grade."""
    text = "Identifier,Status,Group,Grade,Maximum grade,Grade can be changed\n"
    text += "".join(f"Participant {n},Submitted for grading,Reds,50,100,Yes\n" for n in (1, 2))
    found = moodle.filled(in_file(tmp_path, text), [result_of("Reds", right=NAMES)], COURSE)
    assert "fits several rows: Reds" in found.notes
    assert "rows without a submission, left as they are: 1, 2" in found.notes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({",Grade,": ",Mark,", "100.00": "Pass"}, "is no grading worksheet of Moodle"),
        ({f"310{i}": "x" for i in range(9)}, "is no grading worksheet of Moodle"),
        (
            {",Grade,": ",Mark,", r'\w+@uni.es,"[^"]*"': "7,1"},
            "is no grading worksheet of Moodle",
        ),
        ({"100.00": "Pass"}, "this assignment has a scale"),
    ],
)
def test_another_file_of_moodle_is_refused(tmp_path, changes, words):
    """Catches grades written into a column that only looks like one."""
    text = MOODLE
    for old, new in changes.items():
        text = re.sub(old, new, text)
    with pytest.raises(CourseError, match=words):
        moodle.filled(in_file(tmp_path, text), [], COURSE)


def test_moodle_by_mail_or_name(tmp_path):
    """Catches a class collected by other means that Moodle's worksheet then does not know."""
    results = [result_of(s, right=NAMES) for s in ("poe", "jlee@uni.es", "de_la_O_Ana_Maria")]
    found = moodle.filled(in_file(tmp_path, MOODLE.replace(",No,", ",Yes,")), results, COURSE)
    assert [row[4] for row in rows_of(found.content)[1:]] == ["100", "50.00", "100", "100"]
