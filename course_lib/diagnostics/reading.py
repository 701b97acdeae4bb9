"""What the encoders and decoders of others return, as tensors; and the networks behind them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from course_lib.errors import CourseError

MU = ("mu", "mean", "z_mean", "embedding")
LOG_VAR = ("log_var", "logvar", "log_covariance", "z_log_var")
SAMPLE = ("z", "sample", "latents")
IMAGE = ("reconstruction", "x_hat", "recon", "sample", "mean")


class Code(NamedTuple):
    """q(z|x): μ and σ, (B, d) each, σ None for an autoencoder; z where the encoder draws it."""

    mu: Tensor
    sigma: Tensor | None = None
    z: Tensor | None = None


class Image(NamedTuple):
    """What is decoded: the mean, (B, …), and the distribution where there is one."""

    mean: Tensor
    distribution: Distribution | None = None


def read_code(result: Any, place: int | None = None) -> Code:
    """A distribution, z, (μ, log σ²), or with z first or last; a mapping with names of these.

    place: where z stands among three tensors, see `place_of_z`.
    """
    if isinstance(result, Distribution):
        return Code(_flat(result.mean), _flat(result.stddev))
    if isinstance(result, Tensor):
        return Code(_flat(result))
    if isinstance(result, Mapping):
        mu, log_var, z = (_named(result, names) for names in (MU, LOG_VAR, SAMPLE))
        if mu is None and z is not None:
            mu, z = z, None
        if mu is not None:
            return _gaussian(mu, log_var, z)
    if isinstance(result, (tuple, list)) and all(isinstance(part, Tensor) for part in result):
        if len(result) == 1:
            return Code(_flat(result[0]))
        if len({part.shape for part in result[:3]}) == 1:
            parts = [*result[:3]]
            z = (
                parts.pop(place_of_z(parts, parts) if place is None else place)
                if parts[2:]
                else None
            )
            return _gaussian(*parts, z)
    raise CourseError(
        "encode must return z, a distribution, (mu, log_var) or (mu, log_var, z), with one row "
        f"per image; it returned {_told(result)}"
    )


def place_of_z(result: Any, again: Any) -> int | None:
    """Where z stands among three tensors: what changes between two calls, else what looks as drawn.

    The latter: first or last, where (z − μ)/σ has a variance nearer to 1. None for other results.
    """
    if not isinstance(result, (tuple, list)) or len(result) < 3:
        return None
    parts = [part for part in result[:3] if isinstance(part, Tensor)]
    changed = [
        i for i, (a, b) in enumerate(zip(parts, again, strict=False)) if not torch.equal(a, b)
    ]
    if len(parts) < 3 or len(changed) == 1:
        return changed[0] if changed else None

    def off(z: Tensor, mu: Tensor, log_var: Tensor) -> float:
        noise = ((z - mu) * torch.exp(-0.5 * log_var)).square().mean()
        return abs(noise.log().item()) if noise > 0 else 0.0

    return 0 if off(*parts) < off(parts[2], parts[0], parts[1]) else 2


def read_image(result: Any) -> Image:
    """A distribution, images, a tuple that begins with either, or a mapping with a name for it."""
    if isinstance(result, (tuple, list)) and result:
        result = result[0]
    if isinstance(result, Mapping):
        result = _named(result, IMAGE)
    if isinstance(result, Independent):
        result = result.base_dist
    if isinstance(result, Distribution):
        return Image(result.mean, result)
    if isinstance(result, Tensor):
        return Image(result)
    raise CourseError(
        f"decode must return images or a distribution over them; it returned {_told(result)}"
    )


def _gaussian(mu: Tensor, log_var: Tensor | None, z: Tensor | None) -> Code:
    sigma = None if log_var is None else torch.exp(0.5 * _flat(log_var))
    return Code(_flat(mu), sigma, None if z is None else _flat(z))


def _flat(t: Tensor) -> Tensor:
    return t.flatten(1) if t.dim() > 1 else t[:, None] if t.dim() else t.reshape(1, 1)


def _named(result: Mapping, names: tuple[str, ...]) -> Any:
    return next((result[name] for name in names if name in result), None)


def _told(result: Any) -> str:
    if isinstance(result, Tensor):
        return f"a tensor of {tuple(result.shape)}"
    if isinstance(result, Mapping):
        return f"{type(result).__name__} with {', '.join(map(str, result))}"
    if isinstance(result, (tuple, list)):
        return f"({', '.join(_told(part) for part in result)})"
    return type(result).__name__


def modules_of(*functions: Callable | None) -> list[nn.Module]:
    """The networks that these use: themselves, `self` of a method, what a function names."""
    found: dict[int, nn.Module] = {}
    queue: list[Any] = [f for f in functions if f is not None]
    seen: set[int] = set()
    while queue:
        one = queue.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, nn.Module):
            found[id(one)] = one
        elif isinstance(one, functools.partial):
            queue += [one.func, *one.args, *one.keywords.values()]
        elif callable(one):
            queue += _used_by(one)
    inner = {id(m) for module in found.values() for m in module.modules() if m is not module}
    return [module for key, module in found.items() if key not in inner]


def _used_by(function: Any) -> list[Any]:
    used = [function.__self__] if hasattr(function, "__self__") else []
    used += list(vars(function.__self__).values()) if used and hasattr(used[0], "__dict__") else []
    function = getattr(function, "__func__", function)
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a name that has no value yet
            used.append(cell.cell_contents)
    code = getattr(function, "__code__", None)
    if code is not None:
        used += [function.__globals__[n] for n in code.co_names if n in function.__globals__]
    return [one for one in used if isinstance(one, nn.Module) or _is_own(one)]


def _is_own(one: Any) -> bool:
    """Whether this is a function of whoever calls, and not one of a library."""
    library = str(getattr(one, "__module__", "")).split(".")[0] in ("torch", "numpy", "builtins")
    return callable(one) and not isinstance(one, type) and not library


@contextlib.contextmanager
def as_found(modules: list[nn.Module]) -> Iterator[None]:
    """Afterwards each network is in the mode it was in, and its buffers hold what they held."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    buffers = [(b, b.clone()) for module in modules for b in module.buffers()]
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        with torch.no_grad():
            for buffer, old in buffers:
                buffer.copy_(old)


def set_mode(modules: list[nn.Module], *, training: bool) -> None:
    """All in train() or all in eval()."""
    for module in modules:
        module.train(training)
