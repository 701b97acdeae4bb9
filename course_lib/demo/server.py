"""Show the page in a browser, from this machine to this machine.

Not as a file: browsers that are confined (snap, flatpak) cannot open files in hidden folders.
"""

from __future__ import annotations

import contextlib
import http.server
import threading
import webbrowser

from course_lib.errors import CourseError


def serve(text: str, *, port: int = 0, browser: bool = True) -> None:
    """Serve the page on the loopback interface until Ctrl-C; port 0: a free one."""
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _handler(text.encode()))
    except OSError as error:
        raise CourseError(f"port {port} cannot be used: {error.strerror}") from error
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    print(f"the demo is at {address}; Ctrl-C ends it", flush=True)
    with server, contextlib.suppress(KeyboardInterrupt):
        if browser:  # beside the server: some browsers return when they are closed
            threading.Thread(target=open_browser, args=(address,), daemon=True).start()
        server.serve_forever()


def open_browser(address: str) -> None:
    """Open the address, or say that somebody has to."""
    if not webbrowser.open(address):
        print("no browser could be opened: open this address yourself", flush=True)


def _handler(body: bytes) -> type[http.server.BaseHTTPRequestHandler]:
    class OnePage(http.server.BaseHTTPRequestHandler):
        """The page at /, nothing elsewhere, no line in the terminal for each request."""

        def do_GET(self) -> None:
            found = self.path.split("?")[0] == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(body)

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # closed or reloaded before all was there
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    return OnePage
