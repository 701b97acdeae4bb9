"""The first minute: from the command `lab` to the first figure of notebook 01.

As a student meets it: the command as typed, JupyterLab in a real browser, and each cell started as
soon as the kernel is ready. The course is installed; the first start of all, with code to compile
and fonts to look up, is told apart from the later ones.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.benchmarks import lab
from course_lib.benchmarks.machine import load_per_core
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROUNDS = 5  # after the first start
MAX_FIRST_CELL_S = 8.0  # median of the later starts
ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+/\S*token=\w+")
FIRST_CELL, IMPORTS, FIGURE = "first cell executed", "torch imported", "first figure shown"
STEPS = ("JupyterLab answers", "kernel ready", FIRST_CELL, IMPORTS, FIGURE)
CELLS = ("import importlib", "import torch\n")  # a line of the cell of FIRST_CELL, of IMPORTS
NEVER_SAVE = {"docmanager-extension/plugin": {"autosave": False}}  # the notebook stays as it is
# Runs all cells down to the first figure's, as Shift+Enter does, again and again.
RUN_TO_FIGURE = """async () => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const source = cell => cell.model.sharedModel.source;
    const figure = notebook.widgets.findIndex(cell => source(cell).includes('.show()'));
    notebook.activeCellIndex = 0;
    for (let i = 0; i <= figure; i++)
        window.jupyterapp.commands.execute('notebook:run-cell-and-select-next');
}"""
EXECUTED = """line => window.jupyterapp.shell.currentWidget.content.widgets.find(cell =>
    cell.model.type == 'code' && cell.model.sharedModel.source.includes(line)
)?.model.executionCount"""
FIGURE_SHOWN = """() => [...document.querySelectorAll('.jp-OutputArea-output img')].some(
    image => image.complete && image.naturalWidth > 0)"""


def seconds(home: Path, context: BrowserContext, *, port: int) -> dict[str, float]:
    """Seconds from the command to each of STEPS, once."""
    log, env = home / "log", {**os.environ, **lab.own_settings(home, NEVER_SAVE)}
    command = [command_python(), "-m", "course_lib", "lab", "--no-browser", f"--port={port}"]
    begin = time.perf_counter()
    with open(log, "w", encoding="utf-8") as file:
        server = subprocess.Popen(command, cwd=lab.ROOT, env=env, stdout=file, stderr=file)
    try:
        lab.await_answer(f"http://127.0.0.1:{port}/api", server, log=log)
        times = [time.perf_counter() - begin]
        page = context.new_page()
        for _ in steps_in(page, address(log)):
            times.append(time.perf_counter() - begin)
        page.close()
    finally:
        lab.end(server)
    return dict(zip(STEPS, times, strict=True))


def command_python() -> str:
    """The Python that a student types: outside of .venv, from where the command goes on inside."""
    inside = Path(sys.prefix) == lab.ROOT / ".venv"
    return getattr(sys, "_base_executable", sys.executable) if inside else sys.executable


def address(log: Path) -> str:
    """What JupyterLab prints for the browser. CourseError where it does not."""
    for _ in range(200):
        if found := ADDRESS.search(log.read_text(encoding="utf-8")):
            return found[0]
        time.sleep(0.05)
    raise CourseError(f"JupyterLab prints no address:\n{log.read_text(encoding='utf-8')}")


def steps_in(page: Page, url: str) -> Iterator[None]:
    """Goes on each time that the next of STEPS is reached in the browser."""
    page.set_default_timeout(120_000)
    page.goto(url, wait_until="commit")
    page.wait_for_function(lab.KERNEL_IS_IDLE)
    yield
    page.evaluate(RUN_TO_FIGURE)
    for line in CELLS:
        page.wait_for_function(EXECUTED, arg=line)
        yield
    page.wait_for_function(FIGURE_SHOWN)
    yield


def measure() -> list[dict[str, float]]:
    """The first start and ROUNDS more, in one browser; JupyterLab's settings are as new."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "config").mkdir()
        exposed = {"LabApp": {"expose_app_in_browser": True}}
        (home / "config/jupyter_lab_config.json").write_text(json.dumps(exposed), encoding="utf-8")
        port = lab.free_port()
        with lab.chromium() as browser:
            context = browser.new_context(viewport={"width": 1200, "height": 1000})
            return [seconds(home, context, port=port) for _ in range(1 + ROUNDS)]


def run() -> dict:
    """Measure, print a table with the limit, and return the figures; nothing without a browser."""
    load = load_per_core()
    if why := lab.lacking():
        print(f"  not measured: {why}")
        return {}
    first, *later = measure()
    median = {step: statistics.median(times[step] for times in later) for step in STEPS}
    print(f"  {'seconds from the command':30s} {'first':>7s} {'median':>7s}")
    for step in STEPS:
        told = ""
        if step == FIRST_CELL:
            verdict = "reached" if median[step] <= MAX_FIRST_CELL_S else "MISSED"
            told = f"  at most {MAX_FIRST_CELL_S:g}: {verdict}"
        print(f"  {step:30s} {first[step]:7.1f} {median[step]:7.1f}{told}")
    return {"first": first, "median": median, "later": later, "load per core": load}
