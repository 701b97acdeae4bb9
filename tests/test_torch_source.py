"""Which PyTorch is installed, and how."""

import shutil
import socket
import ssl
import subprocess
import sys
import threading
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


def test_silent_index_costs_three_seconds(within):
    """Catches a start that hangs on a network which swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not within(1.5, lambda: torch_source.problem(url, timeout=0.5)).of_this_network


def test_dead_index_leads_to_the_ordinary_wheels():
    """Catches an installation that fails where only PyTorch's own index is blocked."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    dead = {"platform": "linux", "cpu_index": f"http://127.0.0.1:{port}", "nvidia": False}
    source = torch_source.choose("auto", **dead)
    assert source.name == "ordinary" and "does not answer: [Errno" in source.line
    with pytest.raises(CourseError, match=r"does not answer \(\[Errno"):
        torch_source.choose("cpu", **dead)


@pytest.fixture
def untrusted(tmp_path):
    """Address of an index behind a certificate that nobody vouches for, as in many companies."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def test_a_certificate_is_no_reason_for_five_gigabytes(untrusted):
    """Catches CUDA for a laptop whose Python lacks certificates that its pip has."""
    for wanted in ("auto", "cpu"):
        source = torch_source.choose(wanted, platform="linux", cpu_index=untrusted, nvidia=False)
        assert source.name == "cpu-index" and source.gigabytes < 3
        assert "certificate: self" in source.line and "pip tries" in source.line
        assert "PIP_CERT" in source.doubt and "self" in source.doubt


class Refuses(BaseHTTPRequestHandler):
    """A proxy that answers every CONNECT with the status in its path."""

    status = 407

    def do_CONNECT(self):
        self.send_error(self.status)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("status", "name", "word"),
    [
        (407, "cpu-index", "wants a password"),
        (403, "ordinary", "403"),
        (None, "cpu-index", "refused"),
    ],
)
def test_proxy_is_named(monkeypatch, status, name, word):
    """Catches 5 GB because of a password. A proxy that forbids the index alone is no such thing."""
    monkeypatch.setattr(Refuses, "status", status)
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("no_proxy", "")
        if status is None:
            server.shutdown()
            server.server_close()
        source = torch_source.choose(
            "auto", platform="linux", cpu_index="https://index.invalid", nvidia=False
        )
        if status:
            server.shutdown()
    assert source.name == name and "the proxy" in source.line and word in source.line


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


LOCKED = "numpy==2.0 --hash=sha256:0\ntorch==2.14.1 --hash=sha256:1\ntorchvision==0.29.2\n"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A course in `tmp_path` whose calls of pip are noted instead of made."""
    calls = []
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.txt").write_text(f"{LOCKED}nvidia-nccl-cu13==2.30\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = []\n')
    monkeypatch.setattr(installer, "_ensure_venv", lambda venv: None)
    monkeypatch.setattr(installer, "_remove", lambda venv, names, lock: calls.append(names))
    monkeypatch.setattr(installer, "_pip", lambda venv, *arguments, lock: calls.append(arguments))
    return calls


def from_source(monkeypatch, name, index):
    """Lets torch_source choose this."""
    source = torch_source.Source(name, index, 0.0, "", " (doubt)")
    monkeypatch.setattr(torch_source, "choose", lambda wanted: source)


def test_pytorch_of_an_index_comes_first_and_alone(pip, tmp_path, monkeypatch):
    """Catches other packages from PyTorch's index, CUDA beside it, and the locked file's hash."""
    from_source(monkeypatch, "cpu-index", "https://index.example")
    installer.install(tmp_path, needs=(), torch="cpu", lock=-1)
    rest = tmp_path / ".venv/requirements.txt"
    pair = ("torch==2.14.1", "torchvision==0.29.2")
    assert pip == [
        ("torch", "torchvision"),
        ("--no-deps", "--index-url", "https://index.example", *pair),
        ("--no-deps", f"--requirement={rest}"),
    ]
    assert rest.read_text() == "numpy==2.0 --hash=sha256:0\n"
    pip.clear()
    installer.install(tmp_path, needs=(), torch="auto", lock=-1)
    assert pip == [("--no-deps", f"--requirement={rest}")]  # the pair that is there stays


def test_ordinary_pytorch_comes_with_the_lock(pip, tmp_path, monkeypatch):
    """Catches the other source's wheels left in place: pip takes 2.14.1+cpu for 2.14.1."""
    for name, index in (("cpu-index", "https://index.example"), ("ordinary", None)):
        from_source(monkeypatch, name, index)
        pip.clear()
        installer.install(tmp_path, needs=(), torch="cpu" if index else "cuda", lock=-1)
    assert pip == [
        ("torch", "torchvision"),
        ("--no-deps", f"--requirement={tmp_path / 'requirements.txt'}"),
    ]


def test_an_index_that_refuses_pip_is_doubted_aloud(pip, tmp_path, monkeypatch):
    """Catches "see above" as the only word on a certificate."""

    def fails(*_, **__):
        raise CourseError("pip stopped (1)")

    from_source(monkeypatch, "cpu-index", "https://index.example")
    monkeypatch.setattr(installer, "_pip", fails)
    with pytest.raises(CourseError, match=r"pip stopped \(1\) \(doubt\)"):
        installer.install(tmp_path, needs=(), torch="auto", lock=-1)
