"""What is measured on a trained model, over whole data sets."""

from course_lib.metrics.measures import (
    mean_squared_error,
    neighbour_accuracy,
    two_sample_accuracy,
)

__all__ = ["mean_squared_error", "neighbour_accuracy", "two_sample_accuracy"]
