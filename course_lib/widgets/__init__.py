"""Sliders and pads that drive the model they are handed, the student's own first of all."""

from course_lib.widgets.attributes import attributes
from course_lib.widgets.bound import bound
from course_lib.widgets.codebooks import codebooks
from course_lib.widgets.components import k_slider
from course_lib.widgets.corruption import corruption
from course_lib.widgets.denoising import denoising
from course_lib.widgets.family import beta_family
from course_lib.widgets.interpolation import interpolation
from course_lib.widgets.latents import latents
from course_lib.widgets.masking import masking
from course_lib.widgets.pad import pad
from course_lib.widgets.panel import Frame, Panel
from course_lib.widgets.reparameterization import reparameterization
from course_lib.widgets.resampling import resampling
from course_lib.widgets.samples import class_samples
from course_lib.widgets.water import water_filling

__all__ = [
    "Frame",
    "Panel",
    "attributes",
    "beta_family",
    "bound",
    "class_samples",
    "codebooks",
    "corruption",
    "denoising",
    "interpolation",
    "k_slider",
    "latents",
    "masking",
    "pad",
    "reparameterization",
    "resampling",
    "water_filling",
]
