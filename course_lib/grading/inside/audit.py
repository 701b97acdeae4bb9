"""Which of Python's audit events are not wanted while an exercise is looked at."""

from __future__ import annotations

import os

# Audit events that no answer to an exercise needs.
DENIED = {
    "sys._getframe", "sys._current_frames", "sys._current_exceptions", "sys.settrace",
    "sys.setprofile", "sys.monitoring.register_callback", "sys.addaudithook",
    "gc.get_objects", "gc.get_referrers", "gc.get_referents", "code.__new__", "marshal.loads",
    "object.__getattr__", "object.__setattr__", "object.__delattr__", "_thread.start_new_thread",
    "_thread.start_joinable_thread", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn",
    "os.system", "os.kill", "os.killpg", "subprocess.Popen", "pty.spawn", "signal.pthread_kill",
    "cpython.run_command", "cpython.remote_debugger_script",
}  # fmt: skip
DENIED_MODULES = ("course_lib.exercises.", "course_lib.grading", "ctypes", "_ctypes")
COMPILED_AS = ("<string>", "<unknown>", "<own", "<needed")


def unwanted(event: str, args: tuple) -> str:
    """What an event is called where it is not wanted, else ""."""
    first = args[0] if args else None
    if event in DENIED or event.startswith("ctypes."):
        detail = args[1] if event.startswith("object.") and len(args) > 1 else ""
        return f"{event} {detail}".strip()
    if event == "import" and str(first).startswith(DENIED_MODULES):
        return f"import {first}"
    if event == "open" and isinstance(first, str | bytes):
        path = os.path.realpath(os.fsdecode(first))
        return f"open {path}" if path.startswith("/proc") else ""
    if event == "compile" and len(args) > 1 and not str(args[1]).startswith(COMPILED_AS):
        return f"compile as {args[1]}"
    return ""
