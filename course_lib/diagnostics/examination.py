"""`examine`: a dozen cheap measurements on any VAE or autoencoder, and what they give away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from course_lib.diagnostics.faults import findings
from course_lib.diagnostics.measures import Probe, as_float, measure
from course_lib.diagnostics.objective import weigh
from course_lib.diagnostics.reading import as_found, modules_of
from course_lib.diagnostics.report import Report, lines


def examine(
    encode: Callable[[Tensor], Any],
    decode: Callable[[Tensor], Any],
    images: Tensor,
    *,
    held_out: Tensor | None = None,
    loss: Callable[[Tensor], Any] | None = None,
) -> Report:
    """Measure a VAE or autoencoder from anywhere, and name its likely faults, each with evidence.

    encode: images to z, a distribution, (μ, log σ²) or these with z; decode: z to images or a
    distribution; images: (N, …) as the model is fed, N ≥ 8. held_out: images it was not trained
    on, which tells overfitting; loss: images to the loss that is minimised, which tells what its
    terms weigh and where no gradient arrives. The model stays as it was: weights, mode, buffers,
    gradients, random numbers. Raises CourseError for what cannot be read.
    """
    x = as_float(images, "images")
    unseen = None if held_out is None else as_float(held_out, "held_out")
    modules = modules_of(encode, decode, loss)
    probe = Probe(encode, decode)
    with as_found(modules):
        found = measure(probe, x, unseen, modules)
        weights = weigh(probe, loss, x, modules) if loss is not None else None
    return Report(findings(found, weights), lines(found, weights))
