"""Errors of reconstruction, what codes know of labels, and how two sets differ."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib import machine
from course_lib.losses import squared_error


@torch.no_grad()
def error_per_image(
    reconstruct: Callable[[Tensor], Tensor], X: Tensor, *, batch_size: int = 2000
) -> float:
    """Mean over images of ‖x − reconstruct(x)‖², squared error per image.

    X: (N, …) floats in [0, 1], taken in batches so that memory stays small.
    """
    errors = [squared_error(x, reconstruct(x)) for x in X.split(batch_size)]
    return float(torch.cat(errors).cpu().double().mean())


def neighbour_accuracy(
    z_train: Tensor, y_train: Tensor, z_test: Tensor, y_test: Tensor, *, k: int = 5
) -> float:
    """Share of test codes whose k nearest training codes vote for the right class, in [0, 1]."""
    from sklearn.neighbors import KNeighborsClassifier  # slow to import

    classifier = KNeighborsClassifier(k).fit(z_train.cpu().numpy(), y_train.cpu().numpy())
    return float(classifier.score(z_test.cpu().numpy(), y_test.cpu().numpy()))


def two_sample_accuracy(a: Tensor, b: Tensor, *, seed: int = 0) -> float:
    """How often a random forest knows which of two sets an unseen image is from: ½ if alike.

    a, b: (N, D) images, as many of each. Judged on the images that each tree has not seen.
    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests".
    """
    from sklearn.ensemble import RandomForestClassifier  # slow to import

    images = torch.cat([a, b]).flatten(1).cpu().numpy()
    kind = torch.arange(len(images)).numpy() < len(a)
    forest = RandomForestClassifier(100, oob_score=True, n_jobs=machine.cores(), random_state=seed)
    return float(forest.fit(images, kind).oob_score_)


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """The number of latents j whose posterior mean varies over the data: Var_x[μ_j(x)] > threshold.

    mu: (N, d), posterior means of N images. Source: Burda et al. (2016), section 5.2.
    """
    return int((mu.var(dim=0) > threshold).sum())
