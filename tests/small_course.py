"""A course small enough to be installed in seconds without a network, and ways to harm it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "course_tiny"
# Stands where pytest would: says where it runs and with what, and ends with a code of its own.
FAKE_PYTEST = """
import json, os, sys
from course_tiny import VERSION
print(json.dumps({"argv": sys.argv[1:], "prefix": sys.prefix, "cwd": os.getcwd(),
    "version": VERSION, "fast": os.environ.get("COURSE_FAST"),
    "data": os.environ.get("COURSE_DATA"), "path": os.environ["PYTHONPATH"]}))
sys.exit(5)
"""


class SmallCourse:
    """A clone with the real launcher and one tiny package instead of the real ones."""

    def __init__(self, folder: Path):
        self.root = folder / "clone"
        self.wheels = folder / "wheels"
        self.wheels.mkdir(parents=True)
        package = self.root / "course_lib"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "course_lib/commands", package / "commands", ignore=ignored)
        for path in (ROOT / "course_lib").glob("*.py"):
            shutil.copy(path, package)
        self.require("1.0")
        self.project()
        (self.root / "requirements-dev.txt").write_text("")

    @property
    def venv(self):
        """Where the launcher installs."""
        return self.root / ".venv"

    @property
    def stamp(self):
        """The launcher's note on its installation."""
        return self.venv / "course-stamp.json"

    @property
    def packages(self):
        """The site-packages folder of .venv."""
        return next(self.venv.glob("[lL]ib/**/site-packages"))

    def project(self, groups=f'dev = ["{PACKAGE}_dev"]\n'):
        """Writes pyproject.toml."""
        project = f'[project]\nname = "small"\ndependencies = ["{PACKAGE}>=1.0"]\n'
        (self.root / "pyproject.toml").write_text(f"{project}[dependency-groups]\n{groups}")

    def require(self, version, digest=None):
        """Asks for a version of the tiny package by its hash, and makes its wheel."""
        info = f"{PACKAGE}-{version}.dist-info"
        files = {
            f"{PACKAGE}/__init__.py": f"VERSION = {version!r}\n",
            "pytest/__init__.py": "",
            "pytest/__main__.py": FAKE_PYTEST,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        file = self.wheels / f"{PACKAGE}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(file, "w") as wheel:
            for name, text in {**files, f"{info}/RECORD": record}.items():
                wheel.writestr(name, text)
        digest = digest or hashlib.sha256(file.read_bytes()).hexdigest()
        (self.root / "requirements.txt").write_text(
            f"{PACKAGE}=={version} --hash=sha256:{digest}\n"
        )

    def launch(self, *arguments, **variables):
        """Starts `python -m course_lib …` and returns the running process."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("COURSE_")}
        env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PYTHONPATH": ""}
        folders = env["PATH"].split(os.pathsep)  # uv has tests of its own
        env["PATH"] = os.pathsep.join(f for f in folders if shutil.which("uv", path=f) is None)
        env["PIP_REQUIRE_VIRTUALENV"] = "1"  # a bug must not reach the Python that runs the tests
        return subprocess.Popen(
            [sys.executable, "-m", "course_lib", *arguments],
            cwd=self.root,
            env={**env, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start(self, *arguments, **variables):
        """Runs `test …` to its end: (what the fake pytest said, all output, exit code)."""
        with self.launch("test", *arguments, **variables) as process:
            out, _ = process.communicate(timeout=120)
        said = [json.loads(line) for line in out.splitlines() if line.startswith('{"argv"')]
        return (said[0] if said else None), out, process.returncode
