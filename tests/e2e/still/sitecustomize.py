"""Python reads this first where its folder is in PYTHONPATH: the clock on the wall stands still.

Durations (`time.monotonic`) go on, so that everything that waits still ends.
"""

import os
import time

if "STILL_AT" in os.environ:
    MOMENT = int(os.environ["STILL_AT"])
    time.time_ns = lambda: MOMENT
