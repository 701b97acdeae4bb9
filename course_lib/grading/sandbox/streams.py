"""Read a pipe line by line with a deadline, on every operating system."""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import BinaryIO

CHUNK_BYTES = 2**18
MAX_LINE_BYTES = 64 * 2**20


class LineReader:
    """The lines of a pipe; `received` counts all bytes that came through it."""

    def __init__(self, stream: BinaryIO, *, max_bytes: int = MAX_LINE_BYTES) -> None:
        self.received, self._rest, self._max_bytes = 0, b"", max_bytes
        self._chunks: queue.Queue[bytes] = queue.Queue(maxsize=4)  # who floods it has to wait
        threading.Thread(target=self._pump, args=(stream.fileno(),), daemon=True).start()

    def _pump(self, number: int) -> None:
        chunk = b"first"
        while chunk:
            try:
                chunk = os.read(number, CHUNK_BYTES)
            except OSError:
                chunk = b""
            self._chunks.put(chunk)

    def take(self, seconds: float) -> bytes | None:
        """The next line; None where none came in time, b"" at the end or for one too long."""
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            try:
                chunk = self._chunks.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            self.received += len(chunk)
            self._rest += chunk
            if not chunk or len(self._rest) > self._max_bytes:
                return b""
        line, newline, self._rest = self._rest.partition(b"\n")
        return line + newline
