"""`knn_retrieve(z, query, k)`: the codes nearest to one of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def codes(n: int, d: int) -> Tensor:
        """Codes of very different lengths away from the origin, so that angle is not distance."""
        length = torch.linspace(0.4, 3, n, dtype=torch.float64)[torch.randperm(n, generator=g)]
        z = torch.randn(n, d, generator=g, dtype=torch.float64)
        return z * length[:, None] + 0.7

    twins, query = codes(12, 3), 7
    twins[2] = twins[query]  # the same image once more, before the query
    return [
        Case("3 of 20 codes", {"z": codes(20, 4), "query": 5, "k": 3}),
        Case("the last of 15 codes asks", {"z": codes(15, 6), "query": 14, "k": 5}),
        Case("another code equals the query", {"z": twins, "query": query, "k": 4}),
        Case("all others", {"z": codes(9, 2), "query": 3, "k": 8}),
        Case("float32 codes, one neighbour", {"z": codes(30, 8).float(), "query": 11, "k": 1}),
    ]


def _distance(z: Tensor, query: int, p: float = 2) -> Tensor:
    distance = (z - z[query]).norm(dim=1, p=p)
    distance[query] = torch.inf
    return distance


def _nearest(z: Tensor, query: int, k: int, *, p: float = 2) -> Tensor:
    return _distance(z, query, p).argsort()[:k]


def _knn_largest(z: Tensor, query: int, k: int) -> Tensor:
    return torch.topk((z - z[query]).norm(dim=1), k, largest=True).indices


def _knn_largest_and_removed(z: Tensor, query: int, k: int) -> Tensor:
    return torch.topk(_distance(z, query), k, largest=True).indices


def _similar(z: Tensor, query: int, k: int, *, cosine: bool, rising: bool = False) -> Tensor:
    score = F.cosine_similarity(z, z[query][None]) if cosine else z @ z[query]
    score[query] = torch.inf if rising else -torch.inf
    return score.argsort(descending=not rising)[:k]


def _knn_by_norm(z: Tensor, query: int, k: int) -> Tensor:
    gap = (z.norm(dim=1) - z[query].norm()).abs()
    gap[query] = torch.inf
    return gap.argsort()[:k]


def _knn_first_dropped(z: Tensor, query: int, k: int) -> Tensor:
    return (z - z[query]).norm(dim=1).argsort(stable=True)[1 : k + 1]


def _knn_all_equal_dropped(z: Tensor, query: int, k: int) -> Tensor:
    distance = (z - z[query]).norm(dim=1)
    distance[distance == 0] = torch.inf
    return distance.argsort()[:k]


def _knn_rows_shifted(z: Tensor, query: int, k: int) -> Tensor:
    others = torch.cat([z[:query], z[query + 1 :]])
    return (others - z[query]).norm(dim=1).argsort()[:k]


def _knn_in_place(z: Tensor, query: int, k: int) -> Tensor:
    asked = z[query].clone()
    z[query] = 1e9
    return (z - asked).norm(dim=1).argsort()[:k]


def _knn_summed(z: Tensor, query: int, k: int) -> Tensor:
    distance = (z - z[query]).sum(1).abs()
    distance[query] = torch.inf
    return distance.argsort()[:k]


def _knn_ranks(z: Tensor, query: int, k: int) -> Tensor:
    return _distance(z, query).argsort().argsort()[:k]


_SIDES = (
    "You return the codes that are farthest away. Distances sort upwards: the nearest come first "
    "(`largest=False` in `torch.topk`)."
)
_COSINE = (
    "This compares directions only: a code twice as far from the origin counts as equal. Use the "
    "distance ‖z − z[query]‖."
)
_SCALED = "You rescale each of the d numbers first, which changes the distances. Use z as it is."
MISTAKES = (
    Mistake(
        "the query itself",
        lambda z, query, k: (z - z[query]).norm(dim=1).argsort()[:k],
        "The query is among its own neighbours, at distance 0. Take it out before you sort.",
    ),
    Mistake("largest distances", _knn_largest, _SIDES),
    Mistake("largest distances, query at infinity", _knn_largest_and_removed,
            f"{_SIDES} Where the query has distance ∞ it even comes first."),
    Mistake(
        "first one dropped",
        _knn_first_dropped,
        "You drop the first index after sorting. Where another code equals the query, that may be "
        "the other one. Take the query out by its index.",
    ),
    Mistake(
        "all equal codes dropped",
        _knn_all_equal_dropped,
        "You drop every code at distance 0, the query's twin too. Take the query out by its index.",
    ),
    Mistake(
        "rows shifted",
        _knn_rows_shifted,
        "Without the query's row all later indices are one too small. Keep the row and set its "
        "distance to infinity.",
    ),
    Mistake("z changed", _knn_in_place, "You write into z, the codes of the caller. Change the "
            "distance of the query instead, which is your own."),
    Mistake("cosine", lambda z, q, k: _similar(z, q, k, cosine=True), _COSINE),
    Mistake("cosine, rising", lambda z, q, k: _similar(z, q, k, cosine=True, rising=True),
            f"You return the codes of the *least* cosine. {_COSINE}"),
    Mistake("codes normalised", lambda z, q, k: _nearest(F.normalize(z, dim=0), q, k), _SCALED),
    Mistake("codes standardised", lambda z, q, k: _nearest((z - z.mean(0)) / z.std(0), q, k),
            _SCALED),
    Mistake("codes of length 1", lambda z, q, k: _nearest(F.normalize(z, dim=1), q, k), _COSINE),
    Mistake(
        "dot product",
        lambda z, q, k: _similar(z, q, k, cosine=False),
        "A large dot product favours long codes. Use the distance ‖z − z[query]‖.",
    ),
    Mistake("dot product, rising", lambda z, q, k: _similar(z, q, k, cosine=False, rising=True),
            "You return the codes of the *least* dot product. Use the distance ‖z − z[query]‖."),
    Mistake(
        "difference of norms",
        _knn_by_norm,
        "You compare the lengths of the codes. Take the difference first, then its length.",
    ),
    Mistake(
        "sum of differences",
        _knn_summed,
        "Differences of opposite sign cancel in your sum. Square them first.",
    ),
    Mistake("city-block distance", lambda z, q, k: _nearest(z, q, k, p=1),
            "This is the sum of absolute differences. The Euclidean distance squares them."),
    Mistake("largest difference", lambda z, q, k: _nearest(z, q, k, p=torch.inf),
            "This is the largest difference of one number. The Euclidean distance uses all d."),
    Mistake("always from code 0", lambda z, q, k: _nearest(z, 0, k),
            "The neighbours are those of code 0. Start from z[query]."),
    Mistake("query counts from the end", lambda z, q, k: _nearest(z, -q, k),
            "The neighbours are those of another code than z[query]."),
    Mistake(
        "distances returned",
        lambda z, q, k: _distance(z, q).sort().values[:k],
        "You return the distances. Asked for are the indices: `argsort`, or `.indices`.",
    ),
    Mistake("codes returned", lambda z, q, k: z[_nearest(z, q, k)],
            "You return the codes. Asked for are their indices."),
    Mistake("farthest first", lambda z, q, k: _nearest(z, q, k).flip(0),
            "The right neighbours, but from far to near. Nearest first."),
    Mistake("sorted by index", lambda z, q, k: _nearest(z, q, k).sort().values,
            "The right neighbours, but in the order of their indices. Nearest first."),
    Mistake("ranks", _knn_ranks, "This is the rank of each code. One `argsort` gives the indices."),
    Mistake("k − 1 of them", lambda z, q, k: _nearest(z, q, k - 1),
            "One neighbour is missing: k of them, the query not counted."),
    Mistake("k + 1 with the query", lambda z, q, k: (z - z[q]).norm(dim=1).argsort()[: k + 1],
            "You return the query and k more. Leave the query out."),
    Mistake("all of them", lambda z, q, k: _nearest(z, q, len(z) - 1),
            "You return all others, sorted. Keep the first k."),
)  # fmt: skip


EXERCISE = Exercise("knn_retrieve", 2, cases, MISTAKES, rtol=0, atol=0)
