"""Call a student's function and turn what it returns into pictures, or say what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
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


def to_images(output: Tensor, *, count: int, shape: tuple[int, ...], source: str) -> np.ndarray:
    """Bytes of `count` images: (count, H, W) grey or (count, H, W, 3) colour.

    output: (count, …) with as many values per image as shape has, float in [0, 1] or uint8;
    shape: (H, W) or (C, H, W); source: whose output it is, for the error.
    Values outside [0, 1], which PCA gives, are clipped.
    """
    try:
        array = torch.as_tensor(output).detach().cpu().numpy()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f"{source} returned {type(output).__name__}, not a tensor") from error
    shape = tuple(shape) if len(shape) == 3 else (1, *shape)
    if array.ndim == 0 or len(array) != count or array.size != count * np.prod(shape):
        expected = f"({count}, {', '.join(map(str, shape))}) or ({count}, {np.prod(shape)})"
        raise CourseError(f"{source} returned the shape {array.shape} instead of {expected}")
    if not np.isfinite(array).all():
        raise CourseError(f"{source} returned nan or inf: did its training diverge?")
    images = plots.to_uint8(array.reshape(count, *shape))
    return images[:, 0] if shape[0] == 1 else np.moveaxis(images, 1, -1)
