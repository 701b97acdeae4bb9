"""The page on the five reports: every row is there, and what it points to is in the notebooks."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
KINDS = {"S": "systems", "F": "figures", "T": "tables", "E": "formulas", "C": "claims"}
# What each report holds: its numbered figures, tables and formulas (unnumbered pictures are counted
# in order), the systems that it builds or names, and what it claims.
HELD = {
    "Faces": {"S": 3, "F": 8, "E": 3, "C": 12},
    "Autoencoders": {"S": 5, "F": 10, "E": 6, "C": 11},
    "Digits: a VAE": {"S": 3, "F": 5, "T": 1, "E": 12, "C": 10},
    "Digits: convolutional": {"S": 2, "F": 5, "T": 1, "E": 8, "C": 12},
    "CIFAR-10": {"S": 6, "F": 11, "C": 14},
}
TOKEN = re.compile(
    r"\[(?P<number>\d\d)\]\(/notebooks/(?P<notebook>\w+)\.ipynb\)"
    r"|\*(?P<section>[^*]+)\*"
    r"|exercise `(?P<exercise>\w+)`"
    r"|`(?P<code>[^`]+)`"
    r"|“(?P<caption>[^”]+)”"
    r'|words "(?P<words>[^"]+)"'
)


def reports():
    """{heading: {row: (what, place, seen)}}."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    found = {}
    for heading, body in zip(parts[::2], parts[1::2], strict=True):
        rows = found[heading] = {}
        for line in re.findall(r"^\| \*\*.*$", body, re.MULTILINE):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            what, place, seen = (cell.replace("\\|", "|") for cell in cells)
            row = re.match(r"\*\*([SFTEC]\d+)\*\* \S", what)
            assert row, f"{heading}: no number and words in: {line}"
            assert row[1] not in rows, f"{heading}: {row[1]} twice"
            rows[row[1]] = what, place, seen
    return found


REPORTS = reports()
ROWS = [
    pytest.param(place, id=f"{heading.split(':')[0]} {row}")
    for heading, rows in REPORTS.items()
    for row, (_, place, _) in rows.items()
]


def sections(name):
    """{heading without its number: the cells below it} of a built notebook's solution."""
    cells = json.loads((ROOT / "solutions" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    found, heading = {}, None
    for cell in cells:
        text = "".join(cell["source"])
        parts = [text]
        if cell["cell_type"] == "markdown":  # a cell may end one section and begin the next
            parts = re.split(r"^## \d+\.\d+ · (.+)$", text, flags=re.MULTILINE)
        for i, part in enumerate(parts):
            if i % 2:
                heading = part.strip()
                assert heading not in found, f"{name}: two sections are called {heading}"
                found[heading] = []
            elif heading:
                found[heading].append({**cell, "source": part})
    return found


NOTEBOOKS = {
    path.stem: sections(path.stem) for path in sorted((ROOT / "solutions").glob("[0-9]*.ipynb"))
}


def plain(text):
    """Words with single spaces between them."""
    return " ".join(text.split())


def holds(cells, kind, sought):
    """Whether one of these cells has what is sought."""
    prose = "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    captions = re.findall(r"^\*\*Figure \d+\.\*\*(?:.+\n?)+", prose, re.MULTILINE)
    code = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    if kind == "exercise":
        return any(cell["id"] == f"exercise-{sought}" for cell in cells)
    if kind == "code":
        return sought in code
    if kind == "words":
        return plain(sought) in plain(prose)
    return any(plain(sought) in plain(caption) for caption in captions)


@pytest.mark.parametrize("place", ROWS)
def test_the_place_exists(place):
    """Catches a section, figure, exercise or line of code that was renamed or has gone."""
    assert not TOKEN.sub("", place).strip(" :;,"), f"not understood: {TOKEN.sub('', place)}"
    notebook = section = None
    named = True  # whether the last section was followed by something in it
    for token in TOKEN.finditer(place):
        kind, sought = token.lastgroup, token[token.lastgroup]
        if kind == "notebook":
            assert sought in NOTEBOOKS and sought.startswith(token["number"]), sought
            assert named, f"{section}: names no cell"
            notebook, section = sought, None
        elif kind == "section":
            known = NOTEBOOKS[notebook]
            assert sought in known, f"{notebook} has no section {sought!r}, but {[*known]}"
            assert named, f"{section}: names no cell"
            section, named = sought, False
        else:
            assert section, f"in which section is {token[0]}?"
            cells = NOTEBOOKS[notebook][section]
            elsewhere = [
                s for s, others in NOTEBOOKS[notebook].items() if holds(others, kind, sought)
            ]
            assert holds(cells, kind, sought), (
                f"{notebook}, {section}: no {token[0]}; it stands in {elsewhere}"
            )
            named = True
    assert section and named, f"{section}: names no cell"


@pytest.mark.parametrize("report", HELD)
def test_every_row_is_there(report):
    """Catches a figure, formula or claim of a report that the page leaves out."""
    (rows,) = [rows for heading, rows in REPORTS.items() if heading.startswith(report)]
    expected = [f"{kind}{i}" for kind, n in HELD[report].items() for i in range(1, n + 1)]
    assert [*rows] == expected


def test_there_are_five_reports():
    """Catches a report without a table, or one that no list of this test holds."""
    assert len(REPORTS) == len(HELD) == 5
    assert all(kind in KINDS for held in HELD.values() for kind in held)


def test_the_site_shows_the_page():
    """Catches a page that no table of contents leads to."""
    assert "/docs/coverage\n" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
