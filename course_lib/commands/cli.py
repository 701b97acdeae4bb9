"""From the arguments to a command and its exit code; every failure ends in one line."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import traceback
from types import ModuleType
from typing import NoReturn

from course_lib import __version__
from course_lib.commands import SUMMARIES, environment
from course_lib.commands.arguments import closest
from course_lib.commands.process import WINDOWS, hand_over
from course_lib.errors import CourseError
from course_lib.place import ROOT

PROGRAM = "python -m course_lib"


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line and an option is never guessed from its beginning."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"allow_abbrev": False, **options})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise CourseError(f"{message} (see {self.prog} --help)")


def script() -> int:
    """What `autoencoder-course` calls where the course is installed."""
    return main(sys.argv[1:])


def main(argv: list[str]) -> int:
    """Runs a command. Exit codes: its own; 2 bad input, 70 a bug, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that lacks a sign shows "?", no traceback
            stream.reconfigure(errors="replace")
    _require_utf8(argv)
    try:
        return _dispatch(argv)
    except CourseError as error:
        return _fail(f"error: {_one_line(error)}", code=2)
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        what = f"{type(error).__name__}: {_one_line(error)}"
        return _fail(f"internal error: {what}; run with COURSE_DEBUG=1 for the traceback", code=70)


def _require_utf8(argv: list[str]) -> None:
    """Goes on in UTF-8 mode where a locale such as LC_ALL=C allows no file name with an Ł."""
    if WINDOWS or sys.getfilesystemencoding() == "utf-8":
        return
    console = getattr(sys.stdout, "encoding", "ascii")
    os.environ |= {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{console}:replace"}
    hand_over([sys.executable, "-X", "utf8", "-m", "course_lib", *argv])


def _dispatch(argv: list[str]) -> int:
    if argv[:1] == ["help"] and len(argv) > 1:
        argv = [argv[1], "--help"]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print(__version__)
        return 0
    name, *rest = argv
    if name in SUMMARIES and not _is_here(name):
        raise CourseError(f"this copy of the course is for students, and has no {name!r}")
    if name not in SUMMARIES:
        if name.startswith("-"):
            near = closest(name, ("-h", "--help", "-V", "--version"))
            raise CourseError(f"unknown option {name!r}{near}; those of a command follow it")
        raise CourseError(f"unknown command {name!r}{closest(name, SUMMARIES)}")
    command = importlib.import_module(f"course_lib.commands.{name}")
    args = _parse(command, name=name, argv=rest)
    args.root = ROOT
    getattr(command, "check", lambda args: None)(args)
    if getattr(command, "NEEDS_PACKAGES", True):
        needs = getattr(command, "NEEDS", ())
        environment.ensure(ROOT, needs=needs, torch=getattr(args, "torch", None), argv=argv)
    return int(command.run(args) or 0)


def _parse(command: ModuleType, *, name: str, argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog=f"{PROGRAM} {name}", description=command.__doc__)
    command.add_arguments(parser)
    args, rest = parser.parse_known_args(argv)
    if getattr(command, "PASSES_ON", False):
        args.rest = rest
    elif rest:
        if not rest[0].startswith("-"):
            raise CourseError(f"{name} takes no further argument {rest[0]!r}")
        option = rest[0].partition("=")[0]
        near = closest(option, _options(parser, args))
        raise CourseError(f"unknown option {option!r} of {name}{near}")
    return args


def _options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """Every option's spelling, also those of the sub-command that args has chosen."""
    found = list(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            chosen = action.choices.get(getattr(args, action.dest))
            found += _options(chosen, args) if chosen else []
    return list(dict.fromkeys(found))


def _overview() -> str:
    lines = [f"  {name:8} {summary}" for name, summary in SUMMARIES.items() if _is_here(name)]
    return "\n".join(
        [f"usage: {PROGRAM} COMMAND …", "", *lines, "", f"{PROGRAM} COMMAND --help says more."]
    )


def _is_here(name: str) -> bool:
    """Whether this copy of the course has the command; that of a class lacks some."""
    return importlib.util.find_spec(f"course_lib.commands.{name}") is not None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]


def _fail(line: str, *, code: int) -> int:
    if os.environ.get("COURSE_DEBUG") == "1" and sys.exc_info()[0] is not KeyboardInterrupt:
        traceback.print_exc()
    if sys.stdout:  # None where it was closed
        sys.stdout.flush()
    print(line, file=sys.stderr)
    return code
