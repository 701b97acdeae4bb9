"""What the exercises of notebook 02 ask, and the wrong answers that people give to them."""

from course_lib.exercises.convolutional_autoencoder import (
    anomaly_auroc,
    conv_autoencoder,
    corrupt,
    denoising_loss,
    knn_retrieve,
    psnr,
    sizes,
)

EXERCISES = (
    *sizes.EXERCISES,
    *(
        module.EXERCISE
        for module in (
            conv_autoencoder,
            corrupt,
            denoising_loss,
            psnr,
            anomaly_auroc,
            knn_retrieve,
        )
    ),
)
