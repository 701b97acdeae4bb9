"""`beta_schedule(step, total, kind, beta_max)`: β over a training, one call for one step."""

import torch

from course_lib.exercises.observers import number_from
from course_lib.exercises.spec import Candidate, Case, Exercise, Parts

# Steps as parts of the total: of n, whose cycles have an even number of steps; of m, 2½ or 12½.
OF_N = {"constant": [0, 1, 1.2], "linear": [0, 0.375, 1, 1.2],
        "cyclic": [0, 0.075, 0.125, 0.1875, 0.25, 0.3, 1, 1.05]}  # fmt: skip
OF_M = {"constant": [0.5], "linear": [0.1, 0.9, 1.3], "cyclic": [0.5, 0.8]}


def cases(g: torch.Generator) -> list[Case]:
    def draw(kind: str, part: float, total: int, beta_max: float) -> Case:
        step = round(part * total)
        args = {"step": step, "total": total, "kind": kind, "beta_max": beta_max}
        return Case(f'"{kind}", step / total = {step / total:.4g}', args)

    i, j, k = torch.randint(960, (3,), generator=g).tolist()
    n, n_max, m, m_max = 40 * 2 ** (i % 4), 3.0 + j / 240, (10, 50)[i % 2], 0.25 + k / 2400
    return [draw(kind, part, n, n_max) for kind in OF_N for part in OF_N[kind]] + [
        draw(kind, part, m, m_max) for kind in OF_M for part in OF_M[kind]
    ]


def observe(candidate: Candidate, case: Case) -> Parts:
    """β, named by the kind of schedule."""
    return {f"{case.args['kind']} β": number_from(candidate, *case.args.values())}


EXERCISE = Exercise("beta_schedule", 2, cases, observe, rtol=1e-4)
