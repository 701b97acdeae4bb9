"""From the one hand-written source of a notebook to the student's copy and the solution."""

from course_lib.authoring.address import badge_markdown, course_address
from course_lib.authoring.builder import build
from course_lib.authoring.class_copy import write_class_copy
from course_lib.authoring.source import Cell, read_source

__all__ = ["Cell", "badge_markdown", "build", "course_address", "read_source", "write_class_copy"]
