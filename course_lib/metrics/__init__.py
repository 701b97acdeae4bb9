"""What is measured on a trained model, over whole data sets."""

from course_lib.metrics.aggregate import AggregateTerms, aggregate_posterior_terms
from course_lib.metrics.disentanglement import (
    factor_information,
    factor_vae_score,
    information_gaps,
    mutual_information_gap,
    pairwise_rotation,
)
from course_lib.metrics.generation import (
    feature_statistics,
    features_of,
    frechet_distance,
    kernel_distance,
    precision_recall,
    psnr,
    ssim,
)
from course_lib.metrics.layers import one_gaussian_rate
from course_lib.metrics.measures import (
    active_units,
    error_per_image,
    neighbour_accuracy,
    two_sample_accuracy,
)
from course_lib.metrics.mismatch import gaussian_mismatch
from course_lib.metrics.probe import Probe, linear_probe
from course_lib.metrics.repeats import mean_and_range, ranking, student_interval
from course_lib.metrics.reweighting import effective_number, share_drawn

__all__ = [
    "AggregateTerms",
    "Probe",
    "active_units",
    "aggregate_posterior_terms",
    "effective_number",
    "error_per_image",
    "factor_information",
    "factor_vae_score",
    "feature_statistics",
    "features_of",
    "frechet_distance",
    "gaussian_mismatch",
    "information_gaps",
    "kernel_distance",
    "linear_probe",
    "mean_and_range",
    "mutual_information_gap",
    "neighbour_accuracy",
    "one_gaussian_rate",
    "pairwise_rotation",
    "precision_recall",
    "psnr",
    "ranking",
    "share_drawn",
    "ssim",
    "student_interval",
    "two_sample_accuracy",
]
