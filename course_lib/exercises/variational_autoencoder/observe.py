"""What is looked at in notebook 03: gradients, and estimates from random numbers.

An estimate is looked at through means over so much noise that every right answer comes close to
the reference, in whatever order it draws its noise, and no known wrong one does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.observers import level, outline, reached, seeded

FROM_GENERATOR = "all noise comes from the generator"
OTHER_NOISE = "another generator gives another result"
OWN_NOISE = "equal rows get noise of their own"
NOISE_HINTS = {
    FROM_GENERATOR: "Not all noise comes from `generator`: the same generator has to give the same "
    "result, and PyTorch's global random numbers stay as they are. Give `torch.randn` its "
    "`generator=`.",
    OTHER_NOISE: "A generator with another seed gives the same result: draw the noise from the "
    "`generator` that is handed in, and never set its seed yourself.",
}


def observe_result_and_reach(candidate: Callable, case: Any) -> dict[str, Any]:
    """The result, and whether it can train both `mu` and `log_var`."""
    result = candidate(*case.args.values())
    return {"result": result, **reached(candidate, case.args, ("mu", "log_var"))}


def noise_of(estimate: Callable[[torch.Generator], Tensor], seed: int) -> dict[str, bool]:
    """Whether the generator, and nothing else, decides what comes out."""
    state = torch.get_rng_state()
    first, again = (estimate(seeded(seed)).detach().clone() for _ in range(2))
    untouched = torch.equal(state, torch.get_rng_state())
    other = estimate(seeded(seed + 1)).detach()
    return {
        FROM_GENERATOR: untouched and torch.allclose(first, again, equal_nan=True),
        OTHER_NOISE: not torch.allclose(first, other, equal_nan=True),
    }


def observe_kl_estimate(candidate: Callable, case: Any) -> dict[str, Any]:
    """Mean and spread of the estimate over thousands of equal rows, at 2 and at 8 samples."""
    mu, log_var, seed = (case.args[key] for key in ("mu", "log_var", "seed of the generator"))
    result = candidate(mu, log_var, 2, seeded(seed))
    record: dict[str, Any] = {"result": outline(result)}
    if record["result"] != outline(mu[:, 0]):
        return record | {"_level": level(candidate(mu, log_var, 20_000, seeded(seed)))}
    record |= noise_of(lambda g: candidate(mu.clone(), log_var.clone(), 2, g), seed)
    if not record[FROM_GENERATOR]:
        return record
    for n_samples, rows in ((2, 4_000), (8, 1_000)):
        many = [t.repeat_interleave(rows, 0) for t in (mu, log_var)]  # (B · rows, d)
        estimates = candidate(*many, n_samples, seeded(seed + 2)).detach().view(len(mu), rows)
        record[OWN_NOISE] = bool(estimates.std(1).min() > 1e-9)
        if not record[OWN_NOISE]:
            return record
        label = f"over {rows:,} equal rows at {n_samples} samples each"
        record[f"mean {label}"] = estimates.mean(1)
        record[f"standard deviation {label}"] = estimates.std(1)
    return record
