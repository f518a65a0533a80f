"""How pages write what comes from outside, times and days."""

import re
import string
from datetime import date

import pandas as pd

# As entities and not with backslashes: Streamlit turns \:material/home\: into an icon.
SIGNS = [sign for sign in string.punctuation if sign not in ",;%'\"/?"]
ENTITIES = str.maketrans({sign: f"&#{ord(sign)};" for sign in SIGNS} | {"\n": " ", "\r": " "})


def text(said: str) -> str:
    """Text from outside, so that it stays text where Streamlit reads Markdown."""
    return said.translate(ENTITIES)


def anchor(*parts: str) -> str:
    """The id of a heading whose words another heading of the page has, too: Streamlit makes one of the words alone.

    >>> anchor("card", "cycle_time_our team")
    'card-cycle-time-our-team'
    """
    return "-".join(re.findall(r"\w+", " ".join(parts).replace("_", " "))).lower()


UNIT = re.compile(r"(?<=\d) (?=(?:%|min|h|d|/ week)(?![\w-]))")


def together(said: str) -> str:
    """A sentence in whose lines no number is parted from its unit.

    >>> together("95 % within 4.5 h, 3 deployments").replace("\N{NO-BREAK SPACE}", "_")
    '95_% within 4.5_h, 3 deployments'
    """
    return UNIT.sub("\N{NO-BREAK SPACE}", said)


ISO = re.compile(r"(?<![\w-])(\d{4}-\d{2}-\d{2})(?![\w-])")


def dated(said: str) -> str:
    """A sentence that a report words with ISO dates, with days as pages write them; what is no day stays.

    >>> dated("deployed from 2026-05-17 to 2026-11-05, in PAY-2026-05-17 and on 2026-02-31")
    'deployed from 17 May 2026 to 5 Nov 2026, in PAY-2026-05-17 and on 2026-02-31'
    """
    return ISO.sub(_day, said)


def _day(found: re.Match[str]) -> str:
    try:
        return f"{date.fromisoformat(found[1]):%-d %b %Y}"
    except ValueError:
        return found[1]


def local(time: pd.Timestamp, zone: str) -> str:
    """A time in the reporting zone, as people write it."""
    return f"{time.tz_convert(zone):%-d %b %Y, %H:%M}"


def day(time: pd.Timestamp, zone: str) -> str:
    """A day in the reporting zone, as people write it."""
    return f"{time.tz_convert(zone):%-d %b %Y}"
