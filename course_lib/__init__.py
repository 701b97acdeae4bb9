"""The helper package of the course: data, models, training, exercises and sliders.

Nothing heavy is imported here, so that `python -m course_lib` starts on a bare Python.
"""

__version__ = "0.1.0"
