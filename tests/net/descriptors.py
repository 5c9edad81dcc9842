"""The descriptors of this process."""

import contextlib
import gc
import os
import resource


def count_descriptors():
    """How many are open, with none that only waits for the collector."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def no_descriptor_to_be_had():
    """Each one that the process may have is taken, also those below the highest that is open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What becomes garbage before would close its own in the middle.
    gc.collect()
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, limits[1]))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(2))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
