"""The helper package of the course: data, models, training, exercises and sliders.

Nothing heavy is imported here, so that `python -m course_lib` starts on a bare Python.
"""

import os
import sys

from course_lib.deferred import defer_compiler

__version__ = "0.1.0"

# Threads that wait for each other look a few hundred times and then sleep. Programs that share the
# cores and spin on block each other many times over, and threads that sleep at once make the small
# steps of training half as fast. Read when torch is loaded, so it is set before; kernels and other
# children have it from their parent. GOMP_SPINCOUNT, on Linux, goes before the policy.
if "torch" not in sys.modules and not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "300"}

defer_compiler()
