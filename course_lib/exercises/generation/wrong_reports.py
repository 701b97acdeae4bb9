"""Wrong answers to `group_report`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.special import stdtrit
from torch import Tensor

from course_lib.exercises.spec import Mistake

Half = Callable[[Tensor, Tensor, int], float]


def _half(own: Tensor, errors: Tensor, G: int) -> float:
    return 1.96 * float(own.std()) / math.sqrt(len(own))


def _interval(mean: float, half: float) -> object:
    return mean, mean - half, mean + half


def _with(
    *,
    centre: Callable[[Tensor], Tensor] = torch.mean,
    half: Half = _half,
    row: Callable[[float, float], object] = _interval,
    keys: Callable[[Tensor], list] = lambda groups: groups.unique().tolist(),
    report: Callable[[dict], object] = lambda rows: rows,
) -> Callable:
    """A candidate with another centre, another half width, another row, or other keys.

    `half` gets the errors of the group, all errors, and the number of groups.
    """

    def candidate(errors: Tensor, groups: Tensor) -> object:
        rows, found = {}, keys(groups)
        for group in found:
            own = errors[groups == group]
            width = half(own, errors, len(found)) if len(own) else math.nan
            rows[group] = row(float(centre(own)), width)
        return report(rows)

    return candidate


def _times(factor: float) -> Half:
    """Another half width, a multiple of s / √n."""
    return lambda own, errors, G: factor * float(own.std()) / math.sqrt(len(own))


def _over(n: Callable[[Tensor, Tensor, int], float], *, s: Callable = Tensor.std) -> Half:
    """1.96 times another spread over another number."""
    return lambda own, errors, G: 1.96 * float(s(own)) / n(own, errors, G)


def _of_all(spread_of_group: bool, root_of_group: bool) -> Half:
    """The spread, or the number, of the whole set."""

    def half(own: Tensor, errors: Tensor, G: int) -> float:
        s, n = (own if spread_of_group else errors), (own if root_of_group else errors)
        return 1.96 * float(s.std()) / math.sqrt(len(n))

    return half


def _of_student(own: Tensor, errors: Tensor, G: int) -> float:
    quantile = stdtrit(len(own) - 1, 0.975)  # of Student's t
    return float(quantile * own.std()) / math.sqrt(len(own))


def _quantiles(errors: Tensor, groups: Tensor) -> dict:
    ends = torch.tensor([0.025, 0.975], dtype=errors.dtype)
    found = {}
    for group in groups.unique().tolist():
        own = errors[groups == group]
        found[group] = (own.mean().item(), *own.quantile(ends).tolist())
    return found


def _extremes(errors: Tensor, groups: Tensor) -> dict:
    rows = [(g, errors[groups == g]) for g in groups.unique().tolist()]
    return {g: (own.mean().item(), own.min().item(), own.max().item()) for g, own in rows}


def _same_for_all(errors: Tensor, groups: Tensor) -> dict:
    mean, half = float(errors.mean()), _half(errors, errors, 1)
    return {group: _interval(mean, half) for group in groups.unique().tolist()}


def _mean_of_all(errors: Tensor, groups: Tensor) -> dict:
    mean = float(errors.mean())
    return _with(row=lambda _, half: _interval(mean, half))(errors, groups)


def _no_groups(errors: Tensor, groups: Tensor) -> object:
    return _interval(float(errors.mean()), _half(errors, errors, 1))


def _divided(errors: Tensor, groups: Tensor) -> dict:
    found = {}
    for group in range(len(groups.unique())):
        own = errors[groups == group]
        mean = own.sum().item() / len(own)
        found[group] = _interval(mean, _half(own, errors, 1))
    return found


def _numbered(rows: dict) -> dict:
    return dict(enumerate(rows.values()))


_SPREAD = (
    "This is an interval of the errors, not of their mean: it does not shrink with more images. "
    "Divide s by the root of n."
)
_POOLED = "Your intervals use {what} of all errors. Each group has its own {own}."
_LEVEL = "Your intervals are {what}. For 95% the factor is 1.96."
_NUMBER = "You divide s by {what}. The standard error of a mean is s over the root of n."
_CENTRE = "You report {what}. Asked for is the mean of the group."
_ROW = "Each group gets (mean, low, high), the ends themselves: "
_KEYS = "The keys are {what}. Use the groups themselves, as whole numbers: `report[2]` has to work."
_RANGE = "You count through the groups as if they were 0, 1, 2, … Take those that occur."
_SHAPE = "Return a dictionary from each group to its (mean, low, high)."
MISTAKES = (
    Mistake("spread of the errors", _with(half=_over(lambda own, errors, G: 1)), _SPREAD),
    Mistake("one standard deviation", _with(half=lambda own, errors, G: float(own.std())),
            f"{_SPREAD} And the factor 1.96 is missing."),
    Mistake("two standard deviations", _with(half=lambda own, errors, G: 2 * float(own.std())),
            f"{_SPREAD} The factor is 1.96."),
    Mistake("quantiles of the errors", _quantiles, "These are quantiles: between them lie 95% of "
            "the *errors*. The interval is one of the mean, with s over the root of n."),
    Mistake("extremes", _extremes, "You report the smallest and the largest error. The interval is "
            "one of the mean, with s over the root of n."),
    Mistake("pooled", _same_for_all, "Every group gets the same: mean and interval of all errors. "
            "Pick the errors of each group first."),
    Mistake("mean of all", _mean_of_all, "Your intervals lie around the mean of all errors. Each "
            "group has its own mean."),
    Mistake("spread of all", _with(half=_of_all(False, True)),
            _POOLED.format(what="the standard deviation", own="s")),
    Mistake("number of all", _with(half=_of_all(True, False)),
            _POOLED.format(what="the number", own="n, and a small group a wide interval")),
    Mistake("interval of all", _with(half=_of_all(False, False)),
            _POOLED.format(what="standard deviation and number", own="s and n")),
    Mistake("groups of equal size", _with(half=_over(lambda own, errors, G: math.sqrt(
            len(errors) / G))), "You take all groups for equally large. Each has its own n."),
    Mistake("n without a root", _with(half=_over(lambda own, errors, G: len(own))),
            _NUMBER.format(what="n")),
    Mistake("n - 1", _with(half=_over(lambda own, errors, G: math.sqrt(len(own) - 1))),
            _NUMBER.format(what="the root of n − 1; the −1 is in s already")),
    Mistake("root over both", _with(half=lambda own, errors, G: 1.96 * math.sqrt(
            float(own.std()) / len(own))), "Your root covers s as well. It covers n alone: s/√n."),
    Mistake("5% of the mean", _with(row=lambda mean, half: (mean, 0.95 * mean, 1.05 * mean)),
            "You go 5% of the mean up and down. 95% is how sure we are: the width comes from s and "
            "n."),
    *(Mistake(f"rounded to {digits} places", _with(row=lambda mean, half, d=digits: tuple(
              round(value, d) for value in _interval(mean, half))),
              "You round. Return the numbers as they are, and round when you print.")
      for digits in (1, 2, 3, 4)),
    Mistake("times the root", _with(half=_over(lambda own, errors, G: 1 / math.sqrt(len(own)))),
            "You multiply by the root of n, so that more images make us less sure. Divide."),
    Mistake("number of groups", _with(half=_over(lambda own, errors, G: math.sqrt(G))),
            _NUMBER.format(what="the root of the number of groups")),
    Mistake("variance", _with(half=_over(lambda own, errors, G: math.sqrt(len(own)), s=Tensor.var)),
            "You use the variance s². The interval has s, its root."),
    Mistake("variance over n", _with(half=_over(lambda own, errors, G: len(own), s=Tensor.var)),
            "You use s²/n, the *squared* standard error. Take its root."),
    Mistake("standard deviation with n", _with(half=_over(lambda own, errors, G: math.sqrt(
            len(own)), s=lambda own: own.std(unbiased=False))), "s is taken with n, as numpy does. "
            "Here it has n − 1: with two images the difference is 41%."),
    Mistake("spread around 0", _with(half=_over(lambda own, errors, G: math.sqrt(len(own)),
            s=lambda own: (own**2).mean().sqrt())), "Your s is the root of the mean square. A "
            "standard deviation takes the mean out first."),
    Mistake("factor 1", _with(half=_times(1)), _LEVEL.format(what="one standard error wide on each "
            "side, which covers 68%")),
    *(Mistake(f"factor {z:g}", _with(half=_times(z)), _LEVEL.format(what="those of 90%"))
      for z in (1.64, 1.645, 1.6449)),
    *(Mistake(f"factor {z:g}", _with(half=_times(z)), _LEVEL.format(what="those of 99%"))
      for z in (2.57, 2.58, 2.576, 2.5758)),
    Mistake("factor 2", _with(half=_times(2)), _LEVEL.format(what="a little too wide")),
    Mistake("factor 3", _with(half=_times(3)), _LEVEL.format(what="those of 99.7%")),
    Mistake("factor 0.95", _with(half=_times(0.95)), "0.95 is the probability, not the factor. For "
            "95% it is 1.96."),
    Mistake("half as wide", _with(half=_times(0.98)), "Your interval is half as wide as it should "
            "be: 1.96 standard errors go to each side."),
    Mistake("twice as wide", _with(half=_times(3.92)), "Your interval is twice as wide as it "
            "should be: 1.96 standard errors go to each side."),
    Mistake("Student's t", _with(half=_of_student), "You use the quantile of Student's t, wider "
            "for small groups, and a good idea. Here the factor is 1.96, so that all compare."),
    Mistake("median", _with(centre=torch.median), _CENTRE.format(what="the median")),
    Mistake("median, mean of the middle two", _with(centre=lambda own: own.quantile(0.5)),
            _CENTRE.format(what="the median")),
    Mistake("sum", _with(centre=torch.sum), _CENTRE.format(what="the sum")),
    Mistake("root mean square", _with(centre=lambda own: (own**2).mean().sqrt()),
            _CENTRE.format(what="the root of the mean square")),
    Mistake("low at 0 or above", _with(row=lambda mean, half: (mean, max(mean - half, 0.0),
            mean + half)), "You cut the interval off at 0. Leave it: a lower end below 0 says that "
            "so few images tell little."),
    Mistake("widths", _with(row=lambda mean, half: (mean, -half, half)),
            f"{_ROW}add the mean to them."),
    Mistake("half width twice", _with(row=lambda mean, half: (mean, half, half)),
            f"{_ROW}you return the half width twice."),
    Mistake("mean and half width", _with(row=lambda mean, half: (mean, half)),
            f"{_ROW}you return the mean and the half width."),
    Mistake("ends alone", _with(row=lambda mean, half: (mean - half, mean + half)),
            f"{_ROW}the mean is missing."),
    Mistake("mean alone", _with(row=lambda mean, half: mean), f"{_ROW}the interval is missing."),
    Mistake("nested", _with(row=lambda mean, half: (mean, (mean - half, mean + half))),
            f"{_ROW}you return the interval as a tuple inside a tuple."),
    Mistake("low first", _with(row=lambda mean, half: (mean - half, mean, mean + half)),
            f"{_ROW}the mean comes first."),
    Mistake("high before low", _with(row=lambda mean, half: (mean, mean + half, mean - half)),
            f"{_ROW}low and high have changed places."),
    Mistake("tensors as keys", _with(keys=lambda groups: [*groups.unique()]),
            _KEYS.format(what="tensors, and two tensors of the same number are different keys")),
    Mistake("words as keys", _with(report=lambda rows: {str(k): v for k, v in rows.items()}),
            _KEYS.format(what="words")),
    Mistake("groups numbered", _with(report=_numbered),
            "You number the groups 0, 1, 2, … The keys are the groups as they are."),
    Mistake("range up to the largest", _with(keys=lambda groups: [*range(int(groups.max()) + 1)]),
            f"{_RANGE} Others are empty, and their mean is NaN."),
    Mistake("range up to the largest, excluded",
            _with(keys=lambda groups: [*range(int(groups.max()))]),
            f"{_RANGE} The last one is missing, and others are empty."),
    Mistake("range over their number", _with(keys=lambda groups: [*range(len(groups.unique()))]),
            _RANGE),
    Mistake("range over their number, division by 0", _divided, f"{_RANGE} A group without images "
            "divides by 0."),
    Mistake("groups 0 and 1", _with(keys=lambda groups: [0, 1]), _RANGE),
    Mistake("last group only", _with(report=lambda rows: dict([[*rows.items()][-1]])),
            "Only one group is in your report: make the dictionary before the loop, and return "
            "after it."),
    Mistake("first group only", _with(report=lambda rows: dict([next(iter(rows.items()))])),
            "Only one group is in your report: the `return` stands inside the loop."),
    Mistake("list", _with(report=lambda rows: [*rows.values()]), f"You return a list. {_SHAPE}"),
    Mistake("pairs", _with(report=lambda rows: tuple(rows.items())),
            f"You return a tuple. {_SHAPE}"),
    Mistake("tensor", _with(report=lambda rows: torch.tensor([*rows.values()])),
            f"You return a tensor. {_SHAPE}"),
    Mistake("no groups", _no_groups, f"The groups have no effect. {_SHAPE}"),
)  # fmt: skip
