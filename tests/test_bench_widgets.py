"""`bench widgets`: what it times is the step of a slider, and its table says what was missed."""

import json
import subprocess
import sys
import time

import pytest

from course_lib.benchmarks import lab, steps, widgets
from course_lib.commands import cli

PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


@pytest.fixture
def short(monkeypatch):
    for name, value in {"ROUNDS": 1, "OWN_STEPS": 3, "PEER_STEPS": 1}.items():
        monkeypatch.setattr(steps, name, value)


def test_a_server_that_will_not_go_is_ended(monkeypatch):
    """Catches a JupyterLab that outlives its test, or an error in place of the test's result."""
    monkeypatch.setattr(lab, "SHUTDOWN_TIMEOUT_S", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    )
    command = [sys.executable, "-c", f"{deaf}; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        lab.end(server)
    assert server.returncode == -9


def test_a_step_is_timed_to_its_end(short, monkeypatch):
    """Catches a clock that stops before the model is decoded, or that runs for no step at all."""
    calls, real = [], steps.decoder

    def slow(name):
        decode = real(name)

        def wait(z):
            calls.append(name)
            time.sleep(0.03)
            return decode(z)

        return wait

    monkeypatch.setattr(steps, "decoder", slow)
    times = steps.measure()
    assert set(times) == {steps.MLP, steps.PAD, steps.CONV, *steps.BARE.values(), *steps.PEERS}
    for name, found in times.items():
        assert len(found) == (1 if name in steps.PEERS else 3)
        assert all(wall >= 30 and processor < wall for wall, processor in found)
    assert calls.count(steps.PAD) >= 1 + 2 * (1 + 3)  # at the start, then two rounds


def test_both_sides_have_the_same_sliders(short):
    """Catches a peer with fewer sliders, or other latents, than the panel beside it."""
    for name in steps.PEER:
        theirs = {s.description: (s.min, s.max, s.step) for s in steps.interact(name, alone=True)}
        panel = steps.panel(name)
        ours = {k.translate(PLAIN): (c.min, c.max, c.step) for k, c in panel.controls.items()}
        assert ours == theirs and list(ours) == list(theirs)


FAST = {steps.MLP: 2.0, steps.PAD: 3.0, steps.CONV: 6.0}
SLOW = {peer: 50 * FAST[name] for name, peer in steps.PEER.items()}
SLOW |= {peer: 8 * FAST[name] for name, peer in steps.PEER_ALONE.items()}
SLOW |= {peer: 0.8 * FAST[name] for name, peer in steps.BARE.items()}


def pairs(times):
    return {name: [(ms, ms / 2)] * 20 for name, ms in times.items()}


def test_figures_are_printed_and_written(monkeypatch, tmp_path, capsys):
    """Catches a table without its ratio, and a browser that is missing without a word."""
    monkeypatch.setattr(widgets, "in_kernel", lambda: pairs(FAST | SLOW))
    monkeypatch.setattr(lab, "lacking", lambda: "no Chromium on the path: apt install chromium")
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "widgets", "--json", str(file)]) == 0
    figures, told = json.loads(file.read_text())["widgets"], capsys.readouterr().out
    assert figures["ratio"] == dict.fromkeys(steps.PEER, 50)
    assert figures["ratio, image alone"] == dict.fromkeys(steps.PEER, 8)
    assert figures[widgets.OF_BARE] == pytest.approx(dict.fromkeys(steps.BARE, 1.25))
    assert figures["kernel"][steps.CONV] == pytest.approx(
        {"median": 6, "p95": 6, "n": 20, "p95 processor": 3}
    )
    assert widgets.IN_LAB not in figures
    assert "not measured: no Chromium" in told and "MISSED" not in told


@pytest.mark.parametrize(
    ("name", "ms"),
    [(steps.PAD, 3.7), (steps.CONV, 7.3), (steps.PEER[steps.MLP], 19), (steps.BARE[steps.CONV], 3)],
)
def test_a_limit_that_is_missed_is_called_so(monkeypatch, capsys, name, ms):
    """Catches a table that says reached whatever was measured."""
    monkeypatch.setattr(widgets, "in_kernel", lambda: pairs(FAST | SLOW | {name: ms}))
    monkeypatch.setattr(widgets, "in_jupyterlab", lambda: [70] * 9)
    monkeypatch.setattr(widgets, "in_demo", lambda: {"faces": [9] * 9})
    monkeypatch.setattr(lab, "lacking", lambda: None)
    figures = widgets.run()
    assert figures[widgets.IN_LAB]["median"] == 70
    told = [line for line in capsys.readouterr().out.splitlines() if "MISSED" in line]
    assert len(told) == 1 and name.split(":")[0] in told[0]


def test_a_slow_step_now_and_then_shows_in_the_95th_percentile():
    """Catches a mean or a median where stutter has to show."""
    found = widgets.summary([1.0] * 90 + [100.0] * 10)
    assert found["median"] == 1 and found["p95"] == 100
