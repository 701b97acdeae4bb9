"""An IPython kernel in which the cells that checked answers report them instead."""

from __future__ import annotations

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session

from course_lib.grading.inside.probe import MISSING, payload_of

MAX_PART_CHARS = 2**19


def start(payload: dict[str, Any]) -> None:
    """Serve until shut down. payload: `probes` {source of a cell: [name, seed]}, `file`."""
    probes, mime = payload["probes"], payload["mime"]

    class Kernel(IPythonKernel):
        async def do_execute(self, code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            """Runs a cell; a probe reports and runs nothing."""
            if code in probes:
                name, seed = probes[code]
                payload = payload_of(name, self.shell.user_ns.get(name, MISSING), seed)
                shown = {mime: {"name": name, "payload": payload}}
                content = {"data": shown, "metadata": {}, "transient": {}}
                self.send_response(self.iopub_socket, "display_data", content)
                code = ""
            return await super().do_execute(code, *args, **kwargs)

    app = IPKernelApp.instance(kernel_class=Kernel)
    app.session = PartSession(parent=app, username="kernel")
    app.initialize(["-f", payload["file"], "--HistoryManager.hist_file=:memory:"])
    app.start()


class PartSession(Session):
    """Sends long texts in parts, so that the other side can stop listening in between."""

    def send(self, stream: Any, msg_or_type: Any, *args: Any, **options: Any) -> Any:
        """One message, or a text as several."""
        message = msg_or_type if isinstance(msg_or_type, dict) else {}
        text = message.get("content", {}).get("text", "")
        if message.get("msg_type") != "stream" or len(text) <= MAX_PART_CHARS:
            return super().send(stream, msg_or_type, *args, **options)
        for i in range(0, len(text), MAX_PART_CHARS):
            content = {**message["content"], "text": text[i : i + MAX_PART_CHARS]}
            part = self.msg("stream", content, parent=message["parent_header"])
            sent = super().send(stream, part, *args, **options)
        return sent
