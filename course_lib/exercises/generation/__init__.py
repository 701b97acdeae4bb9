"""What the exercises of notebook 05 ask, and the wrong answers that people give to them."""

from course_lib.exercises.generation import (
    attribute_vector,
    condition,
    frechet_distance,
    gaussian_nll,
    group_report,
    nearest_training,
    optimal_log_sigma,
    slerp,
)

EXERCISES = tuple(
    module.EXERCISE
    for module in (
        gaussian_nll,
        optimal_log_sigma,
        slerp,
        attribute_vector,
        frechet_distance,
        condition,
        nearest_training,
        group_report,
    )
)
