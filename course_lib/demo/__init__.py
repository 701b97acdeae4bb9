"""The lecture demo: one page with live sliders, without a kernel, out of committed checkpoints.

Only the standard library is used, so that the page is there at once on a bare Python.
"""

from course_lib.demo.content import export, page
from course_lib.demo.server import serve

__all__ = ["export", "page", "serve"]
