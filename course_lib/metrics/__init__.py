"""What is measured on a trained model, over whole data sets."""

from course_lib.metrics.generation import (
    feature_statistics,
    features_of,
    frechet_distance,
    kernel_distance,
    psnr,
    ssim,
)
from course_lib.metrics.measures import (
    active_units,
    mean_squared_error,
    neighbour_accuracy,
    two_sample_accuracy,
)

__all__ = [
    "active_units",
    "feature_statistics",
    "features_of",
    "frechet_distance",
    "kernel_distance",
    "mean_squared_error",
    "neighbour_accuracy",
    "psnr",
    "ssim",
    "two_sample_accuracy",
]
