"""`anomaly_auroc(err_in, err_out)`: how often an anomaly has the larger error."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    normal, odd = torch.randn(40, generator=g).exp(), (torch.randn(25, generator=g) + 0.8).exp()
    coarse = torch.randint(0, 4, (12,), generator=g), torch.randint(1, 5, (12,), generator=g)
    coarse[0][0] = coarse[1][0] = 2  # at least one tie
    simple = torch.randn(9, generator=g).double() + 4
    return [
        Case("40 normal images, 25 anomalies", {"err_in": normal, "err_out": odd}),
        Case("errors with many ties", {"err_in": coarse[0].float(), "err_out": coarse[1].float()}),
        Case("anomalies with smaller errors", {"err_in": simple, "err_out": simple[:5] - 1.5}),
        Case("every error the same", {"err_in": torch.ones(3), "err_out": torch.ones(4)}),
        Case("anomalies above all others",
             {"err_in": torch.arange(5.0), "err_out": torch.arange(5.0, 8.0)}),
    ]  # fmt: skip


def _pairs(err_in: Tensor, err_out: Tensor) -> Tensor:
    """(M, N): 1 where the anomaly has the larger error, ½ where they agree, else 0."""
    return ((err_out[:, None] - err_in).sign().double() + 1) / 2


def _auroc(err_in: Tensor, err_out: Tensor) -> Tensor:
    return _pairs(err_in, err_out).mean()


def _accuracy(err_in: Tensor, err_out: Tensor, threshold: Callable) -> Tensor:
    at = threshold(torch.cat([err_in, err_out]))
    right = torch.cat([err_in <= at, err_out > at])
    return right.double().mean()


def _detection_rate(err_in: Tensor, err_out: Tensor) -> Tensor:
    return (err_out > err_in.quantile(0.95)).double().mean()


def _average_precision(err_in: Tensor, err_out: Tensor) -> float:
    from sklearn.metrics import average_precision_score

    label = torch.cat([torch.zeros(len(err_in)), torch.ones(len(err_out))])
    return average_precision_score(label, torch.cat([err_in, err_out]))


def _side_by_side(err_in: Tensor, err_out: Tensor) -> Tensor:
    n = min(len(err_in), len(err_out))
    return ((err_out[:n] - err_in[:n]).sign().double() + 1).mean() / 2


def _of_predictions(err_in: Tensor, err_out: Tensor) -> Tensor:
    at = torch.cat([err_in, err_out]).median()
    return _auroc((err_in > at).double(), (err_out > at).double())


_THRESHOLD = (
    "This is an accuracy at one threshold. The area needs none: it asks of every pair of a normal "
    "image and an anomaly which of the two has the larger error."
)
MISTAKES = (
    Mistake(
        "ties not counted",
        lambda a, b: (b[:, None] > a).double().mean(),
        "Ties are not counted. A pair with equal errors is a coin toss and counts one half; with "
        "every error the same the area is ½.",
    ),
    Mistake(
        "ties counted in full",
        lambda a, b: (b[:, None] >= a).double().mean(),
        "Ties count in full. A pair with equal errors is a coin toss and counts one half; with "
        "every error the same the area is ½.",
    ),
    Mistake(
        "ties on top",
        lambda a, b: ((b[:, None] >= a).double() + 0.5 * (b[:, None] == a)).mean(),
        "Ties count 1½ times: `>=` has them already, and you add a half. Use `>` for the first "
        "part.",
    ),
    Mistake(
        "tied pairs left out",
        lambda a, b: (b[:, None] > a).sum() / (b[:, None] != a).sum(),
        "You leave tied pairs out and divide by the number of the others. A tie counts one half, "
        "and all pairs count below the line.",
    ),
    Mistake(
        "sides swapped",
        lambda a, b: 1 - _auroc(a, b),
        "The sides are swapped: this is the share of pairs where the *normal* image has the larger "
        "error.",
    ),
    Mistake(
        "sides swapped, ties not counted",
        lambda a, b: (b[:, None] < a).double().mean(),
        "The sides are swapped, and ties are not counted: the anomaly's error is to be larger, and "
        "equal errors count one half.",
    ),
    Mistake(
        "never below one half",
        lambda a, b: max(_auroc(a, b), 1 - _auroc(a, b)),
        "You turn the result round where it is below ½. Then a detector that is worse than chance "
        "looks good: leave it as it is.",
    ),
    Mistake(
        "Gini coefficient",
        lambda a, b: 2 * _auroc(a, b) - 1,
        "This runs from −1 to 1 (the Gini coefficient). The area runs from 0 to 1, chance is ½.",
    ),
    Mistake(
        "per cent",
        lambda a, b: 100 * _auroc(a, b),
        "This is in per cent. Return a share from 0 to 1.",
    ),
    Mistake(
        "number of pairs",
        lambda a, b: _pairs(a, b).sum(),
        "You count the pairs. Divide by their number N M: `.mean()`.",
    ),
    Mistake(
        "divided by N",
        lambda a, b: _pairs(a, b).sum() / len(a),
        "You divide by N alone. There are N M pairs.",
    ),
    Mistake(
        "one value per anomaly",
        lambda a, b: _pairs(a, b).mean(1),
        "You return one value per anomaly. Average over both, normal images and anomalies.",
    ),
    Mistake(
        "one value per normal image",
        lambda a, b: _pairs(a, b).mean(0),
        "You return one value per normal image. Average over both, normal images and anomalies.",
    ),
    Mistake(
        "side by side",
        _side_by_side,
        "You compare image i of one list with image i of the other. Every anomaly meets every "
        "normal image: `err_out[:, None]` against `err_in`.",
    ),
    Mistake("accuracy at the median", lambda a, b: _accuracy(a, b, Tensor.median), _THRESHOLD),
    Mistake("accuracy at the mean", lambda a, b: _accuracy(a, b, Tensor.mean), _THRESHOLD),
    Mistake("area of predictions", _of_predictions, "You cut the errors at a threshold first and "
            "rank the resulting zeros and ones. Rank the errors themselves."),
    Mistake("share above the 95th percentile", _detection_rate, "This is the share of anomalies "
            "that one threshold detects: one point of the ROC curve, not the area under it."),
    Mistake(
        "average precision",
        _average_precision,
        "This is the average precision, which depends on how many anomalies there are. The area "
        "under the ROC curve does not.",
    ),
    Mistake(
        "above the mean",
        lambda a, b: (b > a.mean()).double().mean(),
        "You compare anomalies with the mean normal error. Compare them with every normal image.",
    ),
    Mistake(
        "difference of means",
        lambda a, b: b.mean() - a.mean(),
        "This is a difference of errors. The area counts pairs, whatever the size of the "
        "difference.",
    ),
)  # fmt: skip


EXERCISE = Exercise("anomaly_auroc", 2, cases, MISTAKES, rtol=1e-5, atol=1e-6)
