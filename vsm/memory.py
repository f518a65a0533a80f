"""How a program that ends soon uses memory: seldom searched for garbage, and kept once the system has given it.

A page of memory costs most when it is asked for. A report of a million tickets fills and drops arrays of hundreds of megabytes
by the dozen; where each went back to the system, asking again took a quarter of the time. So such a program keeps what it has
until it ends, in one heap for all of its threads, which takes no more at its height: what is free is used first. The dashboard,
which lives on, is a process of its own and gives memory back.
"""

import ctypes
import gc
import os
from contextlib import suppress

# Arrow's own allocator, and numpy's wish for pages of 2 MB: each gives away what the next column asks for again, or clears more
# than it needs. Read when the libraries are first imported.
ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "NUMPY_MADVISE_HUGEPAGE": "0"}
# Imports and rows make a million objects that stay: looking through them again and again is a tenth of a short run.
THRESHOLDS = (300_000, 20, 20)
# What <malloc.h> calls M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD, and for them: one heap, no array below a
# gigabyte beside it, nothing given back, and growth by so many bytes at a time.
ALLOCATOR = {-8: 1, -3: 1 << 30, -1: -1, -2: 64 << 20}


def of_a_short_run() -> None:
    """Set all of that for this process; call it before numpy and pyarrow are imported and before there are threads."""
    gc.set_threshold(*THRESHOLDS)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Not every system's C library has such an allocator: without it a report is slower, and the same.
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, number in ALLOCATOR.items():
            mallopt(parameter, number)
