"""What stays in memory, put where Python's search for garbage does not look.

Streamlit has garbage collected after every run of a page, and that walks all that the process holds: with a large store
that takes several times as long as the page. What has stayed is therefore set aside; once as much again has come, all of it
is searched, so that what is not used any more goes.
"""

import gc

MOST = 20_000  # objects that stay and are walked after each run: about 10 ms


def settle() -> None:
    """Set aside what has outlived a run, where that is much. At the end of a run: then its page has been sent."""
    if len(gc.get_objects(generation=2)) <= MOST:
        return
    gc.unfreeze()
    gc.collect()
    gc.freeze()
