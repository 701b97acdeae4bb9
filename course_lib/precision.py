"""Matrix products in bfloat16, where the processor has them and a trial shows that they pay."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

TRIAL_STEPS = 3  # after one that is not timed
_FASTER: dict[tuple, bool] = {}  # what the trials of this process found


def cheaper(objective: Callable, model: nn.Module, batch: tuple[Tensor, ...]) -> Callable:
    """The objective under autocast to bfloat16 where its steps are faster so, else as it is.

    Found by a few steps of a copy of the model, once for each objective, model and size of batch.
    Weights and optimiser stay in single precision; the models give float32 to all sums.
    """
    if not is_offered(batch[0].device):
        return objective

    def in_bfloat16(*arguments: object) -> tuple:
        with torch.autocast(batch[0].device.type, torch.bfloat16):
            return objective(*arguments)

    shapes = tuple(p.shape for p in model.parameters()), tuple(part.shape for part in batch)
    key = (getattr(objective, "func", objective), type(model), *shapes)
    if key not in _FASTER:
        of_float32, of_bfloat16 = (_seconds(way, model, batch) for way in (objective, in_bfloat16))
        _FASTER[key] = of_bfloat16 < of_float32
    return in_bfloat16 if _FASTER[key] else objective


def is_offered(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 in hardware: where it does not, it takes up to 100 times."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def _seconds(objective: Callable, model: nn.Module, batch: tuple[Tensor, ...]) -> float:
    """The fastest of a few steps of a copy, without the optimiser's part."""
    model, times = copy.deepcopy(model), []
    for _ in range(1 + TRIAL_STEPS):
        start = time.perf_counter()
        objective(model, *batch)[0].backward()
        next(model.parameters()).grad.sum().item()  # waits for a GPU
        times.append(time.perf_counter() - start)
    return min(times[1:])
