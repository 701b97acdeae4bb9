"""What a slider costs: in the kernel, beside `interact` with a figure, and from key to pixels.

All with the same committed models, in one run. The kernel's share is measured in a real kernel,
from the front end's message to the last of the answers; the rest in a real JupyterLab in a real
browser on this machine, from the key's own time stamp to the frame with the new pixels.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
from jupyter_client.manager import start_new_kernel

from course_lib.benchmarks import lab, steps
from course_lib.benchmarks.machine import load_per_core
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MAX_OF_BARE = 1.5  # of the time in which the decoded image alone is shown
MIN_SPEEDUP = 10.0  # against `interact`
N_PRESSES = 60
DEMO_VIEWS = {"MLP, pad": "pad", "MLP, sliders": "latents", "conv 64×64, faces": "faces"}
TIME_DEMO = "([view, times]) => course.benchmark(view, times).then(found => found.painted)"
TIME_PEN = "times => course.benchmarkPen(times).then(found => found.painted)"
OF_BARE = "over the decoded image alone"
IN_LAB, IN_DEMO = "key to pixels in JupyterLab", "key to pixels in the demo"
# From the key to the first frame after the picture has changed and is decoded.
RECORD_KEY_TIMES = """image => {
    window.presses = [];
    document.addEventListener('keydown', event => { window.pressed = event.timeStamp }, true);
    const painted = then => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = then;
        channel.port2.postMessage(null);  // handled after this frame is painted
    });
    image.addEventListener('load', () => painted(
        () => window.presses.push(performance.now() - window.pressed)));
}"""


def in_kernel() -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each step in a kernel of its own, wall and processor, by panel."""
    paths = os.pathsep.join(filter(None, [str(lab.ROOT), os.environ.get("PYTHONPATH")]))
    manager, client = start_new_kernel(
        env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL
    )
    printed: list[str] = []

    def keep(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] in ("stream", "error"):
            printed.append(content.get("text") or "\n".join(content["traceback"]))

    try:
        code = "from course_lib.benchmarks import steps; steps.report()"
        reply = client.execute_interactive(code, timeout=300, output_hook=keep)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    lines = "".join(printed).splitlines()
    if reply["content"]["status"] != "ok":
        raise CourseError(f"the kernel that measures failed: {lines[-1] if lines else 'no output'}")
    found = next(line for line in lines if line.startswith('{"milliseconds"'))
    return json.loads(found)["milliseconds"]


def in_jupyterlab() -> list[float]:
    """Milliseconds from an arrow key to new pixels, for the MLP with a slider per latent."""
    cell = f"from course_lib.benchmarks import steps\nsteps.panel({steps.MLP!r})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        lab.serving(Path(home)) as served,
        lab.chromium() as browser,
    ):
        nbformat.write(notebook, served[1] / "slider.ipynb")
        page = lab.open_notebook(browser, served, name="slider.ipynb")
        lab.run_all(page, timeout=60)
        panel = page.locator(".jp-OutputArea-output:has([role=status])")
        panel.locator(".noUi-handle, .ui-slider-handle").first.focus()
        return key_times(page, panel.locator("img").first)


def in_demo() -> dict[str, list[float]]:
    """Milliseconds from an arrow key, or a pen, to new pixels in the exported page of `demo`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "demo.html"
        command = [sys.executable, "-m", "course_lib", "demo", "--export", str(file)]
        done = subprocess.run(command, cwd=lab.ROOT, capture_output=True)
        if done.returncode:
            raise CourseError(f"demo --export failed: {done.stderr.decode(errors='replace')}")
        with lab.chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.goto(file.as_uri())
            page.wait_for_function("() => window.course")
            times = {
                name: page.evaluate(TIME_DEMO, [view, 10 + N_PRESSES])[10:]
                for name, view in DEMO_VIEWS.items()
            }
            return times | {"a pen on the paper": page.evaluate(TIME_PEN, 10 + N_PRESSES)[10:]}


def key_times(page: Page, image: Locator) -> list[float]:
    """Milliseconds from key to pixels, each key after the pixels of the last; some warm up."""
    image.evaluate(RECORD_KEY_TIMES)
    keys = ["ArrowRight"] * 15 + ["ArrowLeft"] * 30
    for number in range(10 + N_PRESSES):
        page.keyboard.press(keys[number % len(keys)])
        page.wait_for_function(f"() => window.presses.length > {number}")
    return page.evaluate("window.presses")[10:]


def run() -> dict:
    """Measure what can be measured here, print a table with the limits, and return the figures."""
    load = load_per_core()
    times = in_kernel()
    figures = {
        "kernel": {name: summary(*np.transpose(pairs).tolist()) for name, pairs in times.items()}
    }
    medians = {name: found["median"] for name, found in figures["kernel"].items()}
    for key, peers in (("ratio", steps.PEER), ("ratio, image alone", steps.PEER_ALONE)):
        figures[key] = {name: medians[peer] / medians[name] for name, peer in peers.items()}
    figures[OF_BARE] = {name: medians[name] / medians[peer] for name, peer in steps.BARE.items()}
    why = lab.lacking()
    if why is None:
        figures[IN_LAB] = summary(in_jupyterlab())
        figures[IN_DEMO] = {name: summary(times) for name, times in in_demo().items()}
    report(figures)
    if why is not None:
        print(f"  key to pixels not measured: {why}")
    return figures | {"load per core": load}


def summary(wall: Sequence[float], processor: Sequence[float] = ()) -> dict[str, float]:
    """Median and 95th percentile, milliseconds, and the latter of the processor time."""
    found = {"median": statistics.median(wall), "p95": np.quantile(wall, 0.95), "n": len(wall)}
    return found | ({"p95 processor": np.quantile(processor, 0.95)} if processor else {})


def report(figures: dict) -> None:
    """Print medians, 95th percentiles, and ratios with their limits."""
    print(f"  {'milliseconds':50s} {'median':>7s} {'95 %':>7s} {'its CPU':>7s}")
    for name, found in figures["kernel"].items():
        _row(f"kernel, {name}", found)
    for name, ratio in figures[OF_BARE].items():
        told = f"at most {MAX_OF_BARE:g}: {_verdict(ratio <= MAX_OF_BARE)}"
        print(f"  {f'{name}: {OF_BARE}':50s} {ratio:7.2f} {'':15s}  {told}")
    for name, ratio in figures["ratio"].items():
        told = f"at least {MIN_SPEEDUP:g}: {_verdict(ratio >= MIN_SPEEDUP)}"
        told += f" (image alone {figures['ratio, image alone'][name]:.0f})"
        print(f"  {name + ': times as fast as interact':50s} {ratio:7.0f} {'':15s}  {told}")
    if found := figures.get(IN_LAB):
        _row(IN_LAB, found)
    for name, found in figures.get(IN_DEMO, {}).items():
        _row(f"{IN_DEMO}, {name}", found)


def _row(name: str, found: dict) -> None:
    cpu = f"{found['p95 processor']:7.2f}" if "p95 processor" in found else ""
    print(f"  {name:50s} {found['median']:7.2f} {found['p95']:7.2f} {cpu}")


def _verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"
