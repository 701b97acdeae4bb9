"""Build the site in docs/; what it shows of the notebooks was run before, with --execute."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from course_lib.commands import arguments
from course_lib.errors import CourseError

NEEDS = ("grade", "docs")
PAGES = ("*.md", "docs/*.md", "docs/*.png", "docs/gallery/*.png", "data/README.md")
BUILT = "objects.inv"  # by this file a folder is known as an earlier site
WIDGET = "application/vnd.jupyter.widget-view+json"
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`site [--execute] [--out DIR]`."""
    parser.add_argument(
        "--execute", action="store_true", help="first run the solutions, for their outputs"
    )
    parser.add_argument("--out", type=arguments.path, metavar="DIR", help="default: docs/_build")


def check(args: argparse.Namespace) -> None:
    """Refuse a place that cannot take the site, and an installed course. CourseError."""
    if not (args.root / "docs" / "conf.py").is_file():
        raise CourseError("the site's pages lie in a clone of the course, and this is none")
    args.out = (args.out or args.root / "docs" / "_build").absolute()
    _refuse(args.out)


def run(args: argparse.Namespace) -> int:
    """Runs the notebooks where asked to, and builds every page; a warning of Sphinx is an error."""
    if args.execute:
        for source in _sources(args.root):
            _execute(args.root, source)
    try:
        notes = build(args.root, args.out)
    except OSError as error:  # a full disk
        raise CourseError(f"{args.out} cannot be written: {error.strerror or error}") from error
    for note in notes:
        print(note)
    print(f"wrote {args.out}: open {args.out / 'index.html'}")
    return 0


def build(root: Path, out: Path) -> list[str]:
    """The site in `out`, whole or not at all; a line for each notebook whose outputs are not new.

    Raises CourseError.
    """
    from course_lib import demo

    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        pages, site = Path(folder, "pages"), Path(folder, "site")
        notes = stage(root, pages)
        _sphinx(root, pages, site)
        demo.export(root / "data", site / "demo.html")
        if out.exists():
            out.rename(Path(folder, "before"))
        site.rename(out)
    return notes


def stage(root: Path, pages: Path) -> list[str]:
    """Copies what Sphinx reads into `pages`, in the layout of the course, so that links lead on."""
    from course_lib.diagnostics.entries import symptoms_page

    found = [path for name in PAGES for path in root.glob(name)]
    texts = {path.relative_to(root).as_posix(): path for path in found}
    notebooks = {f"notebooks/{source.stem}.ipynb": source for source in _sources(root)}
    for name, path in texts.items():
        target = pages / ("index.md" if name == "docs/index.md" else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = _with_addresses(root, path, shown={*texts, *notebooks})
            target.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    (pages / "docs/symptoms.md").write_text(symptoms_page(), encoding="utf-8")
    notes = []
    for name, source in notebooks.items():
        content, note = _shown(root, source)
        (pages / name).parent.mkdir(exist_ok=True)
        (pages / name).write_text(json.dumps(content), encoding="utf-8")
        notes += [f"{source.stem}: {note}"] if note else []
    return notes


def source_digest(source: Path) -> str:
    """SHA-256 of a notebook's source, the same on systems with other ends of lines."""
    return hashlib.sha256(source.read_text(encoding="utf-8").encode()).hexdigest()


def _sources(root: Path) -> list[Path]:
    return sorted((root / "solutions").glob("[0-9][0-9]_*.py"))


def _refuse(out: Path) -> None:
    try:
        if not out.parent.is_dir():
            raise CourseError(f"{out.parent} is not a folder that exists: make it first")
        if out.exists() and not out.is_dir():
            raise CourseError(f"{out} is a file: name a folder")
        if out.exists() and any(out.iterdir()) and not (out / BUILT).is_file():
            raise CourseError(f"{out} holds something else than an earlier site: name another")
    except OSError as error:  # a name that is too long
        raise CourseError(f"{out} cannot be written: {error.strerror or error}") from error


def _with_addresses(root: Path, path: Path, *, shown: set[str]) -> str:
    """The page's text; files of the course that the site does not show are linked where they are
    hosted."""
    from course_lib.authoring.address import course_address

    address = course_address(root)

    def target(match: re.Match[str]) -> str:
        link = match[1]
        file = root / link[1:] if link.startswith("/") else path.parent / link
        name = Path(re.sub(r"[^/]+/\.\./", "", file.relative_to(root).as_posix())).as_posix()
        if name in shown or not file.exists():  # what is nowhere is for Sphinx to say
            return link
        return f"{address.url}/blob/{address.tag}/{name}"

    return LINK.sub(target, path.read_text(encoding="utf-8"))


def _shown(root: Path, source: Path) -> tuple[dict[str, Any], str | None]:
    """The notebook as the page has it, and what the reader has to know about its outputs."""
    executed = root / "docs" / "executed" / f"{source.stem}.ipynb"
    plain = source.with_suffix(".ipynb")
    path, note = (executed, None) if executed.is_file() else (plain, "shown without outputs")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made_from = content["metadata"].get("course", {}).get("source_sha256")
        for cell in content["cells"]:
            cell["outputs"] = _still(cell.get("outputs", []))
            if cell["cell_type"] != "code":
                del cell["outputs"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        again = "build" if path == plain else "site --execute"
        raise CourseError(f"{path} is no notebook: python -m course_lib {again}") from error
    if note is None and made_from != source_digest(source):
        note = "shown with the outputs of an older source"
    if note:
        text = f"```{{note}}\nThis notebook is {note}.\n```"
        content["cells"].insert(1, {"cell_type": "markdown", "metadata": {}, "source": text})
        content["nbformat_minor"] = 4  # cells need no id
    content["metadata"].pop("widgets", None)
    return content, note


def _still(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs for a page without a kernel: a panel's picture in place of the panel, no progress."""
    kept = []
    for output in outputs:
        data = output.get("data", {})
        live = data.pop(WIDGET, None)
        if live and not {"image/png", "text/html"} & set(data):
            continue
        if "course-still" in "".join(data.get("text/html", [])):
            continue
        kept.append(output)
    return kept


def _sphinx(root: Path, pages: Path, site: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-N", "-W", "--keep-going"]
    command += ["-c", str(root / "docs"), "-d", str(pages.parent / "doctrees")]
    done = subprocess.run(
        [*command, str(pages), str(site)],
        cwd=root,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        said = done.stderr.replace(f"{pages}{os.sep}", "").strip()
        print(said, file=sys.stderr)
        lines = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
        told = lines[0] if lines else said.splitlines()[-1] if said else "Sphinx fell silent"
        raise CourseError(f"the site is not built, {len(lines)} faults: {told}")


def _execute(root: Path, source: Path) -> None:
    """Runs a solution and keeps it with its outputs in docs/executed/."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from course_lib.writing import write_whole

    kept = root / "docs" / "executed"
    kept.mkdir(exist_ok=True)
    digest = source_digest(source)
    print(f"running {source.stem}, minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        ran = Path(folder, f"{source.stem}.ipynb")
        try:
            papermill.execute_notebook(source.with_suffix(".ipynb"), ran, cwd=str(root))
        except PapermillExecutionError as error:
            told = f"{error.ename}: {error.evalue}"
            raise CourseError(f"{source.stem} does not run to its end: {told}") from error
        content = json.loads(ran.read_text(encoding="utf-8"))
    content["metadata"].pop("papermill", None)  # paths of this machine
    content["metadata"]["course"] = {"source_sha256": digest}
    write_whole(kept / f"{source.stem}.ipynb", json.dumps(content, indent=1, ensure_ascii=False))
