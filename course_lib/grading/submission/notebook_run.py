"""The second stage: the whole notebook through papermill, with probes where its checks were."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from papermill.execute import remove_error_markers

from course_lib.grading.sandbox import command as sandbox
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import Place
from course_lib.grading.sandbox.payload import write_payload
from course_lib.grading.sandbox.supervise import process_command
from course_lib.grading.sandbox.watch import watch
from course_lib.grading.submission import host_paths
from course_lib.grading.submission import kernel_client as client
from course_lib.grading.submission.restore import Plan

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
    manager = client.SandboxedKernel()
    inner = process_command("sandbox", str(folder / "payload"))
    argv = sandbox.command(level, place, inner, limits=limits, extra={})
    manager.prepare(folder, argv, output_mb=limits.output_mb)
    manager.env = sandbox.environment(level, place)
    probes = {c.source: [c.id.removeprefix("check-"), seeds[c.id.removeprefix("check-")]]
              for c in plan.cells if c.id.startswith("check-")}  # fmt: skip
    write_payload(folder / "payload", "kernel", root=root, probes=probes, mime=MIME,
                file=manager.connection_file)  # fmt: skip
    slow: list[str] = []

    def after_cell(cell: NotebookNode) -> None:
        say(cell=cell.id, seconds=cell.metadata.papermill.get("duration"))
        if cell.id.startswith("check-"):
            name = cell.id.removeprefix("check-")
            say(record=name, payload=take_record(cell, name), slow=cell.id in slow)

    def pid() -> int | None:
        process = getattr(manager.provisioner, "process", None)
        return process and process.pid

    ended = threading.Event()
    thread = watch(pid, limits, manager.stop, folder=folder, ended=ended)
    executed = _execute(
        plan, manager, limits, after_cell=after_cell, slow=lambda cell: slow.append(cell.id)
    )
    ended.set()
    thread.join()
    if slow and manager.ended == "ok":
        manager.ended = "timeout"
        manager.reason = f"a cell took longer than {limits.cell_seconds:.0f} s ({slow[0]})"
    text = host_paths.remover(place)(nbformat.writes(executed))
    part = place.scratch / "executed.part"
    part.write_text(text, encoding="utf-8")
    part.replace(place.scratch / "executed.ipynb")
    say(ended=manager.ended, reason=manager.reason)


def _execute(
    plan: Plan, manager: client.SandboxedKernel, limits: Limits, **hooks: Any
) -> NotebookNode:
    """The notebook after its run; an error in a cell is no error here."""
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell,
           "raw": nbformat.v4.new_raw_cell}  # fmt: skip
    cells = [new[cell.kind](cell.source, id=cell.id) for cell in plan.cells]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    options = {"engine_name": "course-grading", "kernel_name": "python3", "progress_bar": False}
    papermill.iorw.logger.disabled = True
    kept: list[NotebookNode] = []
    with contextlib.suppress(PapermillExecutionError):  # raised at the end, for any cell's error
        papermill.execute_notebook(
            notebook, None, km=manager, timeout=limits.cell_seconds, startup_timeout=120,
            keep=kept.append, **options, **hooks,
        )  # fmt: skip
    return remove_error_markers(kept[0])


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
