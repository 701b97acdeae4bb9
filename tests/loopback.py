"""A web server on loopback that breaks in the ways that real ones do."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from data_tools import pixels

NAME = "big.bin"
DATA = pixels(300_000).tobytes()


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files`; `server.mode` says what goes wrong with the next GET."""

    def log_message(self, *args):
        """Be quiet."""

    def do_HEAD(self):
        """What the probe asks."""
        if self.server.mode == "deaf":
            self.server.release.wait(60)
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        """One file, or the part that Range asks for."""
        server, name = self.server, self.path.lstrip("/")
        server.seen.append((name, self.headers.get("Range")))
        mode, data = server.mode, server.files.get(name)
        if data is None or mode == "busy":
            return self.send_error(503 if mode == "busy" else 404)
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if mode == "no range":
            start = 0
        if start and start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            wrong = 7 if mode == "wrong range" else 0
            self.send_header("Content-Range", f"bytes {start + wrong}-{len(data) - 1}/{len(data)}")
        if mode != "no length":
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:]
        if mode in ("break", "hang"):
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            server.mode = "" if mode == "break" else mode
            server.release.wait(60 if mode == "hang" else 0)
            return self.connection.close()
        self.wfile.write(rest)


@pytest.fixture
def server(monkeypatch):
    """A server on loopback, without proxies in between."""
    for key in list(os.environ):
        if key.lower().endswith("_proxy"):
            monkeypatch.delenv(key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}/"
    server.files, server.mode, server.seen = {NAME: DATA}, "", []
    server.release = threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


def md5(data) -> str:
    """As torchvision's classes keep it."""
    return hashlib.md5(data).hexdigest()


def names(folder) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
