"""Open the course in JupyterLab, at its first notebook or another one."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from course_lib.commands.lab_folders import replace_unwritable
from course_lib.commands.process import WINDOWS, hand_over, say
from course_lib.commands.torch_source import CHOICES
from course_lib.errors import CourseError
from course_lib.place import INSTALLED, own_copy
from course_lib.writing import replacing

SETTINGS = Path(__file__).parent / "jupyter"
# Snaps and flatpaks cannot read the page in a hidden folder that Jupyter would have them open.
CONFINED = ("/snap/bin", "/var/lib/flatpak/app", "~/.local/share/flatpak/app")
BROWSERS = ("firefox", "chrom", "browser", "brave", "edge", "opera", "vivaldi")
CHROMEBOOK = "/opt/google/cros-containers"

NEEDS = ("lab",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A busy port is refused here already, before anything is installed."""
    parser.add_argument(
        "notebook", nargs="?", metavar="NOTEBOOK", help="the one to open: 3, or a part of its name"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=free_port, help="this port or none (else: 8888 or the next)")
    parser.add_argument("--torch", choices=CHOICES, help="which PyTorch to install")


def check(args: argparse.Namespace) -> None:
    """Finds the notebook that is meant. CourseError."""
    args.notebook = find_notebook(args.root / "notebooks", args.notebook)


def run(args: argparse.Namespace) -> int:
    """Becomes JupyterLab; Ctrl-C ends it at once."""
    say("JupyterLab is starting; Ctrl-C here ends it")
    if line := replace_unwritable():
        say(line)
    if args.root == INSTALLED:
        args.root = copied_notebooks(args.root).parent
    folder = args.root / "notebooks"
    if folder.is_dir() and not os.access(folder, os.W_OK):
        say("the notebooks cannot be saved where they are: copy the course to a folder of your own")
    os.environ.setdefault("PYTHONIOENCODING", ":replace")  # paths that a console has no letters for
    paths = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    tools = str(Path(sys.executable).parent)  # for `!pip` and `!python` in a cell
    os.environ["PATH"] = os.pathsep.join(filter(None, [tools, os.environ.get("PATH")]))
    return hand_over([sys.executable, "-m", "jupyterlab", *options(args)])


def options(args: argparse.Namespace) -> list[str]:
    """JupyterLab's own command line."""
    folder, first = args.root / "notebooks", args.notebook
    folder.mkdir(exist_ok=True)
    chosen = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{quote(first)}" if first else "--LabApp.default_url=/lab",
        "--ServerApp.answer_yes=True",  # Ctrl-C asks nothing
        "--ServerApp.log_level=WARN",  # the address is still printed
    ]
    if args.no_browser:
        chosen.append("--ServerApp.open_browser=False")
    if browser_cannot_read_files():  # only then: others see an address in the list of processes
        chosen += ["--ServerApp.use_redirect_file=False", "--ServerApp.no_browser_open_file=True"]
    if args.port:
        chosen += [f"--ServerApp.port={args.port}", "--ServerApp.port_retries=0"]
    if not WINDOWS and os.geteuid() == 0:  # in a container; Jupyter would refuse
        chosen.append("--ServerApp.allow_root=True")
    return chosen


def copied_notebooks(root: Path) -> Path:
    """Those of an installed course, in the current folder; never over what is there."""
    folder = own_copy("notebooks")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (root / "notebooks").glob("*.ipynb"):
            if not (folder / path.name).exists():
                with replacing(folder / path.name) as part:
                    shutil.copyfile(path, part)
                say(f"copied {path.name} to {folder}")
    except OSError as error:
        raise CourseError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def find_notebook(folder: Path, wanted: str | None) -> str | None:
    """The file that "3", "03", "vae" or a path means; without one the first, if there is any."""
    known = sorted(path.name for path in folder.glob("*.ipynb"))
    if wanted is None:
        return next((name for name in known if name[0].isdigit()), None)
    word = re.sub(r"^(\./)?(notebooks/)?|\.ipynb$", "", wanted.replace(os.sep, "/").lower())
    if word.isdecimal():
        found = [name for name in known if re.match(rf"0*{int(word)}_", name)]
    else:
        whole = [name for name in known if word == name.lower().removesuffix(".ipynb")]
        found = whole or [name for name in known if word and word in name.lower()]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found or known) or "none"
    many = f"{wanted!r} means several notebooks" if found else f"there is no notebook {wanted!r}"
    raise CourseError(f"{many}; there are: {listed}")


def browser_cannot_read_files(folders: Sequence[str] = CONFINED) -> bool:
    """Whether a browser here is confined, or outside of this system (WSL, Chromebooks)."""
    if "microsoft" in platform.release().lower() or os.path.exists(CHROMEBOOK):
        return True
    apps: list[str] = []
    for folder in folders:
        with contextlib.suppress(OSError):  # most systems have none of these
            apps += os.listdir(os.path.expanduser(folder))
    return any(browser in app.lower() for app in apps for browser in BROWSERS)


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
