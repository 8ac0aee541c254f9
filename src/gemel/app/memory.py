"""The allocator: steady work on columns takes no memory from the system and gives none back.

glibc hands the top of the heap back as soon as more than 128 KiB of it are free, so that columns of
10,000 numbers cost more in page faults than in arithmetic: 222 faults and 0.66 ms a tick of
`anomaly` instead of 1 and 0.2 ms. Its limit is twice the largest block that was freed so far, which
a process sooner or later sets by accident; `keep_freed` sets it at once. What is kept so is given
back where `rest` is called.
"""

from __future__ import annotations

import ctypes

import numpy as np

LARGEST = 8 << 20
"""Bytes of a block that, once freed, tells glibc to keep up to twice as many."""
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def keep_freed() -> None:
    """Lets this process keep memory that it frees. Cost: some microseconds, no memory."""
    block = np.empty(LARGEST, np.uint8)
    del block


def rest() -> None:
    """Gives freed memory back: several times what is in use may have been kept."""
    if _trim is not None:
        _trim(0)
