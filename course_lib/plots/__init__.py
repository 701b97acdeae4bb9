"""Arrays to matplotlib Axes: every function takes arrays and `ax`, draws, and returns `ax`."""

from course_lib.plots.charts import code_map, curves, doubling_axis
from course_lib.plots.images import (
    image_grid,
    image_rows,
    signed_image,
    tile,
    to_png,
    to_uint8,
)
from course_lib.plots.style import (
    BLACK,
    BLUE,
    CLASS_COLOURS,
    CLASS_MARKERS,
    GREEN,
    LINE_STYLES,
    ORANGE,
    PALETTE,
    PINK,
    SKY,
    STYLE,
    VERMILION,
    YELLOW,
    use_course_style,
)

__all__ = [
    "BLACK",
    "BLUE",
    "CLASS_COLOURS",
    "CLASS_MARKERS",
    "GREEN",
    "LINE_STYLES",
    "ORANGE",
    "PALETTE",
    "PINK",
    "SKY",
    "STYLE",
    "VERMILION",
    "YELLOW",
    "code_map",
    "curves",
    "doubling_axis",
    "image_grid",
    "image_rows",
    "signed_image",
    "tile",
    "to_png",
    "to_uint8",
    "use_course_style",
]
