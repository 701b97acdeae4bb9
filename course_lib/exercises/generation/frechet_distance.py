"""`frechet_distance(mu1, cov1, mu2, cov2)`: the squared distance between two Gaussians."""

import torch

from course_lib.exercises.observers import tensor_of
from course_lib.exercises.records import Unfit, finite, is_array, kind_of, plain
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

MEANS, DIAGONAL, LARGE = "share of the means", "number for diagonals", "number at full rank"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, d: int, N: int, M: int, *, silent: int = 0) -> Case:
        """Statistics of features of N and of M images, in the notebook's size and type."""
        args = {}
        for i, n in enumerate((N, M), 1):
            x = i * torch.randn(n, d, generator=g) @ torch.randn(d, d, generator=g) / d**0.5
            x = (x.double() + 0.3 * i).relu()
            x[:, :silent] = 0
            args |= {f"mu{i}": x.mean(0), f"cov{i}": torch.cov(x.T).reshape(d, d)}
        return Case(about, args)

    yield draw("4 features", 4, 40, 50)
    yield draw("one feature", 1, 20, 20)
    yield draw("two features that are always 0", 6, 30, 40, silent=2)
    yield draw("64 features of 60 and of 40 images: not full rank", 64, 60, 40)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The number, and that for inputs where only a part of the formula matters."""
    mu1, cov1, mu2, cov2 = case.args.values()
    number = plain(result := candidate(*case.args.values()))
    if "complex" in kind_of(result):
        return {"kind": kind_of(result)}
    if not is_array(number) or number["shape"] or not finite(number):
        raise Unfit(result)
    zero, eye = torch.zeros_like(mu1), torch.eye(len(mu1)).to(cov1)
    gap = (mu1 - mu2).float().double()
    near, far = (candidate(zero, cov1 + eye, k * gap, cov1 + eye) for k in (100, 200))
    a, b = 1e4 * (cov1 + eye), 1e6 * (cov2 + eye)
    diagonal = candidate(zero, a.diag().diag(), zero, b.diag().diag())
    found = {"kind": "real", "near": near, "far": far, DIAGONAL: diagonal}
    return found | {LARGE: candidate(zero, a, zero, b), "result": result}


def properties(raw: Parts, case: Case) -> Parts:
    """What each part of the formula gives."""
    if raw["kind"] != "real":
        return {"real": False}
    means = float(tensor_of(raw["far"]) - tensor_of(raw["near"]))
    return {"real": True, MEANS: means} | {k: raw[k] for k in (DIAGONAL, LARGE, "result")}


EXERCISE = Exercise("frechet_distance", 3, cases, observe, properties, rtol=4e-6, atol=4e-6)
