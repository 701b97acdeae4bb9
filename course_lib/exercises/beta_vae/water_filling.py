"""`water_filling(eigenvalues, beta_sigma2)`: the KL of each latent of the linear β-VAE."""

from typing import Any

import torch

from course_lib.exercises.observers import tensor_of, tensor_result
from course_lib.exercises.spec import Case, Cases, Exercise, Parts

SIGN, OFF = "not below 0 where λ ≤ βσ²", "0 where λ ≤ βσ²"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, parts: list[float], level: float, kind: Any = torch.float32) -> Case:
        """Eigenvalues as parts of the level, moved by up to a tenth; 1 stays."""
        given = torch.tensor(parts, dtype=kind)
        moved = given * (1 + 0.1 * torch.rand(len(parts), generator=g, dtype=kind) * (given != 1))
        return Case(about, {"eigenvalues": moved * level, "beta_sigma2": level})

    yield draw("two of five latents live", [40, 3, 0.5, 0.1, 0.02], 0.125)
    yield draw("βσ² above 1, eigenvalues in no order", [9, 1.5, 0.6, 0.2, 60, 0.05], 4.0)
    yield draw("one eigenvalue equals βσ², one is nearly 0", [30, 4, 1, 0.3, 1e-9], 0.25)
    yield draw("data on a plane: two eigenvalues are 0", [50, 7, 0, 0], 0.5)
    yield draw("every latent lives", [500, 20, 2], 0.01)
    yield draw("no latent lives", [0.8, 0.3, 0.1, 0.01], 3.0)
    yield draw("float64, as of the digits", [90 * 0.8**j for j in range(64)], 0.05, torch.float64)


def properties(raw: Parts, case: Case) -> Parts:
    """The KLs, and whether those below the level are 0."""
    (values, level), result = case.args.values(), tensor_of(raw["result"])
    whole = result.shape == values.shape and bool(result.isfinite().all())
    off = result[values <= level] if whole else torch.zeros(1)
    zero = {SIGN: bool((off > -1e-4).all()), OFF: bool((off.abs() < 1e-4).all())}
    return zero | raw


EXERCISE = Exercise("water_filling", 1, cases, tensor_result, properties,
                    letters={"eigenvalues": "d"}, rtol=1e-4, atol=1e-5)  # fmt: skip
