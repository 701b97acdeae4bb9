"""`lab` on machines as people have them: confined browsers, no home, a notebook of choice."""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from jupyter_client import BlockingKernelClient

from course_lib import __version__
from course_lib.commands import lab, lab_folders
from course_lib.errors import CourseError

VARIABLES = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR",
             "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR",
             "JUPYTER_CONFIG_PATH", "JUPYTER_PATH")  # fmt: skip
HOMES = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
PLACES = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")


@pytest.fixture
def own_variables(monkeypatch):
    """None of the variables that say where things are kept; they are restored afterwards."""
    for name in (*VARIABLES, *PLACES):
        monkeypatch.setenv(name, "")  # to be restored, also where there is none
        monkeypatch.delenv(name)
    return monkeypatch


def names(tmp_path, *files):
    """A folder of notebooks."""
    for name in files:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("3", "03_vae.ipynb"),
        ("03", "03_vae.ipynb"),
        ("003", "03_vae.ipynb"),
        ("vae", "03_vae.ipynb"),
        ("VAE.ipynb", "03_vae.ipynb"),
        ("03_vae", "03_vae.ipynb"),
        ("notebooks/03_vae.ipynb", "03_vae.ipynb"),
        ("./notebooks/03_vae.ipynb", "03_vae.ipynb"),
        ("beta_vae2", "04_beta_vae2.ipynb"),
        ("my own", "my own.ipynb"),
        ("12", "12_last.ipynb"),
    ],
)
def test_a_notebook_is_found(tmp_path, wanted, found):
    """Catches a number that finds 13 for 3, and a whole name that counts as a part of another."""
    folder = names(
        tmp_path, "03_vae.ipynb", "04_beta_vae2.ipynb", "12_last.ipynb", "13_other.ipynb",
        "my own.ipynb",
    )  # fmt: skip
    if wanted in ("vae", "VAE.ipynb"):
        (folder / "04_beta_vae2.ipynb").unlink()
    assert lab.find_notebook(folder, wanted) == found


@pytest.mark.parametrize(
    "wanted", ["9", "", "vaeb", "../03_vae.ipynb", "solutions/03_vae.ipynb", "²"]
)
def test_no_notebook_is_one_line_with_the_list(tmp_path, wanted):
    """Catches JupyterLab's page 404 as the answer, and another notebook than the one meant."""
    folder = names(tmp_path, "03_vae.ipynb", "04_beta_vae.ipynb")
    with pytest.raises(CourseError, match=r"there are: 03_vae\.ipynb, 04_beta_vae\.ipynb$"):
        lab.find_notebook(folder, wanted)


def test_an_ambiguous_name_lists_what_it_means(tmp_path):
    """Catches the first of several, silently."""
    folder = names(tmp_path, "03_vae.ipynb", "04_beta_vae.ipynb", "05_gan.ipynb")
    with pytest.raises(
        CourseError, match=r"several notebooks; there are: 03_vae.*04_beta_vae[^,]*$"
    ):
        lab.find_notebook(folder, "vae")


def options(root, **given):
    """What JupyterLab is started with."""
    given = {"notebook": None, "no_browser": False, "port": None, **given}
    return lab.options(argparse.Namespace(root=root, **given))


def test_the_chosen_notebook_is_opened(tmp_path):
    """Catches a name with blanks or letters that an address cannot have."""
    assert "--LabApp.default_url=/lab/tree/my%20%C5%81.ipynb" in options(
        tmp_path, notebook="my Ł.ipynb"
    )


@pytest.mark.parametrize("writable", [True, False])
def test_a_course_that_cannot_be_written_says_so(tmp_path, monkeypatch, capsys, writable):
    """Catches an hour of work in a notebook that cannot be saved; and a line for no reason."""
    (tmp_path / "notebooks").mkdir()
    for name in ("PATH", "JUPYTER_CONFIG_PATH", "PYTHONIOENCODING"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # restored afterwards
    monkeypatch.setattr(lab, "replace_unwritable", lambda: None)
    monkeypatch.setattr(lab, "hand_over", lambda command: 0)
    monkeypatch.setattr(lab.os, "access", lambda path, mode: writable)
    given = argparse.Namespace(root=tmp_path, notebook=None, no_browser=True, port=None)
    assert lab.run(given) == 0
    assert ("cannot be saved" in capsys.readouterr().out) is not writable


@pytest.mark.parametrize(
    ("apps", "release", "confined"),
    [
        ([], "6.8.0-45-generic", False),
        (["code", "snap-store", "firefox.geckodriver"], "6.8.0", True),
        (["firefox"], "6.8.0", True),
        (["org.mozilla.firefox"], "6.8.0", True),
        (["com.google.Chrome"], "6.8.0", True),
        (["org.gimp.GIMP"], "6.8.0", False),
        ([], "5.15.153.1-microsoft-standard-WSL2", True),
        ([], "4.4.0-19041-Microsoft", True),
    ],
)
def test_browsers_that_cannot_read_files(tmp_path, monkeypatch, apps, release, confined):
    """Catches "File not found" in the browser of Ubuntu or from WSL; elsewhere the token stays
    out of the list of processes."""
    monkeypatch.setattr(lab.platform, "release", lambda: release)
    monkeypatch.setattr(lab, "CHROMEBOOK", str(tmp_path / "none"))
    for app in apps:
        (tmp_path / app).mkdir()
    assert lab.browser_cannot_read_files([str(tmp_path), str(tmp_path / "none")]) is confined
    monkeypatch.setattr(lab, "browser_cannot_read_files", lambda: confined)
    assert ("--ServerApp.use_redirect_file=False" in options(tmp_path)) is confined


def test_nothing_is_replaced_where_all_can_be_written(own_variables, tmp_path):
    """Catches settings lost on an ordinary machine, where the folders are not made yet."""
    for name in HOMES:
        own_variables.setenv(name, str(tmp_path / "home"))
    assert lab_folders.replace_unwritable() is None
    assert not [name for name in VARIABLES if name in os.environ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", VARIABLES[:7])
def test_one_folder_that_cannot_be_written_is_replaced_alone(own_variables, tmp_path, name):
    """Catches a runtime folder that `sudo jupyter` left to root, and all settings lost for it."""
    for home in HOMES:
        own_variables.setenv(home, str(tmp_path / "home"))
    (tmp_path / "file").write_text("")
    own_variables.setenv(name, str(tmp_path / "file/deeper"))
    own_variables.setattr(lab_folders.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "new"))
    line = lab_folders.replace_unwritable()
    assert "file/deeper cannot be written" in line.replace(os.sep, "/") and "\n" not in line
    changed = {n: os.environ[n] for n in VARIABLES[:7] if n in os.environ}
    within = {"JUPYTER_CONFIG_DIR": VARIABLES[:3], "JUPYTER_DATA_DIR": VARIABLES[3:5]}
    assert set(changed) == {*within.get(name, (name,))}
    assert all(str(tmp_path / "new") in value for value in changed.values())


def test_what_can_be_read_stays_known(own_variables, tmp_path):
    """Catches a password or a kernel of the user that is forgotten with a read-only home."""
    config = tmp_path / "config"
    config.mkdir()
    own_variables.setenv("JUPYTER_CONFIG_DIR", str(config))
    own_variables.setenv("JUPYTER_CONFIG_PATH", "first")
    own_variables.setattr(lab_folders, "can_write", lambda folder: folder != str(config))
    lab_folders.replace_unwritable()
    assert os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep) == ["first", str(config)]
    assert os.environ["JUPYTER_CONFIG_DIR"] != str(config)


def test_no_folder_at_all_is_one_line(own_variables, tmp_path):
    """Catches FileNotFoundError from tempfile."""
    own_variables.setattr(lab_folders, "can_write", lambda folder: False)

    def refuse(prefix):
        raise FileNotFoundError("no usable temporary directory")

    own_variables.setattr(lab_folders.tempfile, "mkdtemp", refuse)
    with pytest.raises(CourseError, match="set HOME or TMPDIR"):
        lab_folders.replace_unwritable()


@pytest.fixture(scope="module")
def server(root, tmp_path_factory):
    """`lab` without a home that could be made, whose path the locale has no letters for."""
    folder = tmp_path_factory.mktemp("lab") / "Łukasz Ελένη"
    folder.mkdir()
    (folder / "file").write_text("")
    (folder / "tmp").mkdir()
    env = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, *PLACES)}
    env |= dict.fromkeys(HOMES, str(folder / "file/home"))
    env |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "tmp"))
    env["PIP_NO_INDEX"] = "1"  # a `python` that lacks the packages must not install them
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "course_lib", "lab", "--no-browser", "--port", str(port)]
    with (
        open(folder / "log", "w", encoding="utf-8") as log,
        subprocess.Popen(
            command, cwd=root, env={**env, **ASCII, "JUPYTER_TOKEN": "t"}, stdout=log, stderr=log
        ) as process,
    ):  # fmt: skip
        try:
            yield argparse.Namespace(folder=folder, url=f"http://127.0.0.1:{port}", process=process)
        finally:
            process.terminate()


def asked(server, path, data=None):
    """The server's answer, as soon as there is one."""
    request = urllib.request.Request(
        f"{server.url}{path}", data=data, headers={"Authorization": "token t"}
    )
    end = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)
        except OSError:
            log = (server.folder / "log").read_text(encoding="utf-8")
            assert server.process.poll() is None and time.monotonic() < end, log
            time.sleep(0.2)


def outputs(client, code):
    """What a cell prints and shows: text, and the kinds of pictures."""
    found = []
    reply = client.execute_interactive(code, timeout=120, output_hook=found.append)
    assert reply["content"]["status"] == "ok", reply["content"]
    said = "".join(one["content"].get("text", "") for one in found)
    return said, [kind for one in found for kind in one["content"].get("data", ())]


def test_lab_without_a_home(server):
    """Catches a server, a kernel or a figure that needs a folder in the home, and warnings in red
    above the first figure; `!python -m course_lib` in a cell, whose folder is notebooks/."""
    assert asked(server, "/api/status")["kernels"] == 0
    kernel = asked(server, "/api/kernels", data=b'{"path": "01_a.ipynb"}')
    (file,) = (server.folder / "tmp").glob(f"*/*/kernel-{kernel['id']}.json")
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels(hb=False)  # on a busy machine a kernel misses heartbeats
    with contextlib.ExitStack() as stack:
        stack.callback(client.stop_channels)
        client.wait_for_ready(timeout=120)
        assert outputs(client, "import os; print(os.getcwd())")[0].strip().endswith("notebooks")
        draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
        said, kinds = outputs(client, draw)
        assert "image/png" in kinds and said == ""
        said, _ = outputs(client, "!python -m course_lib --version")
        assert said.strip() == __version__
        said, _ = outputs(client, "!python -m course_lib data list")
        assert "faces" in said and "Traceback" not in said
    log = (server.folder / "log").read_text(encoding="utf-8")
    assert log.count("cannot be written") == 1 and "Traceback" not in log, log
