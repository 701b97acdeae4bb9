"""papermill's engine with a kernel in a sandbox and a cap on what it sends."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.session import Session
from nbclient.client import CellExecutionComplete
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager

from course_lib.grading.sandbox.watch import kill_tree

START_TIMEOUT_S = 120
INTERRUPT_TIMEOUT_S = 10  # for an interrupted cell to end
MAX_WAITING_MESSAGES = 4  # in this process; the socket refuses one longer than all may be


class Overflow(Exception):
    """The kernel sends more than it may."""


class BoundedSession(Session):
    """Counts the bytes of every message that comes in; a kernel that sends too many is ended."""

    received = 0

    def deserialize(self, msg_list: list[Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """A message from its frames. Raises Overflow."""
        self.received += sum(len(getattr(part, "bytes", part)) for part in msg_list)
        if self.received > self.parent.max_bytes:
            self.parent.overflow()
            raise Overflow
        return super().deserialize(msg_list, *args, **kwargs)


class SandboxedKernel(AsyncKernelManager):
    """Starts the one command it is given, whatever kernel a notebook asks for."""

    argv: list[str]
    env: dict[str, str]

    def prepare(self, folder: Path, argv: list[str], *, output_mb: int) -> None:
        """Set the command; it is talked to through files in `folder` where the OS has that."""
        self.argv, self.max_bytes = argv, output_mb * 2**20
        self.session = BoundedSession(parent=self, key=secrets.token_hex(32).encode())
        self.connection_file = str(folder / "connection.json")
        if os.name != "nt":
            self.transport, self.ip = "ipc", str(folder / "k")
        self.ended, self.reason = "ok", ""
        self.slow: list[str] = []  # cells that ran into their timeout

    def write_connection_file(self, **kwargs: Any) -> None:
        """The file by which both sides find each other; the kernel may be another user's."""
        super().write_connection_file(**kwargs)
        if os.name == "posix" and os.geteuid() == 0:
            owner = os.stat(os.path.dirname(self.connection_file))
            os.chown(self.connection_file, owner.st_uid, owner.st_gid)

    @property
    def kernel_spec(self) -> KernelSpec:
        """A specification that holds the command; no installed one is looked for."""
        return KernelSpec(argv=[*self.argv], language="python", interrupt_mode="message")

    def client(self, **kwargs: Any) -> AsyncKernelClient:
        """A client whose sockets hold little and refuse giants."""
        client = super().client(**kwargs)
        client.context = zmq.asyncio.Context()
        client.context.setsockopt(zmq.MAXMSGSIZE, self.max_bytes)
        client.context.setsockopt(zmq.RCVHWM, MAX_WAITING_MESSAGES)
        return client

    def stop(self, status: str, reason: str) -> None:
        """Kill everything in the sandbox; the first cause is kept. Called from any thread."""
        if self.ended == "ok":
            self.ended, self.reason = status, reason
        if self.pid is not None:
            kill_tree(self.pid)

    def overflow(self) -> None:
        """Stop since too much comes in."""
        reason = f"more than {self.max_bytes >> 20} MB were printed and shown"
        self.stop("output_limit", reason)

    @property
    def pid(self) -> int | None:
        """The first process of the sandbox, if it has started."""
        process = getattr(self.provisioner, "process", None)
        return process and process.pid


class Client(PapermillNotebookClient):
    """Runs every cell in spite of errors, as long as the kernel lives."""

    after_cell: Callable[[NotebookNode], None]
    silent = 0  # cells whose last message has not come, one after another

    def papermill_execute_cells(self) -> None:
        """Run the cells in order; the kernel's manager knows how that ended."""
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            if cell.cell_type == "code" and cell.source.strip():
                self._execute_code(cell, index)
            self.nb_man.cell_complete(cell, cell_index=index)
            if cell.cell_type == "code":
                self.after_cell(cell)
            if self.km.ended != "ok":
                return
        if self.silent:
            self.km.overflow()

    def _execute_code(self, cell: NotebookNode, index: int) -> None:
        self.silent = self.silent + 1
        try:
            self.execute_cell(cell, index)
        except Exception as error:  # a dead kernel, or one that sends nonsense
            what = f"{type(error).__name__} in the code cell {cell.id}"
            self.km.stop("kernel_died", f"the kernel ended: {what}")
        if self.silent > 1:  # the socket was closed, as it refuses a message that is too long
            self.km.overflow()

    def process_message(self, *args: Any, **kwargs: Any) -> NotebookNode | None:
        """One message; the last one of a cell shows that they still come through."""
        try:
            return super().process_message(*args, **kwargs)
        except CellExecutionComplete:
            self.silent = 0
            raise

    def execute(self, **kwargs: Any) -> NotebookNode:
        """As papermill does, but a kernel that died is no error."""
        self.reset_execution_trackers()
        manager = self.km  # it is let go of when the kernel ends
        try:
            with self.setup_kernel(env=manager.env, **kwargs):
                self.papermill_execute_cells()
                self.set_widgets_metadata()
        except (RuntimeError, OSError) as error:
            manager.stop("kernel_died", f"the kernel did not start: {error}")
        return self.nb

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> None:
        """Interrupt the cell; if no answer comes, the kernel ends."""
        self.km.slow.append(cell.id)
        await self.km.interrupt_kernel()
        seconds = min(INTERRUPT_TIMEOUT_S, timeout)
        if not await self.kc.shell_channel.socket.poll(1000 * seconds):
            reason = f"a cell ran longer than {timeout} s and could not be interrupted"
            self.km.stop("timeout", reason)
            raise DeadKernelError(reason)


class Engine(NBClientEngine):
    """papermill's engine with this client."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, *, km: SandboxedKernel,
        timeout: float, after_cell: Callable[[NotebookNode], None], **options: Any,
    ) -> NotebookNode:  # fmt: skip
        """Run the notebook of `nb_man` in the kernel of `km`; a cell's error is none here."""
        client = Client(
            nb_man,
            km,
            raise_on_iopub_timeout=False,
            allow_errors=True,
            timeout=timeout,
            startup_timeout=START_TIMEOUT_S,
            shutdown_kernel="immediate",  # all that counts has arrived: nobody waits for goodbyes
        )
        client.after_cell, client.owns_km = after_cell, True
        return client.execute()
