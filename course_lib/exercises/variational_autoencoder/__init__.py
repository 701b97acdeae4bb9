"""What the exercises of notebook 03 ask, and the wrong answers that people give to them."""

from course_lib.exercises.variational_autoencoder import (
    elbo,
    find_the_bug,
    iwae_bound,
    kl_monte_carlo,
    kl_std_normal,
    pathwise_gradient,
    reparameterize,
    score_gradient,
)

EXERCISES = tuple(
    module.EXERCISE
    for module in (
        reparameterize,
        kl_std_normal,
        kl_monte_carlo,
        score_gradient,
        pathwise_gradient,
        elbo,
        iwae_bound,
        find_the_bug,
    )
)
