"""The note in .venv that says which installation it holds, and whether that went to its end."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from course_lib.commands import requirements, torch_source
from course_lib.commands.process import python_of
from course_lib.writing import replace

FOLDER = ".venv"
STAMP = "course-stamp.json"
WHICH_PYTHON = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix)"


def is_complete(root: Path, *, needs: tuple[str, ...] = (), torch: str | None = None) -> bool:
    """Whether .venv has what the locks ask for now, from wheels that `--torch` allows."""
    stamp = read_stamp(root / FOLDER)
    kept = stamp.get("locks")
    return (
        stamp.get("complete") is True
        and isinstance(kept, dict)
        and fingerprints(root, needs).items() <= kept.items()
        and torch_source.keeps(stamp.get("torch"), torch)
        and stamp.get("python") == python_version(root / FOLDER)
    )


def python_version(venv: Path) -> str | None:
    """ "3.12" for an environment whose Python runs; None where it is missing or broken."""
    command = [str(python_of(venv)), "-I", "-X", "utf8", "-c", WHICH_PYTHON]
    try:
        reply = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    version, _, prefix = reply.stdout.strip().partition(" ")
    # Without its pyvenv.cfg it would run, but as the Python that it was made from.
    whole = reply.returncode == 0 and Path(prefix).resolve() == venv.resolve()
    return version if whole else None


def fingerprints(root: Path, needs: tuple[str, ...] = ()) -> dict[str, str]:
    """Hash of each lock that `needs` names, the same for both kinds of line ends."""
    return {
        name: hashlib.sha256(requirements.lock_text(root, name).encode()).hexdigest()
        for name in requirements.lock_names(root, needs)
    }


def read_stamp(venv: Path) -> dict[str, object]:
    """What the last installation noted; empty where there was none or it cannot be read."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv: Path, stamp: dict[str, object]) -> None:
    """Whole or not at all: a reader never sees half a stamp."""
    replace(venv / STAMP, json.dumps(stamp, indent=1) + "\n")
