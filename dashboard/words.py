"""How pages write what comes from outside, times and days."""

import string

import pandas as pd

# As entities and not with backslashes: Streamlit turns \:material/home\: into an icon.
SIGNS = [sign for sign in string.punctuation if sign not in ",;%'\"/?"]
ENTITIES = str.maketrans({sign: f"&#{ord(sign)};" for sign in SIGNS} | {"\n": " ", "\r": " "})


def text(said: str) -> str:
    """Text from outside, so that it stays text where Streamlit reads Markdown."""
    return said.translate(ENTITIES)


def local(time: pd.Timestamp, zone: str) -> str:
    """A time in the reporting zone, as people write it."""
    return f"{time.tz_convert(zone):%-d %b %Y, %H:%M}"


def day(time: pd.Timestamp, zone: str) -> str:
    """A day in the reporting zone, as people write it."""
    return f"{time.tz_convert(zone):%-d %b %Y}"
