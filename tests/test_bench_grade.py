"""The benchmark of the grader: what it compares is alike, and its figures add up."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("papermill")
from course_lib.benchmarks import grade
from course_lib.commands import cli


def test_the_class_holds_different_files_with_the_solution(tmp_path):
    """Catches a class of which all but one is answered from what was graded before."""
    folder = grade.write_class(tmp_path / "class")
    texts = {path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert len(texts) == grade.N_SUBMISSIONS
    solution = (grade.ROOT / f"solutions/{grade.STEM}.ipynb").read_text(encoding="utf-8")
    for text in texts:
        assert json.loads(text)["cells"][:-1] == json.loads(solution)["cells"]


def test_processes_are_told_apart():
    """Catches a student's kernel counted as the grader, or the grader's judge left out."""
    assert grade.kind_of("python -m course_lib grade class --out x") == "command"
    assert grade.kind_of("python -m course_lib.grading.submission.judge") == "judge"
    assert grade.kind_of("python -m course_lib.grading.submission.worker") == "worker"
    for other in (
        "python -m ipykernel_launcher -f x",
        "python -I /x/course_lib/grading/sandbox/namespaces.py {}",
    ):
        assert grade.kind_of(other) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peaks_are_seen():
    """Catches a measure that misses what a process needed for a while."""
    code = "import time; x = bytearray(150 * 2**20); time.sleep(1.5); del x; time.sleep(0.5)"
    process = subprocess.Popen([sys.executable, "-c", f"{code}  # course_lib grade"])
    assert 150 < grade.peaks(process)["command"] < 250


def test_figures_are_printed_and_written(tmp_path, monkeypatch, capsys):
    """Catches a ratio turned round, a warm-up that counts, or a figure without its limit."""
    clock = iter([9.0, 9.0, 10.0, 12.5, 10.0, 11.5])
    monkeypatch.setattr(grade, "seconds", lambda call, scratch: next(clock))
    monkeypatch.setattr(grade, "class_seconds", lambda scratch, cores: {1: 40.0, 2: 21.0}[cores])
    monkeypatch.setattr(grade, "grade_command", lambda *args, **options: None)
    monkeypatch.setattr(
        grade, "peaks", lambda process: {"command": 150.0, "worker": 160.0, "judge": 700.0}
    )
    monkeypatch.setattr(grade, "answers_seconds", lambda scratch: {"answers": 4.5, "again": 8.0})
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "grade", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["grade"]
    assert figures["cost"] == pytest.approx(1.2)
    assert figures["throughput"] == pytest.approx(40 / 21)
    assert figures["memory"] == 310
    said = capsys.readouterr().out
    for words in (
        "1.20, at most 1.3",
        "1.90, at least 1.7",
        "310 MB without the judge, at most 400",
        "700 MB, at most 900",
        "4.5 s for the answers of a submission of 03",
        "8.0 s to judge 12 again, at most 10",
    ):
        assert words in said


def test_a_solution_without_all_points_is_no_measurement(tmp_path, monkeypatch):
    """Catches a figure of a run that broke off."""
    record = {"points": 3, "max_points": 12, "status": "timeout", "reason": "slow"}
    monkeypatch.setattr(grade, "grade_notebook", lambda *args, **options: record)
    with pytest.raises(RuntimeError, match="timeout: slow"):
        grade.graded(tmp_path)
