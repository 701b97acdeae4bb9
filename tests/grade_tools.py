"""What the tests of the grader share: small notebooks, folders and ZIPs of them."""

import dataclasses
import json
import zipfile

from course_lib.grading import assignment, intake
from course_lib.grading.batch import results
from course_lib.grading.intake import names

STEM = "01_autoencoder_basics"
OTHER = "03_variational_autoencoder"


def notebook(stem=STEM, *, text="", right=()):
    """The bytes of a small notebook with the exercises of `stem`; `right` ones say so."""
    names = assignment.find(stem).points
    cells = [
        {
            "cell_type": "code",
            "id": f"exercise-{name}",
            "execution_count": None,
            "metadata": {"nbgrader": {"grade_id": name, "solution": True}},
            "outputs": [],
            "source": [f"def {name}():\n", f"    return {'right' if name in right else 'wrong'!r}"],
        }
        for name in names
    ]
    note = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": [text]}
    whole = {"cells": [*cells, note], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1).encode()


def folder_of(root, members):
    """A folder with these files: name to bytes."""
    for name, data in members.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zip_of(path, members, *, top=""):
    """A ZIP with these members: names (or ZipInfo objects) to bytes, or pairs of them."""
    pairs = members.items() if isinstance(members, dict) else members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in pairs:
            archive.writestr(f"{top}{name}" if isinstance(name, str) else name, data)
    return path


def record_of(student, *, right=(), stem=STEM, status="ok", **fields):
    """A record as the engine writes it: these exercises right, all others wrong."""
    exercises = [
        {
            "name": name,
            "points": most if name in right else 0,
            "max_points": most,
            "status": "right" if name in right else "wrong",
            "mistake": None if name in right else "sign",
            "hint": "" if name in right else "Turn the sign round.",
            "case": "a small matrix",
            "obtained": "−1",
            "expected": "1",
            "reason": "",
            "from": "run",
            "seconds": 0.1,
        }
        for name, most in assignment.find(stem).points.items()
    ]
    points = sum(one["points"] for one in exercises)
    record = {"student": student, "file": f"{student}.ipynb", "sha256": "0" * 64, "notebook": stem}
    record |= {"status": status, "reason": "", "isolation": {"level": "namespaces"}, "flags": []}
    record |= {"points": points, "max_points": assignment.find(stem).max_points, "seconds": 2.0}
    return {
        **record,
        "exercises": exercises,
        "cells": [{"id": "setup", "seconds": 0.1}],
        "grader": "g",
        "key": "k",
        **fields,
    }


def result_of(student, *, entry=None, flags=(), overrides=None, stem=STEM, **record):
    """A row of the table; `entry` is what the file was called."""
    owner = names.owner(entry or f"{student}.ipynb", is_folder=False)
    one = intake.Submission(owner.student if entry else student, owner, f"{student}.ipynb")
    one = dataclasses.replace(one, flags=flags)
    made = record_of(one.student, stem=stem, **record)
    return results.result(one, made, assignment.find(stem), overrides or {})
