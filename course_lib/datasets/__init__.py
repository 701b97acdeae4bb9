"""Named data sets as uint8 tensors in memory, with labels or factors and where they came from."""

from course_lib.datasets.imports import import_images
from course_lib.datasets.loading import at_hand, get, load, survey
from course_lib.datasets.splits import Dataset, Split, hold_out

__all__ = ["Dataset", "Split", "at_hand", "get", "hold_out", "import_images", "load", "survey"]
