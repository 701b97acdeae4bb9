"""Read a pipe with a deadline, on every operating system."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import BinaryIO

CHUNK = 2**18


def reader(stream: BinaryIO) -> Callable[[float], bytes | None]:
    """take(seconds): the next bytes of a pipe, b"" at its end, None where none came in time."""
    waiting: queue.Queue[bytes] = queue.Queue(maxsize=4)  # a writer that floods has to wait
    number = stream.fileno()

    def pump() -> None:
        chunk = b"first"
        while chunk:
            try:
                chunk = os.read(number, CHUNK)
            except OSError:
                chunk = b""
            waiting.put(chunk)

    threading.Thread(target=pump, daemon=True).start()

    def take(seconds: float) -> bytes | None:
        try:
            return waiting.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    return take
