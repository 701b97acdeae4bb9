"""Answers to `mutual_information_gap` with another information, gap, norm or mean."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.information import Tables, entropy, gap, mig_with, top
from course_lib.exercises.spec import Mistake


def _scored(score: Callable[[Tables], Tensor]) -> Callable:
    return mig_with(score=score)


def _gap_of(values: Callable[[Tables], Tensor]) -> Callable:
    """A candidate that ranks other (d, K) values of latents and factors."""

    def score(t: Tables) -> Tensor:
        best = top(values(t))
        return ((best[0] - best[1]) / t.h_v).mean()

    return _scored(score)


def _less(rest: Callable[[Tensor], Tensor]) -> Callable:
    """A candidate that subtracts something else from the largest of each factor."""
    return _scored(lambda t: ((top(t.mi)[0] - rest(top(t.mi))) / t.h_v).mean())


def _over(norm: Callable[[Tables], Tensor | float]) -> Callable:
    """A candidate that divides the gaps by something else."""
    return _scored(lambda t: (gap(t) / norm(t)).mean())


def _of_best(t: Tables) -> Tensor:
    """The entropy of the best latent of each factor, (K,)."""
    return t.h_z[t.mi.argmax(0)]


def _joint_of_best(t: Tables) -> Tensor:
    joint = entropy(t.joint.flatten(2))  # (d, K)
    return joint.gather(0, t.mi.argmax(0)[None])[0]


def _gap_of_shares(t: Tables, norm: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    best = top(t.mi / norm(t.h_z[:, None], t.h_v).clamp(min=1e-12))
    return (best[0] - best[1]).mean()


def _per_latent(t: Tables) -> Tensor:
    best = t.mi.sort(1, descending=True)
    return ((best.values[:, 0] - best.values[:, 1]) / t.h_v[best.indices[:, 0]]).mean()


def _second_elsewhere(t: Tables) -> Tensor:
    """The second is the best latent's information about another factor."""
    others = t.mi[t.mi.argmax(0)]  # (K, K): row k, the best latent of factor k
    others = others.masked_fill(torch.eye(len(others), dtype=torch.bool), -1)
    return ((top(t.mi)[0] - others.max(1).values) / t.h_v).mean()


def _second_anywhere(t: Tables) -> Tensor:
    flat = t.mi.flatten().sort(descending=True).values
    first = top(t.mi)[0]
    second = torch.where(first == flat[0], flat[1], flat[0])
    return ((first - second) / t.h_v).mean()


def _two_largest_of_all(t: Tables) -> Tensor:
    flat = t.mi.flatten().sort(descending=True)
    factor = flat.indices[0] % t.mi.shape[1]
    return (flat.values[0] - flat.values[1]) / t.h_v[factor]


def _correlation(z: Tensor, factors: Tensor, *, power: int) -> Tensor:
    a, b = ((t.double() - t.double().mean(0)) for t in (z, factors))
    norms = (a.norm(dim=0)[:, None] * b.norm(dim=0)).clamp(min=1e-12)
    best = top((a.T @ b / norms).abs() ** power)
    return (best[0] - best[1]).mean()


def _levels(t: Tables) -> Tensor:
    return torch.tensor([math.log(len(v.unique())) for v in t.factors.T])


_NORM = "You divide by {what}. Divide by the entropy H(v_k) of the factor: that makes a copy 1."
_SECOND = "For each factor, the second largest is that of another *latent* on the same factor."
_INFORMATION = "The mutual information is H(z) + H(v) − H(z, v): 0 for independent ones."
GAPS = (
    Mistake("not normalised", _over(lambda t: 1.0),
            "You do not divide by the entropy H(v_k) of the factor, so that factors with many "
            "levels count more and the score is not in [0, 1]."),
    Mistake("by the entropy of the latent", _over(_of_best),
            _NORM.format(what="the entropy of the latent")),
    *(
        Mistake(name, _over(norm), "You divide by the logarithm of the number of levels: the "
                "entropy only where all levels are equally frequent. Compute H(v_k).")
        for name, norm in (
            ("by the logarithm of the levels", _levels),
            ("by the logarithm of the largest level",
             lambda t: torch.log(t.factors.max(0).values + 1.0)),
        )
    ),
    Mistake("by the logarithm of the bins",
            lambda z, factors, n_bins=20: _over(lambda t: math.log(n_bins))(z, factors, n_bins),
            _NORM.format(what="the logarithm of n_bins")),
    Mistake("by the joint entropy", _over(_joint_of_best), _NORM.format(what="H(z, v)")),
    Mistake("by the geometric mean", _over(lambda t: (_of_best(t) * t.h_v).sqrt()),
            _NORM.format(what="√(H(z) H(v))")),
    Mistake("by the arithmetic mean", _over(lambda t: (_of_best(t) + t.h_v) / 2),
            _NORM.format(what="the mean of H(z) and H(v)")),
    Mistake("by the larger entropy", _over(lambda t: torch.maximum(_of_best(t), t.h_v)),
            _NORM.format(what="the larger of H(z) and H(v)")),
    Mistake("by the largest information", _over(lambda t: top(t.mi)[0]),
            _NORM.format(what="the largest information itself")),
    Mistake("by the sum of informations", _over(lambda t: t.mi.sum(0)),
            _NORM.format(what="the sum over the latents")),
    Mistake("by the mean entropy", _over(lambda t: t.h_v.mean()),
            "You divide by the mean entropy of the factors. Every gap is divided by the entropy of "
            "its own factor before the mean."),
    Mistake("by the largest entropy", _over(lambda t: t.h_v.max()),
            "You divide by the largest entropy of the factors. Every gap is divided by the entropy "
            "of its own factor."),
    *(
        Mistake(f"information over {name}", _scored(lambda t, norm=norm: _gap_of_shares(t, norm)),
                "You divide each information by an entropy of its latent before you rank, as "
                "normalized_mutual_info_score does. Rank I(z_j; v_k) itself, then divide the gap "
                "by H(v_k).")
        for name, norm in (
            ("the mean entropy", lambda h_z, h_v: (h_z + h_v) / 2),
            ("the geometric mean", lambda h_z, h_v: (h_z * h_v).sqrt()),
            ("the larger entropy", torch.maximum),
            ("the smaller entropy", torch.minimum),
            ("the entropy of the latent", lambda h_z, h_v: h_z),
        )
    ),
    *(
        Mistake(f"the {name} two latents",
                _scored(lambda t, i=i, j=j: ((t.mi[i] - t.mi[j]) / t.h_v).mean()),
                f"You compare the {name} two latents, in the order in which they come. Sort first, "
                "for each factor: `sort` returns a new table.")
        for name, i, j in (("first", 0, 1), ("last", -1, -2))
    ),
    Mistake("no second", _less(lambda best: 0.0),
            "You leave the second largest out. A factor that two latents share has no gap."),
    Mistake("less the smallest", _less(lambda best: best[-1]),
            f"You subtract the smallest. {_SECOND}"),
    Mistake("less the mean of the others", _less(lambda best: best[1:].mean(0)),
            f"You subtract the mean of the other latents. {_SECOND}"),
    Mistake("less the mean", _less(lambda best: best.mean(0)),
            f"You subtract the mean over the latents. {_SECOND}"),
    Mistake("less the sum of the others", _less(lambda best: best[1:].sum(0)),
            f"You subtract the sum of the other latents. {_SECOND}"),
    Mistake("less the third", _less(lambda best: best[2]),
            "You subtract the third largest. Counted from 0 the second has index 1."),
    Mistake("second less third", _scored(lambda t: ((top(t.mi)[1] - top(t.mi)[2]) / t.h_v).mean()),
            "You take the second and the third largest. Counted from 0 they are 0 and 1, from the "
            "end −1 and −2."),
    Mistake("the two smallest",
            _scored(lambda t: ((top(t.mi)[-2] - top(t.mi)[-1]) / t.h_v).mean()),
            "You compare the two smallest informations. `sort` puts the largest last; and a minus, "
            "or H(v|z) in place of I, turns the order round."),
    Mistake("the two smallest, negative",
            _scored(lambda t: ((top(t.mi)[-1] - top(t.mi)[-2]) / t.h_v).mean()),
            "You take the two smallest, and the difference is negative. `sort` puts the largest "
            "last."),
    Mistake("sign", _scored(lambda t: -(gap(t) / t.h_v).mean()),
            "The sign is turned round: the second largest is subtracted from the largest."),
    Mistake("quotient", _scored(lambda t: (top(t.mi)[1] / top(t.mi)[0]).mean()),
            "You divide the second largest by the largest. The gap is a difference, over H(v_k)."),
    Mistake("over factors", _scored(_per_latent),
            "You rank the factors of each latent. MIG ranks the latents of each factor: dimension "
            "0 of a (d, K) table."),
    Mistake("second from another factor", _scored(_second_elsewhere),
            f"Your second is the best latent's information about another factor. {_SECOND}"),
    Mistake("second from anywhere", _scored(_second_anywhere),
            f"Your second is the largest of the whole table, whatever its factor. {_SECOND}"),
    Mistake("two largest of all", _scored(_two_largest_of_all),
            "You take the two largest of the whole table. Take two for each factor, then average."),
    Mistake("largest factor", _scored(lambda t: (gap(t) / t.h_v).max()),
            "You return the best factor. Take the mean over the factors."),
    Mistake("smallest factor", _scored(lambda t: (gap(t) / t.h_v).min()),
            "You return the worst factor. Take the mean over the factors."),
    Mistake("first factor", _scored(lambda t: (gap(t) / t.h_v)[0]),
            "Only the first factor counts. Does a `return` stand inside the loop?"),
    Mistake("last factor", _scored(lambda t: (gap(t) / t.h_v)[-1]),
            "Only the last factor counts. Is a value overwritten in the loop?"),
    Mistake("sum over factors", _scored(lambda t: (gap(t) / t.h_v).sum()),
            "You sum over the factors. Take the mean: the score is in [0, 1]."),
    Mistake("sum over factors by latents", _scored(lambda t: (gap(t) / t.h_v).sum() / len(t.mi)),
            "You divide by the number of latents. The mean is over the factors."),
    Mistake("not averaged", _scored(lambda t: gap(t) / t.h_v),
            "You return one value a factor, (K,). Take their mean."),
    Mistake("per cent", _scored(lambda t: 100 * (gap(t) / t.h_v).mean()),
            "You return per cent. The score is in [0, 1]."),
    Mistake("bits over nats", _scored(lambda t: (gap(t) / t.h_v).mean() / math.log(2)),
            "The informations are in bits and the entropies in nats. Take one logarithm for both."),
    Mistake("nats over bits", _scored(lambda t: (gap(t) / t.h_v).mean() * math.log(2)),
            "The informations are in nats and the entropies in bits. Take one logarithm for both."),
    Mistake("joint entropy", _gap_of(lambda t: entropy(t.joint.flatten(2))),
            f"You rank entropies, H(z, v) or H(z|v). {_INFORMATION}"),
    *(
        Mistake(f"{name}", lambda z, factors, n_bins=20, power=power: (
            _correlation(z, factors, power=power)),
            "You rank correlations, which see straight lines only. MIG ranks mutual informations.")
        for name, power in (("correlation", 1), ("squared correlation", 2))
    ),
    Mistake("0 log 0", _scored(lambda t: (t.joint * t.joint.log()).sum()),
            "An empty cell gives 0 · log 0, which is NaN. By convention it is 0: leave such cells "
            "out, or use `torch.xlogy`."),
    Mistake("counts over entropies", _scored(lambda t: len(t.factors) * (gap(t) / t.h_v).mean()),
            "N times too large: the table under the sum holds counts. Divide it by N."),
    Mistake("counts everywhere",
            _scored(lambda t: (gap(t) / (t.h_v - math.log(len(t.factors)))).mean()),
            "Your tables hold counts, in the entropies as well. Divide them by N: probabilities "
            "sum to 1."),
)  # fmt: skip
