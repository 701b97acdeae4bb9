"""What the exercises of notebook 04 ask, and the wrong answers that people give to them."""

from course_lib.exercises.beta_vae import (
    active_units,
    beta_schedule,
    free_bits,
    mutual_information_gap,
    rate_distortion,
    water_filling,
)

EXERCISES = tuple(
    module.EXERCISE
    for module in (
        rate_distortion,
        active_units,
        beta_schedule,
        free_bits,
        water_filling,
        mutual_information_gap,
    )
)
