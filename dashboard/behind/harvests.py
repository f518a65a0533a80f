"""What was read and when, and a harvest that is started from a page."""

import os
from datetime import UTC, datetime

import pandas as pd

from dashboard import harvest
from dashboard.behind import accounts, look
from dashboard.harvest import Harvest


def harvests() -> pd.DataFrame:
    """Every run of a collector, an import or an event, newest first."""
    found = look.runs()[0]
    if look.viewer().streams is not None:  # a source's name, scope and errors may speak of other streams
        found = found.assign(source=found["kind"], scope=None, error=None)
    return found


def harvesting() -> Harvest | None:
    """How the harvest goes that was started from a page, or how the last one ended."""
    return harvest.state(look.url(), datetime.now(UTC))


def begin_harvest() -> None:
    """Start a harvest of every source. Raises UsageError with a sentence where that cannot be."""
    who = look.viewer()
    who.must_edit(None)
    harvest.begin(look.url(), os.environ.get(look.CONFIG))
    accounts.note_down(who.name, "harvest.start", None)


def stop_harvest() -> None:
    """Ask the running harvest to end. Raises UsageError for who may not."""
    who = look.viewer()
    who.must_edit(None)
    harvest.stop(look.url())
    accounts.note_down(who.name, "harvest.stop", None)
