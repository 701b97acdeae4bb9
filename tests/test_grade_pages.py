"""Feedback and report: what students made does nothing in them, and what they say is true."""

import base64
import csv
import dataclasses
import io
import json
import re
import shutil
import statistics
import time

import nbformat
import pytest
from grade_tools import OTHER, STEM, record_of, result_of

from course_lib.card import card_html
from course_lib.exercises import Verdict
from course_lib.exercises.card import Card
from course_lib.grading import assignment
from course_lib.grading.batch import store
from course_lib.grading.batch.overrides import Override
from course_lib.grading.outputs import sanitise
from course_lib.grading.outputs.cells import WIDGET
from course_lib.grading.reports import class_page, student_page
from course_lib.grading.reports.page import POLICY
from course_lib.grading.reports.table import table
from course_lib.grading.submission import feedback

COURSE = assignment.find(STEM)
NAMES = list(COURSE.points)
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)
PIXEL = base64.b64encode(bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c6360"
    "6060f80f0001050101 5cd4a1d50000000049454e44ae426082".replace(" ", ""))).decode()  # fmt: skip

HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=\"document.title='owned'\"><script>document.title='owned'</script></svg>",
    "<iframe src=\"javascript:parent.document.title='owned'\"></iframe>",
    "<a href=\"javascript:document.title='owned'\">click</a>",
    "<a href='https://evil.example/'>click</a>",
    "<form action='https://evil.example'><input name=x><button>go</button></form>",
    "<style>body{display:none}</style>",
    '<div style="position:fixed;top:0;left:0;width:9999px;height:9999px">12 of 12</div>',
    '<div style="background:url(https://evil.example/x)">x</div>',
    "<img src=\"https://evil.example/x.png\"><img src='data:text/html,<script>1</script>'>",
    '<img src="data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=">',
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example'><object data=x></object><embed src=x>",
    "<math><mtext></p><style><img src=x onerror=\"document.title='owned'\"></style></mtext></math>",
    "<noscript><p title=\"</noscript><img src=x onerror=document.title='owned'>\"></noscript>",
    "<details open ontoggle=\"document.title='owned'\">x</details>",
    "</div></body></html><script>document.title='owned'</script>",
    "<scr<script>ipt>document.title='owned'</scr</script>ipt>",
    "<a name=check-bce_nats id=check-bce_nats>anchor</a>",
    "<b id=check-bce_nats class=course-card href=https://evil.example title=x>card</b>",
]


def page_of(result, folder, cells=()):
    """The student's page with these cells in the feedback notebook."""
    folder.mkdir(parents=True, exist_ok=True)
    notebook = cells if isinstance(cells, str) else json.dumps({"cells": list(cells)})
    (folder / store.FEEDBACK).write_text(notebook, encoding="utf-8")
    student_page.write(result, COURSE, folder)
    return (folder / store.PAGE).read_text(encoding="utf-8")


def code(source="", *outputs, cell_id="student-1"):
    """A code cell with these outputs."""
    return {"cell_type": "code", "id": cell_id, "source": source, "outputs": list(outputs)}


def shown(**data):
    """An output: text_html="…" and so on."""
    names = {key.replace("_", "/", 1).replace("_", "+"): value for key, value in data.items()}
    return {"output_type": "display_data", "data": names, "metadata": {}}


# --- nothing runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_html_of_students_is_only_formatting(text):
    """Catches scripts, handlers, links, requests, forms, layers and anchors that get through."""
    left = sanitise.clean_html(text)
    tags = set(re.findall(r"<(\w+)", left))
    assert tags <= sanitise.TAGS and not tags & {"a", "script", "style", "form", "svg", "iframe"}
    assert not re.search(r"<[^>]*(?:\son\w+|href|javascript:|\sid|\sname|\sclass)\s*=?", left)
    assert not re.search(r"<[^>]*(?:position|url\(|background:|z-index|margin)", left)
    assert "evil.example" not in re.sub(r">[^<]*<", "><", left)
    assert not re.search(r"src=['\"](?!data:image/(?:png|jpeg|gif);base64,)", left)


def test_formatting_and_pictures_stay():
    """Catches a page on which a student no longer recognises a table or a figure."""
    table = "<table><tr><th style='text-align:right'>loss</th></tr><tr><td>1</td></tr></table>"
    left = sanitise.clean_html(table)
    assert "<th" in left and "text-align:right" in left and "loss" in left
    assert "data:image/png" in sanitise.clean_html(f"<img src='data:image/png;base64,{PIXEL}'>")
    assert PIXEL in sanitise.picture("image/png", PIXEL)
    assert "damaged" in sanitise.picture("image/png", "'onerror=x")
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"
    assert "<script" not in sanitise.picture("image/svg+xml", svg)


def test_text_is_text():
    """Catches HTML in prints and errors, terminal colours, a progress bar of a thousand lines."""
    assert "&lt;b&gt;" in sanitise.plain("<b>")
    assert sanitise.plain("\x1b[31mred\x1b[0m") == "<pre>red</pre>"
    bar = "".join(f"\r{i}%" for i in range(101))
    assert sanitise.plain(f"start\n{bar}\nend\r\n") == "<pre>start\n100%\nend\n</pre>"
    assert "&lt;script" in sanitise.code("'<script>'") and "&lt;i&gt;" in sanitise.markdown(
        "<i>x</i>"
    )
    assert "<strong>yes</strong>" in sanitise.markdown("**yes** [link](javascript:x)")
    assert "href" not in sanitise.markdown("[link](https://evil.example)")


def test_much_output_is_cut_and_quick(tmp_path):
    """Catches a page of 200 MB, and a nest of tags that takes minutes or stops the class."""
    start = time.monotonic()
    deep, wide = "<div>" * 30_000 + "x", "<b>x</b>" * 20_000
    outputs = [shown(text_html=deep), shown(text_html=wide), shown(text_html="<p>" + "y" * 10**6)]
    outputs += [{"output_type": "stream", "text": ["z" * 10**6]}]
    outputs += [shown(image_png=base64.b64encode(bytes(9 * 2**20)).decode()) for _ in range(3)]
    outputs += [shown(text_plain=str(i)) for i in range(100)]
    page = page_of(result_of("a"), tmp_path, [code("x = 1\n" * 50_000, *outputs)])
    assert len(page) < 14 * 2**20
    assert page.count("class='output'") <= 40
    assert "more characters" in page and "the page is full" in page and "more outputs" in page
    assert time.monotonic() - start < 30


BROKEN = [
    "", "[]", "{}", '{"cells": 3}', '{"cells": [3, null, "x"]}', '{"cells": [{"id": 3}]}',
    "[" * 100_000, '{"cells": [{"cell_type": "code", "outputs": [{"data": 3}, 4], "source": 5}]}',
    '{"cells": [{"cell_type": "code", "outputs": [{"output_type": "error", "traceback": [1]}]}]}',
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_notebook_still_gives_the_cards(tmp_path, text):
    """Catches a class without pages because of one file."""
    page = page_of(result_of("a", right=NAMES[:1]), tmp_path, text)
    assert page.count("id='check-") == len(NAMES) and "2 of 12 points" in page
    assert page.count("course-right") == 1 and page.count("course-wrong") == len(NAMES) - 1


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt install chromium")
def test_in_a_browser_nothing_runs_and_nothing_is_fetched(tmp_path):
    """Catches what the eye of a regular expression misses."""
    playwright = pytest.importorskip("playwright.sync_api")
    cells = [code("1", *(shown(text_html=text) for text in HOSTILE))]
    cells += [code("2", *(shown(text_markdown=text) for text in HOSTILE))]
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title='owned'\"></svg>"
    cells += [code("3", shown(image_svg_xml=svg), shown(image_png=PIXEL))]
    cells += [{"cell_type": "markdown", "id": "m", "source": text} for text in HOSTILE]
    name = "<script>document.title='owned'</script>"
    result = result_of(name, status="timeout", reason=name, flags=[name])
    page_of(result, tmp_path, cells)
    (tmp_path / "report.html").write_text(
        class_page.report([result, result_of("b")], COURSE, notes=[name]), encoding="utf-8"
    )
    requests, messages = [], []
    with playwright.sync_playwright() as p:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        for file in (store.PAGE, "report.html"):
            page = browser.new_page()
            page.on("request", lambda request: requests.append(request.url))
            page.on("dialog", lambda dialog: messages.append(dialog.message))
            page.goto((tmp_path / file).as_uri())
            page.wait_for_timeout(500)
            assert page.title() != "owned"
            assert page.evaluate("document.body.scrollWidth <= window.innerWidth")
            assert page.locator("a[href^='http'], script, iframe, form, object").count() == 0
            page.close()
        browser.close()
    assert messages == []
    assert all(url.startswith(("file:", "data:image/")) for url in requests)


def test_the_feedback_notebook_carries_no_scripts(tmp_path):
    """Catches a notebook that runs something of a student's in the browser of whoever opens it."""
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='owned()'><script>owned()</script></svg>"
    outputs = [shown(text_html=text, text_plain="x") for text in HOSTILE]
    outputs += [shown(text_markdown=text, text_plain="x") for text in HOSTILE]
    outputs += [
        shown(application_javascript="owned()", text_plain="left"),
        {"output_type": "display_data", "data": {WIDGET: {"model_id": "owned()"}}, "metadata": {}},
        shown(image_svg_xml=svg),
        shown(image_png=PIXEL, text_html="<script>owned()</script>", text_plain="pixel"),
        shown(text_html="<table><td>a table</td></table>", text_latex=r"\href{javascript:owned()}"),
        {"output_type": "stream", "name": "stdout", "text": "printed"},
        {"output_type": "error", "ename": "E", "evalue": "raised", "traceback": []},
        {**shown(text_html="<b>bold</b>"), "output_type": "execute_result", "execution_count": 3},
    ]
    check = {"execution_count": 1, "metadata": {"x": "owned()"}}
    cells = [code("1", *outputs, cell_id="a") | check, code("check(…)", cell_id="check-x") | check]
    state = {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": "owned()"}}}
    executed = {"cells": cells, "metadata": state, "nbformat": 4, "nbformat_minor": 5}
    card = (card_html("right", "a card", []), "a card")
    record = record_of("a") | {"exercises": [record_of("a")["exercises"][0] | {"name": "x"}]}
    record["exercises"][0]["card"] = card
    feedback.write_results(tmp_path, record, json.dumps(executed))
    written = (tmp_path / store.FEEDBACK).read_text(encoding="utf-8")
    feedback.write_results(tmp_path, record, written)  # as when it is judged again
    assert (tmp_path / store.FEEDBACK).read_text(encoding="utf-8") == written
    notebook = nbformat.read(tmp_path / store.FEEDBACK, as_version=4)
    nbformat.validate(notebook)
    _, cell, checked = notebook.cells
    for out in cell.outputs:
        data = dict(out.get("data", {}))
        assert data.keys() <= {"text/html", "text/plain", "image/png"}
        assert not re.search(r"owned|<[^>]*(?:href|javascript)", re.sub(
            r">[^<]*<|^[^<]*$|base64,[^']*", "><", data.get("text/html", "")))  # fmt: skip
    said = json.dumps(cell.outputs)
    for words in ("left", "(a widget", "svg+xml;base64", PIXEL, "a table", "printed", "raised"):
        assert words in said
    assert cell.outputs[-1].execution_count == 3 and "<b>bold</b>" in said
    assert checked.outputs[0].data["text/html"] == card[0]
    assert "widgets" not in notebook.metadata and "card" not in json.loads(
        (tmp_path / store.RECORD).read_text())["exercises"][0]  # fmt: skip


# --- what they say ----------------------------------------------------------------------------


def test_the_page_says_what_the_record_says(tmp_path):
    """Catches points, hints or reasons that a student never sees, and a forged card that counts."""
    given = {("a", NAMES[4]): Override(1, "see mail")}
    result = result_of("a", right=NAMES[:2], overrides=given)
    forged = shown(text_html="<div class='course-card course-right'>✓ right</div>")
    cells = [code("check(…)", forged, cell_id=f"check-{name}") for name in NAMES]
    page = page_of(result, tmp_path, [*cells, code("mine = 1", cell_id="student-9")])
    assert "5 of 12 points" in page and "see mail" in page
    assert page.count("course-right") == 2 and page.count("course-wrong") == 3
    assert page.count("Turn the sign round.") == 3 and page.count(">Expected<") == 3
    assert POLICY in page and "✓ right" not in page
    assert page.index(f"id='check-{NAMES[4]}'") < page.index("mine")
    late = result_of("b", status="timeout", reason="the run took longer than 900 s")
    assert "longer than 900 s" in page_of(late, tmp_path / "b")
    lost = result_of("c", status="error", reason="the grader failed")
    assert "Not graded yet" in page_of(lost, tmp_path / "c")


def test_a_reason_stands_on_the_card(tmp_path):
    """Catches a right exercise without points, or points that nobody can explain."""
    result = result_of("a", right=NAMES)
    result.exercises[0]["reason"] = "right alone; in the notebook: no valid record"
    result.exercises[1].update(status="missing", reason="no function or class of this name")
    page = page_of(result, tmp_path)
    assert "right alone; in the notebook" in page and "no function or class of this name" in page


def test_the_course_is_folded_away(tmp_path, root):
    """Catches a page on which a student's own work drowns in the course's text."""
    cells = json.loads((root / f"notebooks/{STEM}.ipynb").read_text(encoding="utf-8"))["cells"]
    own = {"cell_type": "markdown", "id": "student-2", "source": "My **prediction**: 7"}
    changed = {**cells[0], "source": "I changed the course's text"}
    page = page_of(result_of("a"), tmp_path, [*cells[1:], own, changed])
    assert "<strong>prediction</strong>" in page and "I changed the course" in page
    assert "What is in a digit?" in page and "The training images" not in page
    assert page.count("<details>") < len(cells) / 2
    assert "use_course_style" in page.split("<details>", 1)[1]


def test_an_instructor_s_own_work_in_notebooks_changes_no_page(tmp_path, root, monkeypatch):
    """Catches pages that depend on what somebody did in notebooks/, or on whether it is there."""
    shutil.copytree(root / "solutions", tmp_path / "solutions")
    exercises = "course_lib/exercises"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / exercises, tmp_path / exercises, ignore=ignored)
    shutil.copy(root / "pyproject.toml", tmp_path)
    notebook = (root / f"notebooks/{STEM}.ipynb").read_text(encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    for name in (STEM, f"{STEM}-Copy1"):
        changed = notebook.replace("What is in a digit?", "What I changed")
        (tmp_path / f"notebooks/{name}.ipynb").write_text(changed, encoding="utf-8")
    cells = json.loads(notebook)["cells"]
    page = page_of(result_of("a"), tmp_path / "a", cells)
    monkeypatch.setattr(student_page, "ROOT", tmp_path)
    assert page_of(result_of("a"), tmp_path / "b", cells) == page
    assert page.count("code of the course") > 3


def test_each_flag_stands_on_its_own():
    """Catches flags that run together, so that nobody sees where one ends."""
    said = ["a check was changed", "its code reaches <b>beyond</b> it; see cell 3"]
    one = result_of("a", flags=("late", "renamed"))
    one.record["flags"] += said
    page = class_page.report([one], COURSE, notes=[])
    lines = [
        "late",
        "renamed",
        said[0],
        "its code reaches &lt;b&gt;beyond&lt;/b&gt; it; see cell 3",
    ]
    assert re.findall(r"<li>(.*?)</li>", page) == lines
    rows = csv.DictReader(io.StringIO(table([one], COURSE).decode("utf-8-sig")))
    flags = "late; renamed; a check was changed; its code reaches <b>beyond</b> it, see cell 3"
    assert next(rows)["flags"] == flags


def test_cards_are_those_of_the_notebook():
    """Catches a feedback page whose cards look unlike the ones that students know."""
    verdict = Verdict("x", "wrong", hint="Use `.sum(1)`.", expected="1")
    card = Card(verdict)
    assert card._repr_html_() == card_html("wrong", card.head(), card.lines())
    assert "<code>.sum(1)</code>" in card_html("wrong", "head", [("Hint", "Use `.sum(1)`.")])
    assert "&lt;b&gt;" in card_html("open", "<b>", [("Yours", "<b>")])


def class_of(n=30):
    """Students with all kinds of results."""
    kinds = [
        {"right": NAMES},
        {"right": NAMES[:3]},
        {"right": (), "status": "timeout", "reason": "longer than 900 s"},
        {"right": NAMES[1:], "flags": ["a check was changed"]},
        {"status": "error", "reason": "the grader failed"},
    ]
    return [result_of(f"s{i:02}", **kinds[i % 5], seconds=10.0 + i) for i in range(n)]


def test_the_report_counts(tmp_path):
    """Catches figures that do not add up, and a student who is not on the page."""
    results = class_of()
    page = class_page.report(results, COURSE, notes=["canvas.csv: 3 rows filled"])
    points = [one.points for one in results if one.graded]
    mean, median = statistics.mean(points), statistics.median(points)
    assert f"mean {mean:.1f} and median {median:g} of 12 points" in page
    assert "30 students" in page and "canvas.csv: 3 rows filled" in page
    assert "ok: 18; timeout: 6; error: 6" in page
    for one in results:
        assert f"students/{one.student}/feedback.html" in page
    assert page.count("a check was changed") == 6 and page.count("the grader failed") == 6
    assert f"{NAMES[4]}: sign" in page and "Turn the sign round." in page
    pictures = re.findall(r"base64,([\w+/=]+)", page)
    svgs = [base64.b64decode(each).decode() for each in pictures]
    assert len(svgs) == 4
    assert f"{NAMES[0]} (2 p.)" in svgs[1] and ">s28<" in svgs[3] and "not judged" in svgs[1]
    assert page == class_page.report(results, COURSE, notes=["canvas.csv: 3 rows filled"])


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result_of("a", status="error", reason="x")],
        [result_of("a", right=NAMES)],
        [dataclasses.replace(result_of("$x^2$ 名前 <b>", right=NAMES), points=99.5)],
    ],
    ids=["nobody", "nobody graded", "one, all right", "odd name, many points"],
)
def test_a_report_of_any_class(results):
    """Catches a mean of nothing, formulas in names, points beyond the maximum."""
    page = class_page.report(results, COURSE, notes=[]) if results else ""
    assert "<b></b>" not in page
    other = assignment.find(OTHER)
    assert "The VAE, derived" in class_page.report([result_of("a", stem=OTHER)], other, notes=[])
