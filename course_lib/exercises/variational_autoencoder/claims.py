"""Claims that `find_the_bug` is tried on, right and wrong ones, each with a trap of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from course_lib.distributions import kl_normal
from course_lib.exact import Formula

Draw = Callable[[Generator], tuple[Tensor, ...]]


def _uniform(low: float, high: float, *, n: int, inputs: int = 1) -> Draw:
    """Vectors of n numbers between low and high."""

    def draw(generator: Generator) -> tuple[Tensor, ...]:
        numbers = torch.rand(inputs, n, generator=generator, dtype=torch.float64)
        return tuple(low + (high - low) * numbers)

    return draw


@dataclass
class _FirstAt:
    """These inputs until the generator gives a second number, then what `draw` draws."""

    special: tuple[Tensor, ...]
    draw: Draw
    seen: set[float] = field(default_factory=set)

    def __call__(self, generator: Generator) -> tuple[Tensor, ...]:
        drawn = self.draw(generator)
        self.seen.add(float(drawn[0].flatten()[0]))
        return drawn if len(self.seen) > 1 else self.special


@dataclass
class _BothSigns:
    """What `draw` draws, and the next time the same with a minus."""

    draw: Draw
    last: Tensor | None = None

    def __call__(self, generator: Generator) -> tuple[Tensor, ...]:
        x, self.last = (
            (-self.last, None) if self.last is not None else (self.draw(generator)[0],) * 2
        )
        return (x,)


def _image_and_minus(generator: Generator) -> tuple[Tensor, ...]:
    x = torch.randn(3, generator=generator, dtype=torch.float64)
    return (torch.cat([x, -x]),)


def _last_negative(generator: Generator) -> tuple[Tensor, ...]:
    x = 0.5 + torch.rand(4, generator=generator, dtype=torch.float64)
    return (x * torch.tensor([1.0, 1.0, 1.0, -1.0], dtype=torch.float64),)


def _first_negative(generator: Generator) -> tuple[Tensor, ...]:
    return (_last_negative(generator)[0].flip(0),)


def _one_number(generator: Generator) -> tuple[Tensor, ...]:
    return (1 + torch.rand((), generator=generator, dtype=torch.float64),)


def _kl(mu: Tensor, log_var: Tensor) -> Tensor:
    return kl_normal(mu[:, None], log_var[:, None], 0 * mu[:, None], 0 * mu[:, None])


def _kl_flipped(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (1 + log_var - mu**2 - log_var.exp())


def _kl_closed(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


class Claim(NamedTuple):
    """A formula in words and signs, and how it is made; `make` because a draw may remember."""

    text: str
    right: bool
    make: Callable[[], Formula]


def _square(x: Tensor, y: Tensor) -> Tensor:
    return (x + y) ** 2


def _expanded(x: Tensor, y: Tensor) -> Tensor:
    return x**2 + 2 * x * y + y**2


_PAIR = _uniform(-2, 2, n=30, inputs=2)
_LARGE = _uniform(1e7, 2e7, n=30, inputs=2)
_ZEROS = (torch.zeros(4, dtype=torch.float64),) * 2
_NUMBER = _uniform(1, 2, n=4)
CLAIMS = {
    claim.text: claim
    for claim in (
        Claim("(x + y)² = x² + 2xy + y²", True, lambda: Formula(_PAIR, _square, _expanded)),
        Claim(
            "(x + y)² = x² + 2xy + y², x and y up to 10⁷",
            True,
            lambda: Formula(_LARGE, _square, _expanded),
        ),
        Claim(
            "(x + y)² − x² − 2xy − y² = 0",
            True,
            lambda: Formula(
                _PAIR, lambda x, y: (x + y) ** 2 - x**2 - 2 * x * y - y**2, lambda x, y: 0 * x
            ),
        ),
        Claim(
            "½(μ² + σ² − 1 − log σ²) = KL(N(μ, σ²) ‖ N(0, 1))",
            True,
            lambda: Formula(_PAIR, _kl_closed, _kl),
        ),
        Claim(
            "(x + y)² = x² + y²", False, lambda: Formula(_PAIR, _square, lambda x, y: x**2 + y**2)
        ),
        Claim("log x = x", False, lambda: Formula(_NUMBER, torch.log, lambda x: x)),
        Claim("exp x = x", False, lambda: Formula(_NUMBER, torch.exp, lambda x: x)),
        Claim(
            "log x = x, for a single number",
            False,
            lambda: Formula(_one_number, torch.log, lambda x: x),
        ),
        Claim(
            "½(1 + log σ² − μ² − σ²) = KL(N(μ, σ²) ‖ N(0, 1))",
            False,
            lambda: Formula(_FirstAt(_ZEROS, _uniform(0.5, 2, n=4, inputs=2)), _kl_flipped, _kl),
        ),
        Claim(
            "exp x = (1 + x/1000)¹⁰⁰⁰",
            False,
            lambda: Formula(_NUMBER, torch.exp, lambda x: (1 + x / 1000) ** 1000),
        ),
        Claim(
            "10⁻⁶ x = 1.5 · 10⁻⁶ x",
            False,
            lambda: Formula(_NUMBER, lambda x: 1e-6 * x, lambda x: 1.5e-6 * x),
        ),
        Claim(
            "|x| = x, the last of four negative",
            False,
            lambda: Formula(_last_negative, torch.abs, lambda x: x),
        ),
        Claim(
            "|x| = x, the first of four negative",
            False,
            lambda: Formula(_first_negative, torch.abs, lambda x: x),
        ),
        Claim(
            "√(x²) = x, each x once with a minus",
            False,
            lambda: Formula(_BothSigns(_uniform(1, 2, n=4)), lambda x: (x**2).sqrt(), lambda x: x),
        ),
        Claim(
            "sin x = x, each x once with a minus",
            False,
            lambda: Formula(_BothSigns(_uniform(1, 2, n=4)), torch.sin, lambda x: x),
        ),
        Claim(
            "sin x = x, over a batch that adds up to 0",
            False,
            lambda: Formula(_image_and_minus, torch.sin, lambda x: x),
        ),
        Claim(
            "(√x)² = x, also for negative x",
            False,
            lambda: Formula(_last_negative, lambda x: torch.sqrt(x) ** 2, lambda x: x),
        ),
    )
}
