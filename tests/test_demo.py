"""The lecture demo without a browser: what is in the page, how it is written, how it is served."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
import torch
from PIL import Image

from course_lib import checkpoints, datasets, demo, plots
from course_lib.authoring.address import course_address
from course_lib.codes import code_of
from course_lib.commands import cli, environment
from course_lib.demo import gif, server
from course_lib.demo.content import MODELS, SITE
from course_lib.errors import CourseError
from course_lib.recipes import walks
from course_lib.training import to_float

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"


@pytest.fixture(scope="module")
def text():
    return demo.page(DATA)


@pytest.fixture
def copy(tmp_path):
    """A data folder that a test may damage."""
    shutil.copytree(DATA / "metrics", tmp_path / "data" / "metrics")
    (tmp_path / "data" / "checkpoints").mkdir()
    for card in (DATA / "checkpoints").glob("*-prior.json"):
        shutil.copy(card, tmp_path / "data" / "checkpoints")
    for name in MODELS:
        for ending in ("json", "safetensors"):
            shutil.copy(
                DATA / "checkpoints" / f"{name}.{ending}", tmp_path / "data" / "checkpoints"
            )
    return tmp_path / "data"


def test_the_page_needs_nothing_from_outside(text):
    """Catches an address, an import or a picture that a page without a network cannot load."""
    assert not re.search(r"\bsrc=|url\(|@import|\bimport\b *[({'\"]|fetch\(", text)
    assert re.findall(r"href=\"([^\"]*)\"", text) == ["data:,"]
    links = {*re.findall(r"https?:[^\"`]+", text)}  # to be followed by a click alone
    address = course_address(ROOT)
    files = f"{address.url}/blob/{address.tag}"
    assert links == {address.url, files, "https://arxiv.org/abs/2409.09011"}
    assert not re.search(
        r"\{\{\w+\}\}", re.sub(r'id="content">.*?</script>', "", text, flags=re.DOTALL)
    )
    assert "/home/" not in text and str(ROOT) not in text


def test_the_page_carries_every_model_with_its_card(text):
    """Catches a model left out, or a card of another model beside the weights."""
    content = json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])
    assert list(content["models"]) == list(MODELS)
    for name, model in content["models"].items():
        assert model["card"]["name"] == name and model["card"]["sha256"]
    assert content["table"]["seconds"] == checkpoints.metrics("table1")["seconds"]


def test_the_code_on_the_page_stands_in_the_notebooks():
    """Catches lines of a solution, and lines that the notebook has no longer."""
    words = (SITE / "words.js").read_text(encoding="utf-8")
    views = re.findall(
        r"code: \[(.*?)\],\n.*?notebook: \"(.*?)\", section: \"(.*?)\"", words, re.DOTALL
    )
    assert len(views) == words.count("ask:") == 9
    for code, stem, section in views:
        notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", 4)
        taught = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        for line in re.findall(r"\"((?:[^\"\\]|\\.)*)\"", code):
            assert json.loads(f'"{line}"').strip() in taught, line
        headings = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        assert re.search(rf"^## {section} · ", "\n".join(headings), re.MULTILINE), section


def test_classes_have_the_colours_of_the_figures():
    """Catches a page and figures that give one digit two colours."""
    source = (SITE / "markers.js").read_text(encoding="utf-8")
    listed = re.search(r"CLASS_COLOURS = \[(.*?)\]", source, re.DOTALL)[1]
    assert re.findall(r"#[0-9A-F]{6}", listed) == plots.CLASS_COLOURS


def test_export_writes_one_file_on_a_bare_python(tmp_path, within):
    """Catches a demo that needs packages, or seconds, before it shows anything."""
    target = tmp_path / "demo.html"
    code = (
        "import sys; from pathlib import Path; from course_lib import demo; "
        f"demo.export(Path({str(DATA)!r}), Path({str(target)!r})); "
        "print({'torch', 'numpy', 'PIL', 'safetensors', 'matplotlib'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = within(5, lambda: subprocess.run(command, cwd=ROOT, capture_output=True, text=True))
    assert done.stdout.strip() == "set()", done.stderr
    assert target.read_text(encoding="utf-8").endswith("</html>\n")
    assert target.stat().st_size <= 10e6
    assert [path.name for path in tmp_path.iterdir()] == ["demo.html"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "is not the path of a file in a folder that exists"),
        ("no/demo.html", "is not the path of a file in a folder that exists"),
        (300 * "a", "name too long"),
    ],
)
@pytest.mark.parametrize("option", ["--export", "--gif"])
def test_a_bad_target_is_one_line(option, name, words, tmp_path, capsys, monkeypatch):
    """Catches a traceback, an exit code that says all went well, an installation before the no."""
    monkeypatch.setattr(environment, "ensure", lambda *_, **__: pytest.fail("installs"))
    assert cli.main(["demo", option, str(tmp_path / name)]) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_picture_named_like_that_of_readme_is_written_where_it_was_asked_for(
    tmp_path, monkeypatch, capsys
):
    """Catches `--gif walk.gif` that replaces the picture of README."""
    targets = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "ensure", lambda *_, **__: None)
    monkeypatch.setattr(gif, "write_walk", lambda data, target: targets.append(target) or 0)
    assert cli.main(["demo", "--gif", "walk.gif"]) == cli.main(["demo", "--gif"]) == 0
    assert [target.resolve() for target in targets] == [tmp_path / "walk.gif", DATA / "walk.gif"]


def test_a_full_disk_and_ctrl_c_leave_nothing_behind(tmp_path, monkeypatch):
    """Catches half a page beside the old one, or in its place."""
    target = tmp_path / "demo.html"
    target.write_text("old")

    def stopped(error):
        def write(self, data):
            self.write_text("half")
            raise error

        return write

    full, interrupted = OSError(28, "No space left on device"), KeyboardInterrupt()
    for error, seen in [(full, CourseError), (interrupted, KeyboardInterrupt)]:
        monkeypatch.setattr(Path, "write_bytes", stopped(error))
        with pytest.raises(seen):
            demo.export(DATA, target)
        assert [path.name for path in tmp_path.iterdir()] == ["demo.html"]
        assert target.read_text() == "old"


def _cut(folder):
    path = folder / "checkpoints" / "faces-vae-128.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def _gone(folder):
    (folder / "checkpoints" / "mnist-decoder-2.safetensors").unlink()


def _garbled(folder):
    (folder / "metrics" / "walks.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut, "faces-vae-128.safetensors is not the file that its card describes.*train faces"),
        (_gone, "mnist-decoder-2.safetensors cannot be read.*train table1"),
        (_garbled, "walks.json cannot be read.*restore it"),
    ],
)
def test_damaged_data_are_named(damage, words, copy):
    """Catches a page that is written with broken weights and fails before the audience."""
    damage(copy)
    with pytest.raises(Exception, match=words):
        demo.page(copy)


@contextlib.contextmanager
def started(*options, **environment):
    """The command at work, everything that it prints in one pipe."""
    command = [sys.executable, "-m", "course_lib", "demo", *options]
    variables = {**os.environ, **environment}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_serves_the_page_within_five_seconds(text, within):
    """Catches a slow start, an address that does not answer, and files served besides the page."""

    def serve():
        with started("--no-browser") as process:
            address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
            with urllib.request.urlopen(address, timeout=5) as answer:
                assert answer.read().decode() == text
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{address}data/README.md", timeout=5)

    within(5, serve)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_a_reload_and_ctrl_c_print_no_traceback():
    """Catches a traceback for a browser that hangs up early, and for the way the demo ends."""
    with started("--no-browser") as process:
        port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                client.recv(10)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).status == 200
        process.send_signal(signal.SIGINT)
        assert (process.stdout.read(), process.wait(timeout=10)) == ("", 0)


def test_the_page_is_there_before_the_browser_returns(tmp_path):
    """Catches a start that waits for a browser which itself waits for the page."""
    browser = tmp_path / "browser.py"
    browser.write_text(
        "import sys, urllib.request\n"
        "print(len(urllib.request.urlopen(sys.argv[1], timeout=10).read()), flush=True)"
    )
    with started(BROWSER=f"{sys.executable} {browser} %s") as process:
        assert "the demo is at" in process.stdout.readline()
        assert int(process.stdout.readline()) > 4e6


def test_no_browser_is_told(capsys, monkeypatch):
    """Catches silence where nothing opens: over SSH, in a container."""
    monkeypatch.setattr(server.webbrowser, "open", lambda address: False)
    server.open_browser("http://127.0.0.1:1/")
    assert "open this address yourself" in capsys.readouterr().out


# --- the directions of faces ---------------------------------------------------------------------


def test_directions_lead_from_without_to_with():
    """Catches a direction that is reversed, or that belongs to another attribute or model."""
    found = checkpoints.metrics("walks")
    model, card = checkpoints.load(found["model"])
    data = datasets.load(card["data"])
    if data.stand_in != card["stand_in"]:
        pytest.skip("real faces are at hand: the committed directions are those of the stand-in")
    codes = code_of(model, to_float(data.test.images[:1000]))
    assert list(found["attributes"]) == list(walks.ATTRIBUTES)
    for name, step in found["attributes"].items():
        y, v = data.test.factors[:1000, data.factor_names.index(name)], torch.tensor(step)
        apart = (codes[y == 1] @ v).mean() - (codes[y == 0] @ v).mean()
        assert apart == pytest.approx(v.square().sum().item(), rel=0.25), name
    assert torch.allclose(torch.tensor(found["faces"]), codes[walks.TEST_FACES], atol=0.02)


def test_directions_of_other_faces_are_refused(monkeypatch, tmp_path):
    """Catches directions of real faces for a model that knows cartoons alone."""
    load = datasets.load
    monkeypatch.setattr(datasets, "load", lambda name: load(name).renamed(stand_in=False))
    with pytest.raises(Exception, match="knows other faces"):
        walks.run(tmp_path)
    assert not list(tmp_path.iterdir())


# --- the animated picture ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    target = tmp_path_factory.mktemp("gif") / "walk.gif"
    assert cli.main(["demo", "--gif", str(target)]) == 0
    return target


def test_the_walk_moves(drawn):
    """Catches a still picture, and frames of which some are lost."""
    with Image.open(drawn) as picture:
        assert picture.n_frames > 50 and picture.info["loop"] == 0
        frames = []
        for i in range(0, picture.n_frames, 7):
            picture.seek(i)
            frames.append(picture.convert("RGB").tobytes())
    assert len({*frames}) == len(frames)
    assert drawn.stat().st_size <= 2e6


def test_the_committed_walk_is_what_the_command_draws(drawn):
    """Catches a README whose picture is older than its model (fonts may differ a little)."""
    with Image.open(drawn) as new, Image.open(DATA / "walk.gif") as old:
        assert (old.size, old.n_frames) == (new.size, new.n_frames)
        for i in (0, 25, 50):
            old.seek(i), new.seek(i)
            a, b = (torch.frombuffer(bytearray(p.convert("L").tobytes()), dtype=torch.uint8)
                    for p in (old, new))  # fmt: skip
            assert (a.float() - b.float()).abs().mean() < 3
    assert (DATA / "walk.gif").stat().st_size <= 2e6
