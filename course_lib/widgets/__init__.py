"""Sliders and pads that drive the model they are handed, the student's own first of all."""

from course_lib.widgets.bound import bound
from course_lib.widgets.components import k_slider
from course_lib.widgets.corruption import corruption
from course_lib.widgets.interpolation import interpolation
from course_lib.widgets.latents import latents
from course_lib.widgets.pad import pad
from course_lib.widgets.panel import Frame, Panel

__all__ = [
    "Frame",
    "Panel",
    "bound",
    "corruption",
    "interpolation",
    "k_slider",
    "latents",
    "pad",
]
