"""The helper package of the course: data, models, training, exercises and sliders.

Nothing heavy is imported here, so that `python -m course_lib` starts on a bare Python.
"""

import os
import sys

from course_lib.deferred import defer_compiler

__version__ = "0.1.0"

# Threads that wait for each other look two thousand times and then sleep: for as long as a small
# step of training pauses between its products. On two cores 300 times make it a third slower; with
# 2,000 two programs at once take as long as one after the other, with 20,000 four times as long.
# Read when torch is loaded, so it is set before; kernels and other children have it from their
# parent. GOMP_SPINCOUNT, on Linux, goes before the policy.
if "torch" not in sys.modules and not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "2000"}

defer_compiler()
