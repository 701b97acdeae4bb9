"""The second stage: the whole notebook through papermill, with probes where its checks were."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from papermill.iorw import load_notebook_node

from course_lib.grading.sandbox import command as sandbox
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import Place
from course_lib.grading.sandbox.payload import write_payload
from course_lib.grading.sandbox.supervise import process_command
from course_lib.grading.sandbox.watch import watch
from course_lib.grading.submission import host_paths
from course_lib.grading.submission.kernel_client import Engine, SandboxedKernel
from course_lib.grading.submission.restore import Plan
from course_lib.writing import replace

MIME = "application/vnd.course.probe+json"
MAX_RECORD_CHARS = 2 * 2**20


def run(
    plan: Plan,
    place: Place,
    *,
    level: str,
    limits: Limits,
    seeds: dict[str, int],
    root: Path,
    say: Any,
) -> None:
    """Runs the plan; says every cell with its seconds, every valid record, and how it ended."""
    folder = place.scratch / "run"
    manager = SandboxedKernel()
    inner = process_command("sandbox", str(folder / "payload"))
    argv = sandbox.command(level, place, inner, limits=limits, extra={})
    manager.prepare(folder, argv, output_mb=limits.output_mb)
    manager.env = sandbox.environment(level, place)
    probes = {c.source: [c.id.removeprefix("check-"), seeds[c.id.removeprefix("check-")]]
              for c in plan.cells if c.id.startswith("check-")}  # fmt: skip
    write_payload(folder / "payload", "kernel", root=root, probes=probes, mime=MIME,
                file=manager.connection_file)  # fmt: skip

    def after_cell(cell: NotebookNode) -> None:
        say(cell=cell.id, seconds=cell.metadata.papermill.get("duration"))
        if cell.id.startswith("check-"):
            name = cell.id.removeprefix("check-")
            say(record=name, payload=take_record(cell, name), slow=cell.id in manager.slow)

    ended = threading.Event()
    thread = watch(lambda: manager.pid, limits, manager.stop, folder=folder, ended=ended)
    executed = Engine.execute_notebook(
        _notebook(plan),
        "python3",
        progress_bar=False,
        km=manager,
        timeout=limits.cell_seconds,
        after_cell=after_cell,
    )
    ended.set()
    thread.join()
    if manager.slow and manager.ended == "ok":
        manager.ended = "timeout"
        manager.reason = f"a cell took longer than {limits.cell_seconds:.0f} s ({manager.slow[0]})"
    text = host_paths.remover(place)(nbformat.writes(executed))
    replace(place.scratch / "executed.ipynb", text)
    say(ended=manager.ended, reason=manager.reason)


def _notebook(plan: Plan) -> NotebookNode:
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell,
           "raw": nbformat.v4.new_raw_cell}  # fmt: skip
    cells = [new[cell.kind](cell.source, id=cell.id) for cell in plan.cells]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return load_notebook_node(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}))


def take_record(cell: NotebookNode, name: str) -> str | None:
    """The payload of the one record of this exercise in a cell's outputs, or None.

    A cell of the student's could show one as well: no point depends on these (`decide`).
    """
    found = [out["data"][MIME] for out in cell.outputs if MIME in out.get("data", {})]
    cell.outputs = [out for out in cell.outputs if MIME not in out.get("data", {})]
    record = found[0] if len(found) == 1 and isinstance(found[0], dict) else {}
    payload = record.get("payload") if record.get("name") == name else None
    fits = isinstance(payload, str) and len(payload) <= MAX_RECORD_CHARS
    return payload if fits else None
