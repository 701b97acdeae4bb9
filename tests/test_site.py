"""The site: what a page holds, which links lead on, and what stops the build."""

import html
import importlib.util
import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from PIL import Image

from course_lib.authoring import read_source
from course_lib.benchmarks import lab
from course_lib.commands import requirements, site
from course_lib.errors import CourseError
from course_lib.exercises import EXERCISES

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))
LACKING = requirements.lacking(ROOT, ("docs",))
needs_sphinx = pytest.mark.skipif(bool(LACKING), reason=f"no {', '.join(LACKING)}: group docs")
PNG = (  # one white pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj0wwAAAABJRU5ErkJggg=="
)
VIEW = {"model_id": "0", "version_major": 2, "version_minor": 0}


def shown(**data):
    """An output cell entry; underscores stand for what a MIME type has there."""
    return {"output_type": "display_data", "metadata": {}, "data": data}


OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": "forty-two point zero nats"},
    shown(**{"text/html": "<b>a card of green</b>", "text/plain": "card"}),
    shown(**{site.WIDGET: VIEW, "text/plain": "a bar of progress"}),
    shown(**{site.WIDGET: VIEW, "image/png": PNG, "text/plain": "a panel"}),
    shown(**{"text/html": '<div class="course-still">hidden twin</div>'}),
]


def executed(source, *, digest=None, outputs=OUTPUTS):
    """A small notebook in the place of an executed one."""
    markdown = {"cell_type": "markdown", "metadata": {}}
    cells = [
        {**markdown, "source": f"# {source.stem[:2]} · A title"},
        {**markdown, "source": "Mathematics: $$\\hat x = V z + \\bar x$$\n"},
        {**markdown, "source": f"[on]({SOURCES[1].stem}.ipynb)"},
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 1,
            "source": "1",
            "outputs": outputs,
        },
    ]
    metadata = {"course": {"source_sha256": digest or site.source_digest(source)}}
    metadata["language_info"] = {"name": "python"}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}


@pytest.fixture
def course(tmp_path):
    """A copy of what the site is made of; notebook 01 is executed, 03 from an older source."""
    copy = tmp_path / "course"
    ignored = shutil.ignore_patterns("__pycache__", "_build", "executed")
    for name in ("course_lib", "docs", "solutions", "data"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for path in [*ROOT.glob("*.md"), ROOT / "pyproject.toml"]:
        shutil.copy(path, copy)
    kept = copy / "docs" / "executed"
    kept.mkdir()
    for source, digest in ((SOURCES[0], None), (SOURCES[2], "0" * 64)):
        text = json.dumps(executed(source, digest=digest))
        (kept / f"{source.stem}.ipynb").write_text(text, encoding="utf-8")
    return copy


# --- what is staged, without Sphinx -----------------------------------------------------------


def test_notebooks_say_which_outputs_they_show(course, tmp_path):
    """Catches a page that shows old outputs, or none, without a word."""
    notes = site.stage(course, tmp_path / "pages")
    assert [note.split(":")[0] for note in notes] == [source.stem for source in SOURCES[1:]]
    for number, words in ((0, None), (1, "without outputs"), (2, "of an older source")):
        path = tmp_path / "pages" / "notebooks" / f"{SOURCES[number].stem}.ipynb"
        second = json.loads(path.read_text(encoding="utf-8"))["cells"][1]["source"]
        assert "{note}" not in second if words is None else words in second


def test_panels_become_pictures_and_progress_goes(course, tmp_path):
    """Catches a panel that looks for a kernel, a dead progress bar, or a picture shown twice."""
    site.stage(course, tmp_path / "pages")
    page = tmp_path / "pages" / "notebooks" / f"{SOURCES[0].stem}.ipynb"
    outputs = json.loads(page.read_text(encoding="utf-8"))["cells"][-1]["outputs"]
    kinds = [sorted(output.get("data", [])) for output in outputs]
    assert kinds == [[], ["text/html", "text/plain"], ["image/png", "text/plain"]]


def test_a_changed_source_makes_outputs_old(course, tmp_path):
    """Catches a hash that does not see an edit, or that sees how lines end."""
    source = course / "solutions" / SOURCES[0].name
    before = site.source_digest(source)
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert site.source_digest(source) == before
    source.write_bytes(source.read_bytes() + b"# more\r\n")
    assert any("older" in note for note in site.stage(course, tmp_path / "p") if note[:2] == "01")


def test_files_that_the_site_does_not_show_are_linked_at_the_repository(course, tmp_path):
    """Catches a link that leads on in the repository and nowhere on the site."""
    text = "[a](../course_lib/losses.py) [b](/LICENSE.md) [c](glossary.md) [d](https://x.y/z.md)"
    (course / "docs" / "more.md").write_text(text, encoding="utf-8")
    site.stage(course, tmp_path / "pages")
    staged = (tmp_path / "pages" / "docs" / "more.md").read_text(encoding="utf-8")
    assert re.search(r"\[a\]\(https://\S+/blob/v[\d.]+/course_lib/losses.py\)", staged)
    assert "[b](/LICENSE.md) [c](glossary.md) [d](https://x.y/z.md)" in staged  # b is nowhere


@pytest.mark.parametrize("text", ["", "[]", "{", '{"cells": [1], "metadata": {}}', "\x00"])
def test_a_damaged_notebook_is_one_line(course, tmp_path, text):
    """Catches a traceback, or half a page, where an executed notebook is cut off."""
    path = course / "docs" / "executed" / f"{SOURCES[0].stem}.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=r"01_.* is no notebook: .*site --execute"):
        site.stage(course, tmp_path / "pages")


# --- the command ------------------------------------------------------------------------------


def test_bad_targets_are_one_line_and_keep_what_is_there(here, capsys, tmp_path, monkeypatch):
    """Catches a folder of the user's that the site replaces, or a path found wrong too late."""
    monkeypatch.setattr(site, "_sphinx", lambda *_: pytest.fail("too late"))
    (tmp_path / "file").write_text("mine")
    for out, words in (
        (tmp_path / "none" / "site", "not a folder that exists"),
        (tmp_path / "file", "is a file"),
        (tmp_path / ("x" * 300), "cannot be written: "),
        (tmp_path, "something else than an earlier site"),
    ):
        assert here(["site", "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def notebook_to_run(root, code):
    """A course of one notebook: its source's path."""
    (root / "solutions").mkdir(parents=True)
    (root / "docs").mkdir()
    source = root / "solutions" / "01_small.py"
    source.write_text(code, encoding="utf-8")
    content = executed(source, outputs=[])
    content["cells"][-1]["source"] = code
    content["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    source.with_suffix(".ipynb").write_text(json.dumps(content), encoding="utf-8")
    return source


@pytest.mark.notebook
def test_an_executed_notebook_names_its_source(tmp_path):
    """Catches outputs without the hash of what made them, or with paths of one machine."""
    source = notebook_to_run(tmp_path, "print(6 * 7)")
    site._execute(tmp_path, source)
    text = (tmp_path / "docs" / "executed" / "01_small.ipynb").read_text(encoding="utf-8")
    made = json.loads(text)
    assert made["metadata"]["course"]["source_sha256"] == site.source_digest(source)
    assert made["cells"][-1]["outputs"][0]["text"] == ["42\n"]
    assert str(tmp_path) not in text


@pytest.mark.notebook
def test_a_notebook_that_fails_leaves_the_kept_one(tmp_path):
    """Catches half a notebook in the place of the last whole one."""
    source = notebook_to_run(tmp_path, "1 / 0")
    kept = tmp_path / "docs" / "executed" / "01_small.ipynb"
    kept.parent.mkdir()
    kept.write_text("before")
    with pytest.raises(CourseError, match="01_small does not run to its end: ZeroDivisionError"):
        site._execute(tmp_path, source)
    assert kept.read_text() == "before" and len(list(kept.parent.iterdir())) == 1


# --- the pages --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The site of a copy of the course, built once, in the place of an earlier site."""
    folder = tmp_path_factory.mktemp("site")
    copy = course.__wrapped__(folder)
    (folder / "out").mkdir()
    for name in (site.BUILT, "index.html", "of_before.html"):
        (folder / "out" / name).write_text("before")
    site.build(copy, folder / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["course", "out"]
    assert not (folder / "out/of_before.html").exists()
    assert text_of(folder / "out/index.html") != "before"
    return folder / "out"


def text_of(page):
    return page.read_text(encoding="utf-8")


@needs_sphinx
@pytest.mark.install
def test_a_page_has_outputs_and_mathematics(pages):
    """Catches outputs or formulas that do not reach the page, and formulas that need a network."""
    page = text_of(pages / "notebooks" / f"{SOURCES[0].stem}.html")
    assert "forty-two point zero nats" in page and "a card of green" in page
    assert "a bar of progress" not in page and "hidden twin" not in page
    assert re.search(r'<img[^>]+src="\.\./_images/\w+\.png"', page)
    assert r"\hat x = V z + \bar x" in page and 'class="math' in page
    (script,) = re.findall(r'src="(?:\.\./)?([^"]*mathjax[^"?]*)', page)
    assert (pages / "notebooks" / ".." / script).is_file()
    for stem, words in ((SOURCES[1].stem, "without outputs"), (SOURCES[2].stem, "older source")):
        assert words in text_of(pages / "notebooks" / f"{stem}.html")


@needs_sphinx
@pytest.mark.install
def test_the_search_index_knows_the_words(pages):
    """Catches a search that finds nothing in notebooks, glossary or outputs."""
    index = text_of(pages / "searchindex.js")
    for word in ("encod", "posterior", "syllabus", "forti"):  # as the index stems them
        assert word in index


@needs_sphinx
@pytest.mark.install
def test_the_demo_is_embedded(pages):
    """Catches a frame without its page."""
    (frame,) = re.findall(r'<iframe src="([^"]+)"', text_of(pages / "docs" / "demo.html"))
    assert "mnist-decoder-2" in text_of(pages / "docs" / frame)


@needs_sphinx
@pytest.mark.install
def test_every_local_link_of_the_site_leads_on(pages):
    """Catches a page, picture or place in a page that is not there."""
    parts = [page for page in pages.rglob("*.html") if "_static" not in page.parts]
    found = {page: text_of(page) for page in parts if page != pages / "demo.html"}
    assert len(found) > 15
    found[pages / "demo.html"] = ""
    for path, text in found.items():
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            target, _, place = unquote(html.unescape(link)).partition("#")
            if re.match(r"[a-z]+:|//", target):
                continue
            file = (path.parent / target.partition("?")[0]).resolve() if target else path
            assert file.exists(), f"{path.name} links to {link}"
            if place and file.suffix == ".html" and file.is_file() and file.name != "demo.html":
                assert f'id="{place}"' in found.get(file, text_of(file)), f"{path.name}: {link}"


@needs_sphinx
@pytest.mark.install
def test_a_broken_link_or_citation_stops_the_build(course, tmp_path):
    """Catches a fault that only a reader of the site meets, and half a site."""
    page = course / "docs" / "glossary.md"
    page.write_text(text_of(page) + "\n[x](no_such_page.md) {cite}`nobody1900`\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"not built, 2 faults: docs/glossary.md:\d+: WARNING"):
        site.build(course, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["course"]


@needs_sphinx
@pytest.mark.install
@pytest.mark.browser
@pytest.mark.skipif(lab.lacking() is not None, reason=str(lab.lacking()))
def test_the_site_works_from_the_disk_without_a_network(pages):
    """Catches formulas, search or demo that do nothing in a browser."""
    with lab.chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        page.goto((pages / "notebooks" / f"{SOURCES[0].stem}.html").as_uri())
        page.locator("mjx-container").first.wait_for()
        page.goto((pages / "search.html").as_uri() + "?q=posterior")
        page.locator("#search-results li").first.wait_for()
        page.goto((pages / "docs" / "demo.html").as_uri())
        page.frame_locator("iframe").get_by_role("slider").first.wait_for()


# --- what the pages say -----------------------------------------------------------------------


def test_links_between_pages_lead_somewhere():
    """Catches a link in docs/ to a file that is not there; `/` is the course's folder."""
    for page in (ROOT / "docs").glob("*.md"):
        for link in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", text_of(page)):
            file = ROOT / link[1:] if link.startswith("/") else page.parent / link
            assert file.exists(), f"{page.name} links to {link}"


def test_the_syllabus_says_what_the_notebooks_say():
    """Catches minutes, points or exercises that have changed in a notebook."""
    syllabus = text_of(ROOT / "docs" / "syllabus.md")
    weeks = re.findall(r"\(/notebooks/(\w+)\.ipynb\) \| [^|]+ \| (\d+) \|", syllabus)
    rows = re.findall(r"^\| (\d\d) \| `(\w+)` \| (\d+) \| ([\d.]+) \| (\S+) \|", syllabus, re.M)
    told = []
    for source, (stem, minutes) in zip(SOURCES, weeks, strict=True):
        cells = read_source(source)
        assert stem == source.stem
        assert re.search(rf"^\| {minutes} minutes", "\n".join(c.source for c in cells), re.M)
        prose = ""
        for cell in cells:
            prose += cell.source if cell.kind == "markdown" else ""
            if cell.check:
                takes = re.findall(r"Difficulty (\S+) .*?(\d+) minutes", prose, re.DOTALL)[-1]
                points = f"{EXERCISES[cell.check].points:g}"
                told.append((stem[:2], cell.check, takes[1], points, takes[0]))
    assert rows == told


def test_the_syllabus_names_the_demos_views():
    """Catches a view that the demo calls otherwise."""
    script = text_of(ROOT / "course_lib/demo/site/main.js")
    views = set(re.findall(r'lazily\("\w+", "([^"]+)"', script))
    assert len(views) == 9
    demo = text_of(ROOT / "docs" / "demo.md")
    assert set(re.findall(r"^\| ([^|]+) \| [^|]+ \| \[", demo, re.M)) == views
    column = re.findall(
        r"ipynb\) \| [^|]+ \| \d+ \| ([^|]+) \|", text_of(ROOT / "docs" / "syllabus.md")
    )
    assert {v.strip() for cell in column for v in cell.split(";")} - {"–"} == views


def test_the_glossary_names_the_notebook_that_introduces_a_term():
    """Catches a term that no notebook sets in bold, or that an earlier one does."""
    bold = {}
    for source in SOURCES:
        prose = " ".join(c.source for c in read_source(source) if c.kind == "markdown")
        for term in re.findall(r"\*\*([^*]+)\*\*", re.sub(r"\s+", " ", prose)):
            bold.setdefault(term.lower(), source.stem)
    sections = re.split(r"^## .*?/(\w+)\.ipynb\)$", text_of(ROOT / "docs/glossary.md"), flags=re.M)
    for stem, body in zip(sections[1::2], sections[2::2], strict=True):
        terms = re.findall(r"^- \*\*([^*]+)\*\*: \S", body, re.M)
        assert len(terms) >= 8
        for term in terms:
            assert bold.get(term.lower()) == stem, f"{term}: {bold.get(term.lower())}"


def test_every_benchmark_is_described():
    """Catches a benchmark that the page leaves out, or one that is gone."""
    from course_lib.commands.bench import BENCHMARKS

    named = re.findall(r"^\| `(\w+)` \|", text_of(ROOT / "docs" / "benchmarks.md"), re.M)
    assert sorted(named) == sorted(BENCHMARKS)


def test_the_picture_is_small():
    """Catches a picture in README that costs every clone."""
    picture = (ROOT / "docs" / "notebook.png").read_bytes()
    assert picture[:4] == b"\x89PNG" and 10_000 < len(picture) < 200_000


def test_the_gallery_shows_pictures_that_are_there():
    """Catches a sentence without its picture, and a section or notebook that is no more."""
    page = text_of(ROOT / "docs" / "gallery.md")
    shown = re.findall(
        r"!\[(.+)\]\(/(docs/gallery/\d\d_\d+\.png)\)\n\n(.+) \[Section (\d\.\d+)\]", page
    )
    assert len(shown) >= 20 and len({path[13:15] for _, path, _, _ in shown}) == 7
    assert {path for _, path, _, _ in shown} == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "gallery").glob("*.png")
    }
    assert all(alt == sentence for alt, _, sentence, _ in shown)


def test_the_gallery_is_what_its_script_makes_of_the_notebooks():
    """Catches a sentence, section, number or title that the script or a notebook has otherwise."""
    path = ROOT / "docs" / "gallery_pictures.py"
    spec = importlib.util.spec_from_file_location("gallery_pictures", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    parts = [script.HEAD]
    for stem, sentences in script.CHOSEN.items():
        notebook = nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", 4)
        parts.append(f"## {notebook.cells[0].source.splitlines()[0].removeprefix('# ')}\n")
        for number, said in sentences.items():
            _, section = script.figure(notebook, number)
            picture = f"/docs/gallery/{stem[:2]}_{number}.png"
            link = f"[Section {section}](/notebooks/{stem}.ipynb), figure {number}."
            parts.append(f"![{said}]({picture})\n\n{said} {link}\n")
            with Image.open(ROOT / picture[1:]) as image:
                assert image.format == "PNG" and 300 < image.width <= script.WIDTH, picture
    assert text_of(ROOT / "docs" / "gallery.md") == "\n".join(parts)
    assert "docs/gallery/*.png" in site.PAGES
