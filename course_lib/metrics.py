"""What is measured on a trained model, over whole data sets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from course_lib.losses import squared_error


@torch.no_grad()
def mean_squared_error(
    reconstruct: Callable[[Tensor], Tensor], X: Tensor, *, batch_size: int = 2000
) -> float:
    """Mean over images of ‖x − reconstruct(x)‖², squared error per image.

    X: (N, …) floats in [0, 1], taken in batches so that memory stays small.
    """
    errors = [squared_error(x, reconstruct(x)) for x in X.split(batch_size)]
    return float(torch.cat(errors).double().mean())


def neighbour_accuracy(
    z_train: Tensor, y_train: Tensor, z_test: Tensor, y_test: Tensor, *, k: int = 5
) -> float:
    """Share of test codes whose k nearest training codes vote for the right class, in [0, 1]."""
    classifier = KNeighborsClassifier(k).fit(z_train.numpy(), y_train.numpy())
    return float(classifier.score(z_test.numpy(), y_test.numpy()))
