"""Open the course in JupyterLab, at its first notebook."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import socket
import sys
from pathlib import Path

from course_lib.commands.process import WINDOWS, hand_over, say
from course_lib.commands.torch_source import CHOICES
from course_lib.errors import CourseError
from course_lib.place import ROOT, own_copy
from course_lib.writing import replacing

SETTINGS = Path(__file__).parent / "jupyter"

NEEDS = ("lab",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A busy port is refused here already, before anything is installed."""
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=free_port, help="this port or none (else: 8888 or the next)")
    parser.add_argument("--torch", choices=CHOICES, help="which PyTorch to install")


def run(args: argparse.Namespace) -> int:
    """Becomes JupyterLab; Ctrl-C ends it at once."""
    say("JupyterLab is starting; Ctrl-C here ends it")
    paths = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    tools = str(Path(sys.executable).parent)  # for `!pip` and `!python` in a cell
    os.environ["PATH"] = os.pathsep.join(filter(None, [tools, os.environ.get("PATH")]))
    return hand_over([sys.executable, "-m", "jupyterlab", *options(args)])


def options(args: argparse.Namespace) -> list[str]:
    """JupyterLab's own command line."""
    folder = notebooks()
    first = min((path.name for path in folder.glob("[0-9]*.ipynb")), default=None)
    chosen = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{first}" if first else "--LabApp.default_url=/lab",
        "--ServerApp.answer_yes=True",  # Ctrl-C asks nothing
        "--ServerApp.log_level=WARN",  # the address is still printed
    ]
    if args.no_browser:
        chosen.append("--ServerApp.open_browser=False")
    if args.port:
        chosen += [f"--ServerApp.port={args.port}", "--ServerApp.port_retries=0"]
    if not WINDOWS and os.geteuid() == 0:  # in a container; Jupyter would refuse
        chosen.append("--ServerApp.allow_root=True")
    return chosen


def notebooks() -> Path:
    """Those of the clone; of an installed course a copy in this folder, never overwritten."""
    folder = own_copy("notebooks")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (ROOT / "notebooks").glob("*.ipynb"):
            if not (folder / path.name).exists():
                with replacing(folder / path.name) as part:
                    shutil.copyfile(path, part)
                say(f"copied {path.name} to {folder}")
    except OSError as error:
        raise CourseError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def free_port(text: str) -> int:
    """The number of a port that nobody listens on."""
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 1 <= port <= 65535:
        raise CourseError(f"--port {text}: give a number from 1 to 65535, for example 8888")
    with socket.socket() as probe:
        # As the server will bind it. Windows would share a busy port with SO_REUSEADDR.
        probe.setsockopt(
            socket.SOL_SOCKET,
            socket.SO_EXCLUSIVEADDRUSE if WINDOWS else socket.SO_REUSEADDR,
            1,
        )
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EACCES and not WINDOWS:
                raise CourseError(
                    f"--port {port}: not allowed here, take one above 1023"
                ) from error
            raise CourseError(
                f"--port {port} is busy: end what uses it, or leave --port out"
            ) from error
    return port
