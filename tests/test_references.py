"""Citations and links in the notebooks: each leads somewhere, and to what the bibliography says."""

import re
import unicodedata
from pathlib import Path

import pytest

from course_lib.authoring import read_source
from course_lib.authoring.address import course_address

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))
BIB = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
ENTRIES = {
    key: dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, re.MULTILINE))
    for key, body in re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", BIB, re.MULTILINE | re.DOTALL)
}
NAME = r"[A-Z][^\W\d_]+(?:-[A-Z][^\W\d_]+)*"
CITATION = re.compile(
    rf"\b({NAME})(?:(?:, {NAME})*,? (?:and|&) {NAME}| et al\.)?,? \(?((?:19|20)\d\d)\b"
)
MARKDOWN_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def plain(name):
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()


def cited(text):
    """(first author, year) of every citation in a text, wherever its lines break."""
    found = CITATION.findall(re.sub(r"\s+#? ?", " ", text))
    return {(plain(name), year) for name, year in found}


def first_author(entry):
    return plain(entry["author"].split(" and ")[0].split()[-1]), entry["year"]


def prose(source):
    return "\n\n".join(c.source for c in read_source(source) if c.kind == "markdown")


def code(source):
    return "\n\n".join(c.source for c in read_source(source) if c.kind == "code")


def test_citations_are_recognised():
    """Catches a search that misses a form in which the course cites."""
    for text in ("Burda et\n# al. (2016)", "(Cover and Thomas, 2006, chapter 10)", "Shoemake 1985"):
        assert len(cited(text)) == 1, text
    assert cited("Rybkin, Daniilidis & Levine 2021") == {("rybkin", "2021")}
    assert cited("(Loaiza-Ganem and Cunningham, 2019)") == {("loaiza-ganem", "2019")}
    assert not cited("Notebook 05 draws 2000 images, in Figure 19. 1985 of them")


@each_source
def test_every_citation_in_prose_is_a_link(source):
    """Catches a citation that a reader cannot follow."""
    assert not cited(MARKDOWN_LINK.sub("…", prose(source)))


@each_source
def test_every_citation_leads_to_its_work(source):
    """Catches a link whose address is not that of the work in the bibliography."""
    links = [(text, url) for text, url in MARKDOWN_LINK.findall(prose(source)) if cited(text)]
    assert links
    for text, url in links:
        (who,) = cited(text)
        known = [e for e in ENTRIES.values() if first_author(e) == who and e["url"] == url]
        assert len(known) == 1, f"{text} leads to {url}"


@each_source
def test_citations_in_code_are_linked_in_prose(source):
    """Catches a source that only a docstring names, where no link can stand."""
    linked = [text for text, _ in MARKDOWN_LINK.findall(prose(source))]
    assert cited(code(source)) <= cited("; ".join(linked))


def test_every_entry_is_used_and_every_source_has_one():
    """Catches an entry that nothing cites, and a source in course_lib that has no entry."""
    modules = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "course_lib").rglob("*.py"))
    in_code = cited(modules)
    works = {first_author(entry) for entry in ENTRIES.values()}
    assert in_code <= works, in_code - works
    urls = {url for source in SOURCES for _, url in MARKDOWN_LINK.findall(prose(source))}
    for key, entry in ENTRIES.items():
        assert entry["url"] in urls or first_author(entry) in in_code, f"nothing cites {key}"


def test_no_work_stands_twice():
    """Catches two entries for one work, or an address without its scheme."""
    urls = [entry["url"] for entry in ENTRIES.values()]
    assert len(urls) == len(set(urls)) == BIB.count("\n@")
    assert all(re.fullmatch(r"https://[\w./?=%~-]+", url) for url in urls)


@each_source
def test_notebooks_link_to_the_notebooks_that_they_name(source):
    """Catches "notebook 03" without a link, or with one to another notebook."""
    stems = {path.stem[:2]: path.stem for path in SOURCES}
    text = prose(source)
    bare = set(re.findall(r"\b[Nn]otebook (\d\d)\b", MARKDOWN_LINK.sub("…", text)))
    assert bare <= {source.stem[:2]}
    for words, url in MARKDOWN_LINK.findall(text):
        number = re.search(r"\b0\d\b", words)
        if url.endswith(".ipynb"):
            assert url == f"{stems[number[0]]}.ipynb", words


@each_source
def test_links_out_of_the_folder_lead_to_the_repository(source):
    """Catches a link that JupyterLab, opened on notebooks/, cannot follow to a file above it."""
    address = course_address(ROOT)
    above = re.findall(r"\]\(\.\./([^)\s]+)\)", prose(source))
    for folder in ("notebooks", "solutions"):
        built = (ROOT / folder / f"{source.stem}.ipynb").read_text(encoding="utf-8")
        assert "](../" not in built
        for name in above:
            assert (ROOT / name).exists(), name
            assert f"]({address.url}/blob/{address.tag}/{name})" in built
