"""A real JupyterLab in a real browser, driven by Playwright, for benchmarks and tests."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.errors import CourseError
from course_lib.grading.sandbox.watch import kill_tree
from course_lib.place import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHUTDOWN_TIMEOUT_S = 30  # for a server to end its kernels and itself
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LAB_SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
POLLING_MS = 100  # by default a page is asked at each of its frames, for which it draws them all
KERNEL_IS_IDLE = """() => {
    const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
    const kernel = session?.session?.kernel;
    return session?.isReady && kernel?.connectionStatus == 'connected' && kernel.status == 'idle';
}"""
RUN_ALL_CELLS = """() => {
    window.ran = null;
    const run = window.jupyterapp.commands.execute('notebook:run-all-cells');
    run.then(ok => { window.ran = ok });
}"""
HAS_RUN = "() => window.ran !== null"


def chromium_path() -> str | None:
    """Where Chromium is, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def lacking() -> str | None:
    """What a test in the browser needs and does not find, with the remedy; None: all is there."""
    if chromium_path() is None:
        return "no Chromium on the path: apt install chromium"
    for module, package in (("playwright", "playwright"), ("jupyterlab", "jupyterlab")):
        if importlib.util.find_spec(module) is None:
            return f"{package} is missing: pip install {package}"
    return None


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium_path(), args=BROWSER_FLAGS)
        yield browser
        browser.close()


def own_settings(home: Path, more: dict[str, Any] | None = None) -> dict[str, str]:
    """Writes JupyterLab's settings into `home`; the variables that keep all that it keeps there."""
    for name, value in (LAB_SETTINGS | (more or {})).items():
        file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")
    env = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "RUNTIME")}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "PYTHONPATH": str(ROOT)}
    return env | {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}


@contextlib.contextmanager
def serving(home: Path) -> Iterator[tuple[str, Path]]:
    """A JupyterLab with settings and notebooks of its own in `home`: its address, the notebooks.

    Short training, and one thread: the browser needs the other cores.
    """
    (home / "notebooks").mkdir()
    env = own_settings(home) | {"COURSE_FAST": "1", "OMP_NUM_THREADS": "1"}
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--IdentityProvider.token=", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={home / 'notebooks'}", "--LabApp.expose_app_in_browser=True"]
    with open(home / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log)
    try:
        await_answer(f"http://127.0.0.1:{port}/api", server, log=home / "log")
        yield f"http://127.0.0.1:{port}", home / "notebooks"
    finally:
        end(server)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def end(server: subprocess.Popen) -> None:
    """Ask it to go; on a crowded machine it waits for its kernels, so then end them all."""
    server.terminate()
    try:
        server.wait(timeout=SHUTDOWN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        kill_tree(server.pid)
        server.wait()


def await_answer(url: str, server: subprocess.Popen, *, log: Path) -> None:
    """Wait until the server answers at `url`. CourseError with its log where it does not."""
    for _ in range(1200):
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
    raise CourseError(f"JupyterLab does not answer:\n{log.read_text(encoding='utf-8')}")


def open_notebook(browser: Browser, lab: tuple[str, Path], *, name: str) -> Page:
    """A page with the notebook, its kernel ready."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(120_000)  # a machine may have more to do
    page.goto(f"{lab[0]}/doc/tree/{name}")
    page.wait_for_function(KERNEL_IS_IDLE, polling=POLLING_MS)
    return page


def run_all(page: Page, *, timeout: float) -> None:
    """Run all cells, in at most `timeout` seconds."""
    page.evaluate(RUN_ALL_CELLS)
    page.wait_for_function(HAS_RUN, polling=POLLING_MS, timeout=timeout * 1000)
    errors = page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    if page.evaluate("window.ran") is not True:
        raise CourseError(f"a cell of {page.url} failed: {errors}")


def restart(page: Page) -> None:
    """Restart the kernel of the notebook, and wait until it is ready."""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_function(KERNEL_IS_IDLE, polling=POLLING_MS)


def shut(page: Page) -> None:
    """Shut down the notebook's kernel and close its page."""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()
