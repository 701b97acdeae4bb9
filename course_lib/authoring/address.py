"""Where the course is hosted: one place, pyproject.toml; badges and the Colab cell follow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError

BADGE_LINE = "{{colab_badge}}"
BADGE_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"

SETUP_TEMPLATE = """\
# Makes `course_lib` importable; on Colab it fetches the course first. Running it again is safe.
import importlib.util, os, subprocess, sys
from pathlib import Path

if "google.colab" in sys.modules:
    if not Path("course_lib").is_dir():
        if not Path("{folder}").is_dir():
            clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", "{tag}"]
            subprocess.run([*clone, "{url}"], check=True)
        os.chdir("{folder}")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "-r", "requirements-colab.txt"]
    subprocess.run(install, check=True)  # only what is missing
if importlib.util.find_spec("course_lib") is None:  # this notebook lies in the course's folder
    folders = [Path.cwd(), *Path.cwd().parents]
    sys.path[:0] = [str(folder) for folder in folders if (folder / "course_lib").is_dir()]
"""


class Address(NamedTuple):
    """`repository` is "owner/name", `tag` the version that badges and Colab fetch."""

    repository: str
    tag: str

    @property
    def url(self) -> str:
        """What git clones."""
        return f"https://github.com/{self.repository}"


def course_address(root: Path) -> Address:
    """Repository and tag from [tool.course] in pyproject.toml."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(
            f"no pyproject.toml in {root.resolve()}: run this in the course"
        ) from error
    # Two plain strings; the standard library reads TOML only from Python 3.11 on.
    table = re.search(r"^\[tool\.course\]\s*\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    entries = dict(re.findall(r'^(\w+) *= *"([^"]*)"', table[1] if table else "", re.MULTILINE))
    try:
        return Address(entries["repository"], entries["tag"])
    except KeyError as error:
        raise CourseError(f'pyproject.toml: [tool.course] needs a line {error} = "…"') from error


def badge_markdown(root: Path, notebook: str) -> str:
    """The "Open in Colab" badge of a notebook such as "notebooks/01_….ipynb", as markdown."""
    repository, tag = course_address(root)
    target = f"https://colab.research.google.com/github/{repository}/blob/{tag}/{notebook}"
    return f"[![Open in Colab]({BADGE_IMAGE})]({target})"


def file_links(root: Path, markdown: str) -> str:
    """Links to files of the course, `](../…)` in a source, as links to the repository at the tag.

    JupyterLab is opened on notebooks/ and serves nothing above it.
    """
    address = course_address(root)
    return markdown.replace("](../", f"]({address.url}/blob/{address.tag}/")


def setup_source(root: Path) -> str:
    """The first code cell of every notebook."""
    address = course_address(root)
    folder = address.repository.rsplit("/", 1)[-1]
    return SETUP_TEMPLATE.format(folder=folder, tag=address.tag, url=address.url).rstrip("\n")
