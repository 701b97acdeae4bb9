"""`frechet_distance(mu1, cov1, mu2, cov2)`: the squared distance between two Gaussians."""

from collections.abc import Callable

import torch

from course_lib.exercises.observers import seeded
from course_lib.exercises.records import Unfit, finite, is_array, plain
from course_lib.exercises.spec import Case, Exercise

MEANS, DIAGONAL, LARGE = "share of the means", "number for diagonals", "number at full rank"


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, d: int, N: int, M: int, *, silent: int = 0) -> Case:
        """Statistics of features of N and of M images, in the notebook's size and type."""
        args = {}
        for i, n in enumerate((N, M), 1):
            x = i * torch.randn(n, d, generator=g) @ torch.randn(d, d, generator=g) / d**0.5
            x = (x.double() + 0.3 * i).relu()
            x[:, :silent] = 0
            args |= {f"mu{i}": x.mean(0), f"cov{i}": torch.cov(x.T).reshape(d, d)}
        return Case(about, args)

    return [
        draw("4 features", 4, 40, 50),
        draw("one feature", 1, 20, 20),
        draw("two features that are always 0", 6, 30, 40, silent=2),
        draw("64 features of 60 and of 40 images: not full rank", 64, 60, 40),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, object]:
    """The number, and that for inputs where only a part of the formula matters."""
    mu1, cov1, mu2, cov2 = case.args.values()
    number = plain(result := candidate(*case.args.values()))
    if isinstance(number, dict) and "complex" in str(number.get("type")):
        return {"real": False}
    if not is_array(number) or number["shape"] or not finite(number):
        raise Unfit(result)
    zero, eye = torch.zeros_like(mu1), torch.eye(len(mu1)).to(cov1)
    gap = (mu1 - mu2).float().double()
    near, far = (candidate(zero, cov1 + eye, k * gap, cov1 + eye) for k in (100, 200))
    a, b = 1e4 * (cov1 + eye), 1e6 * (cov2 + eye)
    diagonal = candidate(zero, a.diag().diag(), zero, b.diag().diag())
    large = candidate(zero, a, zero, b)
    return {"real": True, MEANS: far - near, DIAGONAL: diagonal, LARGE: large, "result": result}


HINTS = {
    "real": "Your result is complex. But for rounding Σ₁Σ₂ has real eigenvalues: what do you keep?",
    MEANS: "What the means add is not right: the sum of their squared differences.",
    DIAGONAL: "Already wrong for diagonal covariances: try diag(1, 9) and diag(4, 1) by hand.",
    LARGE: "Diagonal covariances give the right number, others do not. Is every trace the sum of a "
    "diagonal, and the root that of a matrix, the product Σ₁Σ₂, which is not symmetric?",
    "result": "Large covariances of full rank give the right number, these do not: roots of small "
    "eigenvalues are not small. Is there float32, a rounding, a clamp above 0, something added?",
}
EXERCISE = Exercise("frechet_distance", 3, cases, observe, HINTS, rtol=4e-6, atol=4e-6)
