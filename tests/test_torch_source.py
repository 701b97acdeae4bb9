"""Which PyTorch is installed, and how."""

import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from course_lib.commands import installer, torch_source
from course_lib.errors import CourseError


class Answers(BaseHTTPRequestHandler):
    """200 for torch's page, 404 for all else."""

    def do_GET(self):
        self.send_response(200 if self.path == "/torch/" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def index():
    """Address of an index that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("wanted", "nvidia", "name", "why"),
    [
        ("auto", False, "cpu-index", "no NVIDIA driver"),
        ("auto", True, "ordinary", "an NVIDIA driver is here"),
        ("cpu", True, "cpu-index", "--torch cpu"),
        ("cuda", False, "ordinary", "--torch cuda"),
    ],
)
def test_choice_on_linux(index, wanted, nvidia, name, why):
    """Catches 5 GB of CUDA for a laptop without a GPU, and a GPU left idle."""
    source = torch_source.choose(wanted, platform="linux", cpu_index=index, nvidia=nvidia)
    assert source.name == name and why in source.line and "\n" not in source.line
    assert source.index == (index if name == "cpu-index" else None)


def test_silent_index_costs_three_seconds(monkeypatch):
    """Catches a start that hangs on a network which swallows packets."""
    monkeypatch.setattr(torch_source, "INDEX_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begin = time.monotonic()
        assert not torch_source.answers(url, timeout=0.5)
        assert time.monotonic() - begin < 1.5


def test_dead_index_leads_to_the_ordinary_wheels():
    """Catches an installation that fails where only PyTorch's own index is blocked."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    dead = {"platform": "linux", "cpu_index": f"http://127.0.0.1:{port}", "nvidia": False}
    source = torch_source.choose("auto", **dead)
    assert source.name == "ordinary" and "does not answer" in source.line
    with pytest.raises(CourseError, match="did not answer"):
        torch_source.choose("cpu", **dead)


def test_missing_page_is_no_index(index):
    """Catches a proxy's error page taken for an index."""
    source = torch_source.choose("auto", platform="linux", cpu_index=index + "/no", nvidia=False)
    assert source.name == "ordinary"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_take_the_ordinary_wheels(platform):
    """Catches a probe of the network, or Linux's CPU index, on a Mac or Windows."""
    for wanted in ("auto", "cpu"):
        assert torch_source.choose(wanted, platform=platform, cpu_index="-").index is None


def test_cuda_elsewhere():
    """Catches --torch cuda that silently brings a PyTorch without CUDA."""
    with pytest.raises(CourseError, match="Mac"):
        torch_source.choose("cuda", platform="darwin")
    assert torch_source.choose("cuda", platform="win32").index == torch_source.CUDA_INDEX


@pytest.mark.parametrize(
    ("stamped", "wanted", "kept"),
    [
        ("ordinary", None, True),
        ("cpu-index", None, True),
        ("cpu-index", "auto", True),
        ("cpu-index", "cpu", True),
        ("cpu-index", "cuda", False),
        ("ordinary", "cpu", False),
        ("ordinary", "cuda", True),
    ],
)
def test_installed_pytorch_stays_unless_another_is_asked_for(stamped, wanted, kept, monkeypatch):
    """Catches a --torch that does nothing on a second start, and a start that reinstalls."""
    monkeypatch.setattr(sys, "platform", "linux")
    assert torch_source.keeps(stamped, wanted) == kept


def test_pytorch_comes_first_and_alone(tmp_path, monkeypatch):
    """Catches dependencies from PyTorch's index, and the other source's wheels left in place."""
    calls = []
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.txt").write_text("numpy==2.0\ntorch==2.14.1\ntorchvision==0.29.2\n")
    monkeypatch.setattr(installer, "_ensure_venv", lambda venv: None)
    monkeypatch.setattr(installer, "_pip", lambda venv, *arguments, lock: calls.append(arguments))
    for name in ("cpu-index", "ordinary"):
        index = "https://index.example" if name == "cpu-index" else None
        source = torch_source.Source(name, index, 0.0, "")
        monkeypatch.setattr(torch_source, "choose", lambda wanted, source=source: source)
        installer.install(tmp_path, torch="cpu" if index else "cuda", lock=-1)
    pair = ("torch==2.14.1", "torchvision==0.29.2")
    alone = ("--no-deps", "--force-reinstall")
    rest = ("-r", str(tmp_path / "requirements.txt"))
    from_index = (*alone, "--index-url", "https://index.example", *pair)
    assert calls == [from_index, rest, (*alone, *pair), rest]
    calls.clear()
    installer.install(tmp_path, torch="auto", lock=-1)
    assert calls == [rest]  # the pair that is there stays
