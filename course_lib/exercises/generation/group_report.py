"""`group_report(errors, groups)`: the mean error of each group, and how sure of it we are."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_lib.exercises.generation.wrong_reports import MISTAKES
from course_lib.exercises.observers import outline
from course_lib.exercises.spec import Case, Exercise

KIND, NAMES = "kind of the result", "groups"
COLUMNS = ("mean of each group", "lower end of each interval", "upper end of each interval")


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, sizes: dict[int, int]) -> Case:
        """Skewed errors, another level and another spread in each group, in mixed order."""
        groups = torch.tensor([group for group, n in sizes.items() for _ in range(n)])
        groups = groups[torch.randperm(len(groups), generator=g)]
        errors = torch.rand(len(groups), generator=g, dtype=torch.float64) ** 3
        for i, group in enumerate(sizes):
            errors[groups == group] = 0.5 * i + (1 + i) * errors[groups == group]
        return Case(about, {"errors": errors, "groups": groups})

    pair = draw("a group of two images, far apart", {0: 2, 1: 6})
    pair.args["errors"][pair.args["groups"] == 0] = torch.tensor([0.1, 1.0], dtype=torch.float64)
    equal = draw("a group without spread", {3: 4, 4: 5})
    equal.args["errors"][equal.args["groups"] == 3] = 0.25
    return [
        draw("three groups of 20, 5 and 9 images", {0: 20, 1: 5, 2: 9}),
        draw("groups 2, 7 and 40", {7: 8, 40: 6, 2: 4}),
        pair,
        equal,
        draw("one group", {1: 7}),
    ]


def _key(key: Any) -> str:
    """The group that a whole number, of whatever type, looks up; else the name of its type."""
    number = isinstance(key, numbers.Number | np.generic) and not isinstance(key, complex)
    return str(int(key)) if number and key == int(key) else type(key).__name__


def _three(value: Any) -> list[float] | None:
    """Mean and both ends as numbers; None for anything else."""
    try:
        found = [float(part) for part in value]
        return found if [np.ndim(part) for part in value] == [0, 0, 0] else None
    except (TypeError, ValueError, RuntimeError):
        return None


def _kind(value: Any) -> str:
    """Containers with the types of what is in them, a tensor with its shape."""
    if isinstance(value, dict) and value:
        return f"dictionary of {_kind(next(iter(value.values())))}"
    if isinstance(value, list | tuple) and value:
        return f"{type(value).__name__} ({', '.join(map(_kind, value))})"
    return outline(value)


def _first(value: Any) -> float | None:
    """The first number in nested containers: a clue to what it is."""
    while isinstance(value, dict | list | tuple) and value:
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return float(value) if isinstance(value, numbers.Number) else None


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Groups and columns of the report in the order of the groups; numbers of any type count."""
    report = candidate(*case.args.values())
    if not isinstance(report, dict):
        return {KIND: _kind(report), "_first": _first(report)}
    rows = {_key(key): _three(value) for key, value in report.items()}
    if any(row is None for row in rows.values()):
        return {KIND: _kind(report), "_first": _first(report)}
    names = sorted(rows, key=lambda name: (len(name), name))
    record = {KIND: "dictionary of three numbers each", NAMES: ", ".join(names)}
    columns = zip(*(rows[name] for name in names), strict=True) if names else [[], [], []]
    return record | {title: [*column] for title, column in zip(COLUMNS, columns, strict=True)}


EXERCISE = Exercise(
    "group_report",
    2,
    cases,
    MISTAKES,
    observe=observe,
    property_hints={
        KIND: "Return a dictionary from each group to its (mean, low, high), three numbers.",
        NAMES: "The keys are the groups that occur, each once, as whole numbers.",
        COLUMNS[0]: "The first number of each group is the mean of its own errors.",
        COLUMNS[1]: "The means are right, the lower ends are not: s over the root of n, times "
        "1.96, below the mean.",
        COLUMNS[2]: "Means and lower ends are right, the upper ends are not: the interval is as "
        "wide above the mean as below.",
    },
)
