"""What the exercises of notebook 01 ask, and the wrong answers that people give to them."""

from course_lib.exercises.autoencoder_basics import (
    bce_nats,
    linear_autoencoder,
    pca_reconstruct,
    principal_angles,
    train_step,
)

EXERCISES = tuple(
    module.EXERCISE
    for module in (
        pca_reconstruct,
        linear_autoencoder,
        principal_angles,
        bce_nats,
        train_step,
    )
)
