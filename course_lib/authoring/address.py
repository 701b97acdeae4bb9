"""Where the course is hosted: one place, pyproject.toml; badges and the Colab cell follow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError

BADGE_LINE = "{{colab_badge}}"
BADGE_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"

# One archive for all, by https: git may be missing. A zip ends with its table, so that one which is
# cut off is refused; the folder gets its name when it is whole. Where there is no address, urlopen
# says that "https://" has no host.
SETUP_TEMPLATE = """\
# Finds the course, or fetches it where this notebook lies alone. Running it again is safe.
import importlib.util, io, os, subprocess, sys, tempfile, zipfile
from pathlib import Path
from urllib.request import urlopen

ARCHIVE = "{archive}"
PACKAGES = "torch torchvision sklearn matplotlib ipywidgets safetensors filelock platformdirs"
here, fetched, has = Path.cwd(), Path.cwd() / "{folder}", importlib.util.find_spec
course = next((f for f in (here, *here.parents) if (f / "course_lib").is_dir()), fetched)
if course == fetched and not has("course_lib"):
    try:
        if not fetched.is_dir():
            with tempfile.TemporaryDirectory(dir=here) as part:
                zipfile.ZipFile(io.BytesIO(urlopen(ARCHIVE, timeout=60).read())).extractall(part)
                next(Path(part).iterdir()).rename(fetched)
    except Exception as error:
        sys.exit(f"No course in {{here}} or above, and none fetched ({{error}}): put this notebook "
                 "into the course's folder notebooks, or run this cell with a network")
    os.chdir(course)
    if has("torch"):  # then what is small comes from here
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "-r", "requirements-colab.txt"]
        subprocess.run(pip, capture_output=True)
if not has("course_lib"):
    sys.path.insert(0, str(course))
lacking = [name for name in PACKAGES.split() if not has(name)]
if lacking or sys.version_info < (3, 11):
    sys.exit(f"Python {{sys.version.split()[0]}} ({{sys.executable}}) is too old or lacks "
             f"{{lacking}}: choose another kernel, such as .venv of python -m course_lib lab")
if "google.colab" in sys.modules:
    print("To keep your work: File → Save a copy in Drive")
import course_lib  # before torch: says how threads wait for each other
"""


class Address(NamedTuple):
    """`repository` is "owner/name", "" if there is none; `tag` the version that is fetched."""

    repository: str
    tag: str

    @property
    def url(self) -> str:
        """The repository's page, which git clones."""
        return f"https://github.com/{self.repository}"

    @property
    def archive(self) -> str:
        """The course at this tag as a zip file, "https://" where there is no address."""
        return f"{self.url}/archive/refs/tags/{self.tag}.zip" if self.repository else "https://"


def course_address(root: Path) -> Address:
    """Repository and tag from [tool.course] in pyproject.toml."""
    return _address(root, "repository")


def class_address(root: Path) -> Address:
    """Where a class finds its copy: `class_repository` of [tool.course], which may be missing."""
    return _address(root, "class_repository", default="")


def _address(root: Path, key: str, default: str | None = None) -> Address:
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(
            f"no pyproject.toml in {root.resolve()}: run this in the course"
        ) from error
    # Two plain strings; the standard library reads TOML only from Python 3.11 on.
    table = re.search(r"^\[tool\.course\]\s*\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    entries = dict(re.findall(r'^(\w+) *= *"([^"]*)"', table[1] if table else "", re.MULTILINE))
    if default is not None:
        entries.setdefault(key, default)
    try:
        return Address(entries[key], entries["tag"])
    except KeyError as error:
        raise CourseError(f'pyproject.toml: [tool.course] needs a line {error} = "…"') from error


def badge_markdown(root: Path, notebook: str) -> str:
    """The "Open in Colab" badge of a notebook such as "notebooks/01_….ipynb", as markdown."""
    return badge(course_address(root), notebook)


def badge(address: Address, notebook: str) -> str:
    """The same at an address; "" where there is none."""
    if not address.repository:
        return ""
    place = f"{address.repository}/blob/{address.tag}/{notebook}"
    return f"[![Open in Colab]({BADGE_IMAGE})](https://colab.research.google.com/github/{place})"


def file_links(address: Address, markdown: str) -> str:
    """Links to files of the course, `](../…)` in a source, as links to the repository at the tag.

    JupyterLab is opened on notebooks/ and serves nothing above it. Without an address words stay.
    """
    if not address.repository:
        return re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)
    return markdown.replace("](../", f"]({address.url}/blob/{address.tag}/")


def setup_source(address: Address) -> str:
    """The first code cell of every notebook."""
    folder = address.repository.rsplit("/", 1)[-1] or "course"
    return SETUP_TEMPLATE.format(folder=folder, archive=address.archive).rstrip("\n")
