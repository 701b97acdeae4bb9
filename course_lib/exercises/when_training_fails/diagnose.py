"""`diagnose(recordings)`: the cause of each of eight recorded trainings."""

import torch

from course_lib.exercises.records import Unfit, kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts
from course_lib.recordings import CAUSES, record

NAMES, COUNT = "names of causes", "one name for each recording"
EIGHT = 8


def cases(g: torch.Generator) -> Cases:
    """Each cause comes in every case but one, which the seed decides, and all come in the two."""
    for i, about in enumerate(("eight trainings", "eight others", "eight more")):
        order = [CAUSES[j] for j in torch.randperm(len(CAUSES), generator=g)]
        order = order[i:] + order[:i]
        yield Case(about, {"recordings": [record(cause, g) for cause in order[:EIGHT]]})
    twice = [CAUSES[j] for j in torch.randint(len(CAUSES), (EIGHT - 2,), generator=g)]
    chosen = ["nothing", *twice, "nothing"]
    yield Case("a cause may come more than once",
               {"recordings": [record(cause, g) for cause in chosen]})  # fmt: skip


def observe(candidate: Candidate, case: Case) -> dict[str, str]:
    """The names in their order, or the kinds of other items."""
    found = candidate(case.args["recordings"])
    if type(found) is not list:
        raise Unfit(found)
    kinds = {kind_of(item) for item in found} - {"str"}
    return {"kinds": " and ".join(sorted(kinds)), "names": "" if kinds else "; ".join(found)}


def properties(raw: Parts, case: Case) -> Parts:
    """How many names, whether all are known, and the names."""
    names = [] if raw["kinds"] else raw["names"].split("; ")
    unknown = [name for name in names if name not in CAUSES]
    found: Parts = {NAMES: raw["kinds"] or "; ".join(sorted(unknown)) or "known"}
    return found | {COUNT: str(len(names)), "result": "; ".join(names)}


EXERCISE = Exercise("diagnose", 3, cases, observe, properties)
