"""Sliders and pads that drive the model they are handed, the student's own first of all."""

from course_lib.widgets.components import k_slider
from course_lib.widgets.pad import pad
from course_lib.widgets.panel import Frame, Panel

__all__ = ["Frame", "Panel", "k_slider", "pad"]
