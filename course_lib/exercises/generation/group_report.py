"""`group_report(errors, groups)`: the mean error of each group, and how sure of it we are."""

import torch

from course_lib.exercises.observers import tensor_of
from course_lib.exercises.records import is_array
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts, named_result

KIND, NAMES, FULL = "three numbers for each group", "groups", "numbers in full"
MEAN, LOW, HIGH = "list of means", "width below the mean", "width above the mean"
BELOW = "lower ends below 0"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, sizes: dict[int, int], *, scale: float = 80, shift: float = 0) -> Case:
        """Skewed errors, another level and another spread in each group, in mixed order."""
        groups = torch.tensor([group for group, n in sizes.items() for _ in range(n)])
        groups = groups[torch.randperm(len(groups), generator=g)]
        errors = torch.rand(len(groups), generator=g) ** 3
        for i, group in enumerate(sizes):
            errors[groups == group] = scale * (0.5 * i + (1 + i) * errors[groups == group] - shift)
        return Case(about, {"errors": errors, "groups": groups})

    yield draw("three groups of 30, 120 and 50 images", {0: 30, 1: 120, 2: 50})
    yield draw("groups 2, 7 and 40", {7: 35, 40: 60, 2: 30})
    yield draw("small groups, of 2, 5 and 12 images", {3: 2, 1: 5, 8: 12})
    yield draw("differences of ratios, some below 0", {0: 100, 1: 31}, scale=0.1, shift=0.4)


def observe(candidate: Candidate, case: Case) -> Parts:
    """Groups, and what is reported of each."""
    report = named_result(candidate, case)["result"]
    if not isinstance(report, dict):
        return {"report": report}
    found = {"groups": [*report]}
    if set(report) == set(case.args["groups"].tolist()):
        found["rows"] = [report[group] for group in sorted(report)]
    return found


def properties(raw: Parts, case: Case) -> Parts:
    """Groups, and for each the mean and how far the ends are from it."""
    names, told = case.args["groups"].unique().tolist(), raw.get("groups")
    if not told:
        return {KIND: raw["report"]}
    if "rows" not in raw or sorted(told["numbers"]) != names:
        return {KIND: True, NAMES: f"{told.get('numbers', told.get('type'))}"}
    if not is_array(raw["rows"]) or raw["rows"]["shape"] != [len(names), 3]:
        return {KIND: False}
    table = tensor_of(raw["rows"])
    places = [round(v, 5) != v for v in raw["rows"]["numbers"] if v != round(v, 0)]
    mean, low, high = table.T
    found = {KIND: True, NAMES: f"{names}", FULL: any(places) or not places, MEAN: mean}
    found[BELOW] = int((low < 0).sum())
    return found | {LOW: mean - low, HIGH: high - mean}


EXERCISE = Exercise("group_report", 2, cases, observe, properties, rtol=5e-5, atol=2e-6)
