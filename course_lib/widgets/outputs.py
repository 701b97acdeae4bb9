"""Call a student's function and turn what it returns into pictures or numbers.

What does not fit is said in a CourseError.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from course_lib import plots
from course_lib.errors import CourseError


def call(function: Callable[..., Tensor], *args: object) -> Tensor:
    """function(*args) without gradients.

    Where the function is a module or a module's method, tensors go to the module's device and the
    module is in eval mode meanwhile.
    """
    owner = function if isinstance(function, nn.Module) else getattr(function, "__self__", None)
    with torch.no_grad():
        if not isinstance(owner, nn.Module):
            return function(*args)
        first = next(owner.parameters(), None)
        if first is not None:
            args = tuple(a.to(first.device) if isinstance(a, Tensor) else a for a in args)
        modes = {module: module.training for module in owner.modules()}
        owner.eval()
        try:
            return function(*args)
        finally:
            for module, training in modes.items():
                module.training = training


def to_batch(output: Tensor, *, count: int, shape: tuple[int, ...], source: str) -> Tensor:
    """`count` images as float32 on the CPU: (count, C, H, W), in [0, 1] where they were bytes.

    output: (count, …) with as many values per image as shape has, float or uint8; shape: (H, W) or
    (C, H, W); source: the function that returned it, for the error.
    """
    return _batch(output, count=count, shape=shape, told=f"{source} returned")


def given(images: Tensor, *, shape: tuple[int, ...], what: str) -> Tensor:
    """The same for the argument `what`, which may hold any number of images from one on."""
    return _batch(images, count=None, shape=shape, told=f"{what} has")


def _batch(images: Tensor, *, count: int | None, shape: tuple[int, ...], told: str) -> Tensor:
    try:
        array = torch.as_tensor(images).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f"{told} the type {type(images).__name__}, not a tensor") from error
    shape = tuple(shape) if len(shape) == 3 else (1, *shape)
    n, size = len(array) if array.ndim else 0, math.prod(shape)
    if not n or n != (count or n) or array.numel() != n * size:
        n = count or "N"
        expected = f"({n}, {', '.join(map(str, shape))}) or ({n}, {size})"
        raise CourseError(f"{told} the shape {tuple(array.shape)} instead of {expected}")
    batch = array.reshape(n, *shape)
    batch = batch / 255 if batch.dtype == torch.uint8 else batch.float()
    if not batch.isfinite().all():
        raise CourseError(f"{told} nan or inf: did a training diverge?")
    return batch


def to_bytes(batch: Tensor) -> np.ndarray:
    """Bytes of images (N, C, H, W): (N, H, W) grey or (N, H, W, 3) colour.

    Values outside [0, 1], which PCA gives, are clipped.
    """
    images = plots.to_uint8(batch.numpy())
    return images[:, 0] if images.shape[1] == 1 else np.moveaxis(images, 1, -1)


def to_images(output: Tensor, *, count: int, shape: tuple[int, ...], source: str) -> np.ndarray:
    """Bytes of `count` images, as `to_bytes` gives them, out of what `to_batch` takes."""
    return to_bytes(to_batch(output, count=count, shape=shape, source=source))


def to_number(output: object, *, source: str) -> float:
    """The one finite number in a tensor of any shape; source: whose output it is, for the error."""
    try:
        array = torch.as_tensor(output).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f"{source} must be a number, not {type(output).__name__}") from error
    if array.numel() != 1 or not array.isfinite().all():
        told = f"the shape {tuple(array.shape)}" if array.numel() != 1 else f"{array.item()}"
        raise CourseError(f"{source} must be one finite number, not {told}")
    return array.item()


def numbers(values: ArrayLike, *, count: int | None, what: str) -> np.ndarray:
    """`count` finite numbers, or any many for None, (N,), or a CourseError about `what`."""
    array = to_array(values, what=what)
    wrong = array.shape != (count,) if count else array.ndim != 1 or not array.size
    if wrong or not np.isfinite(array).all():
        expected = f"{count} finite numbers" if count else "finite numbers of the shape (N,)"
        raise CourseError(f"{what} must be {expected}, not {reprlib.repr(array.tolist())}")
    return array.astype(float)


def to_array(values: ArrayLike, *, what: str) -> np.ndarray:
    """Numbers of any shape, from a tensor or from what numpy takes; what: for the error."""
    try:
        is_tensor = isinstance(values, Tensor)
        array = values.detach().cpu().numpy() if is_tensor else np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f"{what} must be a tensor or an array of numbers") from error
    if array.dtype.kind not in "biuf":
        raise CourseError(f"{what} must be numbers, not {reprlib.repr(values)}")
    return array
