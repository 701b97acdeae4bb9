"""Schematic pictures of models as SVG: each function returns a `Diagram`, which shows itself."""

from course_lib.diagrams.drawing import Diagram
from course_lib.diagrams.models import (
    autoencoder,
    graphical_model,
    noise_process,
    reparameterization,
)
from course_lib.diagrams.networks import conv_shapes, unet

__all__ = [
    "Diagram",
    "autoencoder",
    "conv_shapes",
    "graphical_model",
    "noise_process",
    "reparameterization",
    "unet",
]
