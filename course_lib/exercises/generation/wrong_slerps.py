"""Wrong answers to `slerp`, from the parts of the formula."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake

Weights = Callable[[float, Tensor], tuple[Tensor, Tensor]]


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a / a.norm(), b / b.norm())


def _lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    return (1 - t) * a + t * b


def _arc(t: float, omega: Tensor) -> tuple[Tensor, Tensor]:
    sine = torch.sin(omega)
    return torch.sin((1 - t) * omega) / sine, torch.sin(t * omega) / sine


def _sine_small(omega: Tensor) -> bool:
    return bool(torch.sin(omega) < 1e-6)


def _with(
    *,
    cosine: Callable[[Tensor, Tensor], Tensor] = _cosine,
    clamp: bool = True,
    angle: Callable[[Tensor], Tensor] = torch.arccos,
    parallel: Callable[[Tensor], bool] = _sine_small,
    otherwise: Callable[[Tensor, Tensor, float], Tensor] = _lerp,
    weights: Weights = _arc,
) -> Callable:
    """A candidate with another angle, another special case, or other weights of a and b."""

    def candidate(a: Tensor, b: Tensor, t: float) -> Tensor:
        c = cosine(a, b)
        omega = angle(c.clamp(-1, 1) if clamp else c)
        if parallel(omega):
            return otherwise(a, b, t)
        w_a, w_b = weights(t, omega)
        return w_a * a + w_b * b

    return candidate


_right = _with()


def _never(omega: Tensor) -> bool:
    return False


def _raw(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a, b)


def _of_sines(first: Callable, second: Callable) -> Weights:
    """Weights from two numerators over sin ω."""
    return lambda t, omega: (
        first(t, omega) / torch.sin(omega),
        second(t, omega) / torch.sin(omega),
    )


def _a(t: float, omega: Tensor) -> Tensor:
    return torch.sin((1 - t) * omega)


def _b(t: float, omega: Tensor) -> Tensor:
    return torch.sin(t * omega)


def _plus(eps: float) -> Weights:
    return lambda t, omega: (
        _a(t, omega) / (torch.sin(omega) + eps),
        _b(t, omega) / (torch.sin(omega) + eps),
    )


def _units(a: Tensor, b: Tensor, t: float) -> Tensor:
    return _right(a / a.norm(), b / b.norm(), t)


def _norm_between(a: Tensor, b: Tensor, t: float) -> Tensor:
    return ((1 - t) * a.norm() + t * b.norm()) * _units(a, b, t)


def _rescaled_lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    result = _lerp(a, b, t)
    return ((1 - t) * a.norm() + t * b.norm()) * result / result.norm()


def _shorter_way(a: Tensor, b: Tensor, t: float) -> Tensor:
    return _right(a, -b if torch.dot(a, b) < 0 else b, t)


def _squared_norms(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a, b) / (torch.dot(a, a) * torch.dot(b, b))


_NAN = (
    "Where a and b are parallel, sin ω is 0 and the formula divides 0 by 0. Interpolate linearly "
    "where sin ω < 1e-6."
)
_ABOVE = (
    "Rounding makes the cosine of parallel vectors a little larger than 1, and its arccosine is "
    "NaN. Clamp it to [−1, 1] first."
)
_OPPOSITE = (
    "Opposite vectors are not caught: there ω is π and sin ω is 0 as well. Ask whether sin ω is "
    "small, not ω."
)
_WIDE = (
    "You change to linear interpolation too early. At an angle of 0.03 the two differ visibly in "
    "float64: the limit is sin ω < 1e-6."
)
_ANGLE = (
    "The angle is that of the vectors as they are: a·b is |a||b| cos ω. Normalise both for the "
    "angle, and only for it."
)
_EPS = "The small number under the fraction hides 0/0: parallel vectors come out too short, or 0."
_KEPT = (
    "Your cosine never gets to ±1, so opposite vectors count as nearly opposite, and their weights "
    "are huge. Clamp at exactly ±1, and interpolate linearly where sin ω < 1e-6."
)
_ENDS = "a stands at t = 0, b at t = 1, and both keep their lengths."
_WEIGHT = "The weight of {name} is sin({inside}) over sin ω: mind the brackets."
MISTAKES = (
    Mistake("always linear", _lerp, "This is linear interpolation, which cuts through the inside "
            "of the sphere. Use the weights with sines; linear is the special case only."),
    Mistake("linear, result of length 1", lambda a, b, t: F.normalize(_lerp(a, b, t), dim=0),
            "This is linear interpolation, scaled to length 1. Use the weights with sines, and "
            "leave the length as it comes out."),
    Mistake("linear, length between", _rescaled_lerp, "This is linear interpolation with its "
            "length repaired. It takes the right path at the wrong speed: use the sines."),
    Mistake("reversed", lambda a, b, t: _right(a, b, 1 - t),
            "t runs the wrong way: a stands at t = 0, b at t = 1. The weight of a has 1 − t in "
            "it."),
    Mistake("reversed, not when parallel", _with(weights=lambda t, omega: _arc(1 - t, omega)),
            "The two sines have changed places: a stands at t = 0. The weight of a has 1 − t in "
            "it."),
    Mistake("reversed when parallel", _with(otherwise=lambda a, b, t: _lerp(b, a, t)),
            "In the special case t runs the wrong way: a stands at t = 0."),
    Mistake("no special case", _with(parallel=_never), _NAN),
    Mistake("no clamp", _with(clamp=False), _ABOVE),
    Mistake("no clamp, no special case", _with(clamp=False, parallel=_never), f"{_ABOVE} And where "
            "sin ω is 0 the formula divides 0 by 0: interpolate linearly there."),
    *(Mistake(f"{eps:g} under the fraction", _with(parallel=_never, weights=_plus(eps)), _EPS)
      for eps in (1e-6, 1e-7, 1e-8, 1e-10, 1e-12)),
    *(Mistake(f"cosine kept {eps:g} below 1",
              _with(cosine=lambda a, b, most=1 - eps: _cosine(a, b).clamp(-most, most)), _KEPT)
      for eps in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10)),
    *(Mistake(f"{eps:g} added to the norms", _with(
              cosine=lambda a, b, eps=eps: _raw(a, b) / (a.norm() * b.norm() + eps)), _KEPT)
      for eps in (1e-6, 1e-7, 1e-8, 1e-10)),
    Mistake("cosine clamped to [0, 1]", _with(cosine=lambda a, b: _cosine(a, b).clamp(0, 1)),
            "You clamp the cosine to [0, 1], and obtuse angles become right ones. It goes down to "
            "−1."),
    Mistake("cosine_similarity along dimension 1",
            _with(cosine=lambda a, b: F.cosine_similarity(a, b)),
            "`F.cosine_similarity` works along dimension 1 unless told otherwise. A vector has "
            "dimension 0 only."),
    Mistake("a when parallel, opposite not caught",
            _with(parallel=lambda omega: bool(omega < 1e-6), otherwise=lambda a, b, t: a.clone()),
            f"For parallel vectors you return a, though lengths differ. {_OPPOSITE}"),
    Mistake("a when parallel", _with(otherwise=lambda a, b, t: a.clone()),
            "For parallel vectors you return a. Their lengths differ: interpolate linearly."),
    Mistake("b when parallel", _with(otherwise=lambda a, b, t: b.clone()),
            "For parallel vectors you return b. Their lengths differ: interpolate linearly."),
    Mistake("opposite not caught", _with(parallel=lambda omega: bool(omega < 1e-6)), _OPPOSITE),
    Mistake("opposite not caught, no clamp",
            _with(clamp=False, parallel=lambda omega: bool(omega.isnan() | (omega < 1e-6))),
            _OPPOSITE),
    *(Mistake(f"linear if the cosine is above {most}",
              _with(parallel=lambda omega, most=most: bool(torch.cos(omega).abs() > most)), _WIDE)
      for most in (0.9995, 0.999, 0.99)),
    *(Mistake(f"linear below an angle of {least:g}",
              _with(parallel=lambda omega, least=least: bool(torch.sin(omega) < least)), _WIDE)
      for least in (0.05, 0.1)),
    Mistake("not normalised for the angle", _with(cosine=_raw), _ANGLE),
    Mistake("not normalised for the angle, no clamp", _with(cosine=_raw, clamp=False),
            f"{_ANGLE} Then it is a cosine, and never NaN after a clamp to [−1, 1]."),
    Mistake("normalised by squared norms", _with(cosine=_squared_norms),
            "For the cosine you divide a·b by the *squared* norms. Divide by |a||b|."),
    Mistake("only a normalised", _with(cosine=lambda a, b: torch.dot(a / a.norm(), b)), _ANGLE),
    Mistake("units interpolated", _units, f"You interpolate between the unit vectors. {_ENDS} "
            "Normalise for the angle only."),
    Mistake("result normalised", lambda a, b, t: F.normalize(_right(a, b, t), dim=0),
            f"You scale the result to length 1. {_ENDS}"),
    Mistake("length interpolated", _norm_between, "You interpolate the length by itself. Some do, "
            "but the formula here weighs a and b as they are."),
    Mistake("degrees", _with(angle=lambda c: torch.rad2deg(torch.arccos(c)),
                             parallel=lambda omega: _sine_small(torch.deg2rad(omega))),
            "The angle is in degrees, and sin takes radians: leave it as `torch.arccos` gives it."),
    Mistake("no arccosine", _with(angle=lambda c: c, parallel=lambda c: bool(1 - c.abs() < 1e-9)),
            "You use the cosine as the angle: ω is its arccosine."),
    Mistake("arcsine", _with(angle=torch.arcsin,
                             parallel=lambda omega: bool(torch.cos(omega) < 1e-6)),
            "The arcsine of a cosine is 90° − ω. Take its arccosine."),
    Mistake("absolute cosine", _with(cosine=lambda a, b: _cosine(a, b).abs()),
            "You drop the sign of the cosine: angles above 90° become acute."),
    Mistake("shorter way", _shorter_way, "You turn b round where the angle is obtuse, as one does "
            "with rotations. Of a code the opposite is another face: go the whole way."),
    Mistake("half the angle", _with(angle=lambda c: 0.5 * torch.arccos(c)),
            "You halve the angle. ω is the whole angle between a and b."),
    Mistake("weights of a right angle", _with(
            weights=lambda t, omega: (torch.cos(t * omega), torch.sin(t * omega))),
            "cos(tω) and sin(tω) are the weights where a and b are at right angles. At any other "
            "angle the formula has two sines over sin ω."),
    Mistake("cosines as weights", _with(weights=_of_sines(
            lambda t, omega: torch.cos((1 - t) * omega), lambda t, omega: torch.cos(t * omega))),
            "Cosines stand where the formula has sines."),
    Mistake("not divided", _with(weights=lambda t, omega: (_a(t, omega), _b(t, omega))),
            f"The division by sin ω is missing. {_ENDS}"),
    Mistake("divided by the angle", _with(weights=lambda t, omega: (_a(t, omega) / omega,
            _b(t, omega) / omega)), "You divide by ω. The formula divides by sin ω."),
    Mistake("only b divided", _with(weights=lambda t, omega: (_a(t, omega),
            _b(t, omega) / torch.sin(omega))),
            "Only one of the two terms is divided by sin ω: mind the brackets."),
    Mistake("angle outside of the sine of a", _with(weights=_of_sines(
            lambda t, omega: torch.sin(torch.tensor(1 - t)) * omega, _b)),
            _WEIGHT.format(name="a", inside="(1 − t) ω")),
    Mistake("1 - t omega", _with(weights=_of_sines(lambda t, omega: torch.sin(1 - t * omega), _b)),
            _WEIGHT.format(name="a", inside="(1 − t) ω")),
    Mistake("1 - sin", _with(weights=_of_sines(lambda t, omega: 1 - torch.sin(t * omega), _b)),
            _WEIGHT.format(name="a", inside="(1 − t) ω")),
    Mistake("angle outside of both sines", _with(weights=_of_sines(
            lambda t, omega: torch.sin(torch.tensor(1 - t)) * omega,
            lambda t, omega: torch.sin(torch.tensor(t)) * omega)),
            "The angle stands outside of the sines: mind the brackets."),
    Mistake("always the middle", lambda a, b, t: _right(a, b, 0.5),
            "t has no effect: you always return the middle."),
    Mistake("row", lambda a, b, t: _right(a, b, t)[None], "You return a row, (1, d), not (d,)."),
)  # fmt: skip
