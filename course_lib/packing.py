"""Text that nobody reads by accident: how a class's copy holds the answers (`build --class`).

It keeps no secret: whoever wants to can unpack it, as the checks do on a student's machine.
"""

from __future__ import annotations

import base64
import textwrap
import zlib
from pathlib import Path

from course_lib.errors import CourseError

HEAD = "# Packed, so that nobody reads an answer by accident.\n"
MODULE = '''"""A module of the course that holds an answer."""

from course_lib.packing import unpack

exec(compile(unpack("""{text}"""), __file__, "exec"))
'''


def pack(text: str) -> str:
    """Lines of ASCII without quotes and backslashes, the same under every Python."""
    data = base64.b85encode(zlib.compress(text.encode(), 9)).decode("ascii")
    return HEAD + "\n".join(textwrap.wrap(data, 100, break_on_hyphens=False)) + "\n"


def pack_module(text: str) -> str:
    """A module that does the same as the one with this text."""
    return MODULE.format(text=pack(text))


def unpack(text: str) -> str:
    """What was packed; a text that was not comes back as it is. Raises ValueError if damaged."""
    if not text.startswith(HEAD):
        return text
    try:
        return zlib.decompress(base64.b85decode("".join(text[len(HEAD) :].split()))).decode()
    except (ValueError, zlib.error) as error:
        raise ValueError("damaged: take the course's folder anew") from error


def refuse_taken(root: Path, out: Path) -> Path:
    """The ZIP beside the folder `out` of a class's copy. CourseError where either is taken."""
    archive = out.with_name(f"{out.name}.zip")
    if out.resolve().is_relative_to(root.resolve()):
        raise CourseError(f"{out} lies in the course itself: give a folder beside it")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise CourseError(f"{out} is there and not empty: give a new folder")
    if archive.exists():
        raise CourseError(f"{archive} is there, which would be written too: give a new folder")
    return archive
