"""The helper package of the course: data, models, training, exercises and sliders.

Nothing heavy is imported here, so that `python -m course_lib` starts on a bare Python.
"""

import os
import sys

__version__ = "0.1.0"

# Threads that wait for each other sleep instead of spinning: programs that share the cores would
# block each other many times over. Read when torch is loaded, so it is set before; kernels and
# other children have it from their parent.
if "torch" not in sys.modules and "GOMP_SPINCOUNT" not in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
