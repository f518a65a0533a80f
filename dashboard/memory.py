"""Python's search for garbage: seldom, and not through what stays in memory.

Streamlit has garbage collected after every run of a page, which walks all that the process holds: more work than many a page.
Here that is turned off (`[runner]` in .streamlit/config.toml); after so many runs there is one search, of what is young. What has
stayed is set aside, where the search does not look; once half as much again has come, all of it is searched, so that what is not
used any more goes.
"""

import gc
import itertools

MOST = 20_000  # objects that stay and are walked in each search: about 10 ms
EVERY = 16  # runs from one search to the next; one leaves a megabyte or two
GROWN = 1.5  # all is searched once it is so many times what the last such search has left

_runs = itertools.count(1)
_left = _since = 0  # objects that the last search of all has left, and that were set aside after it; Python counts slowly


def settle() -> None:
    """Search for garbage, and set aside what has stayed, where that is due. At the end of a run: then its page has been sent."""
    global _since
    if next(_runs) % EVERY:
        return
    gc.collect()
    stayed = len(gc.get_objects(generation=2))
    if stayed <= MOST:
        return
    _since += stayed
    if _since > (GROWN - 1) * _left:
        set_aside()
    else:
        gc.freeze()


def set_aside() -> None:
    """Search all that there is for garbage, and set aside what is left."""
    global _left, _since
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    _left, _since = gc.get_freeze_count(), 0
