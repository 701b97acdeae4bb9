"""`knn_retrieve(z, query, k)`: the codes nearest to one of them."""

import torch
import torch.nn.functional as F

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    """Distances are drawn first: only those of twins are equal, or near enough for rounding."""

    def draw(about: str, N: int, d: int, query: int, k: int, twin: int | None = None,
             scale: float = 1.0) -> Case:  # fmt: skip
        """The numbers of a code have different scales, and the query lies off the origin."""
        way = F.normalize(torch.randn(N, d, generator=g) * torch.linspace(0.3, 2, d), dim=1)
        distance = torch.linspace(0.5, 3, N)[torch.randperm(N, generator=g)]
        distance[[query, query if twin is None else twin]] = 0
        z = 0.3 + 1.2 * torch.rand(d, generator=g) + distance[:, None] * way
        return Case(about, {"z": scale * z, "query": query, "k": k})

    yield draw("10 of 300 codes of 32 numbers", 300, 32, 5, 10)
    yield draw("the last of 20 codes asks", 20, 6, 19, 5)
    yield draw("all others", 9, 2, 3, 8)
    yield draw("three codes, the one above equals the query", 3, 2, 1, 1, twin=0)
    yield draw("three codes, the last equals the query", 3, 2, 0, 1, twin=2)
    yield draw("one neighbour, far away", 30, 8, 11, 1, scale=1e5)


EXERCISE = Exercise("knn_retrieve", 2, cases, rtol=0, atol=0)
