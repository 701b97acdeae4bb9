"""`group_report(errors, groups)`: the mean error of each group, and how sure of it we are."""

from collections.abc import Callable

import torch

from course_lib.exercises.observers import seeded
from course_lib.exercises.records import is_array, plain
from course_lib.exercises.spec import Case, Exercise

KIND, NAMES, FULL = "three numbers for each group", "groups", "numbers in full"
MEAN, LOW, HIGH = "list of means", "width below the mean", "width above the mean"


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, sizes: dict[int, int], *, scale: float = 80, shift: float = 0) -> Case:
        """Skewed errors, another level and another spread in each group, in mixed order."""
        groups = torch.tensor([group for group, n in sizes.items() for _ in range(n)])
        groups = groups[torch.randperm(len(groups), generator=g)]
        errors = torch.rand(len(groups), generator=g) ** 3
        for i, group in enumerate(sizes):
            errors[groups == group] = scale * (0.5 * i + (1 + i) * errors[groups == group] - shift)
        return Case(about, {"errors": errors, "groups": groups})

    return [
        draw("three groups of 30, 120 and 50 images", {0: 30, 1: 120, 2: 50}),
        draw("groups 2, 7 and 40", {7: 35, 40: 60, 2: 30}),
        draw("differences of ratios, some below 0", {0: 100, 1: 31}, scale=0.1, shift=0.4),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, object] | None:
    """Groups, and for each the mean and how far the ends are from it."""
    report = candidate(*case.args.values())
    if not isinstance(report, dict):
        return None if report is None else {KIND: report}
    if set(report) != set(names := case.args["groups"].unique().tolist()):
        return {KIND: True, NAMES: f"{[*report]}"}
    rows = [report[group] for group in sorted(report)]
    fit = is_array(table := plain(rows)) and table["shape"] == [len(rows), 3]
    if not fit or any(isinstance(value, str) for row in rows for value in row):
        return {KIND: report}
    places = [round(v, 5) != v for v in table["numbers"] if v != round(v, 0)]
    mean, low, high = torch.tensor(table["numbers"], dtype=torch.float64).view(-1, 3).T
    found = {KIND: True, NAMES: f"{names}", FULL: any(places) or not places}
    return found | {MEAN: mean, LOW: mean - low, HIGH: high - mean}


HINTS = {
    KIND: "Return a dictionary from each group to its (mean, low, high), a tuple of three numbers.",
    NAMES: "The keys are the groups that occur, each once, as whole numbers: as in `report[2]`.",
    FULL: "You round. Return the numbers as they are, and round where you print them.",
    MEAN: "The first number of each group is not the mean of its own errors.",
    LOW: "The means are right, the lower ends are not. Is the half width 1.96 times the standard "
    "error of a *mean*, with s and n of the group?",
    HIGH: "Means and lower ends are right. The interval is as wide above the mean as below.",
}
EXERCISE = Exercise("group_report", 2, cases, observe, HINTS, rtol=5e-5, atol=2e-6)
