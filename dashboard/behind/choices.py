"""What a viewer can choose and has chosen, and what there is to choose from."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from vsm.config import Level

STALE_DAYS = 7  # who collects at all collects weekly; what is older is said in orange on every page
Written = tuple[int, int, str]  # the version of what people wrote down
# The store, its file, its version, the configuration, and the streams that may be seen (None: all).
Key = tuple[str, int, tuple[int, int], str, tuple[str, ...] | None]


@dataclass(frozen=True)
class Choice:
    """What a viewer chose: a stream and a team (None for all), the window's weeks, and whether to compare.

    Beside them an application, of which tickets the maps are (None: as configured), and the first and the last day of
    a window that does not end with the newest fact.
    """

    stream: str | None
    team: str | None
    weeks: int
    compare: bool
    application: str | None = None
    level: Level | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Known:
    """What can be chosen, what there is, and how fresh it is."""

    streams: tuple[str, ...]
    teams: tuple[str, ...]
    facts: int
    now: pd.Timestamp
    last_read: pd.Timestamp | None
    days_old: int | None
    zone: str
    applications: tuple[str, ...] = ()
    has_parts: bool = False
    engine: str | None = None

    @property
    def stale(self) -> bool:
        """Whether nothing was read for so long that the pages may tell of another time."""
        return self.days_old is not None and self.days_old > STALE_DAYS


class NothingYet(Exception):
    """There is no store, or nothing in it; the message says what is missing."""
