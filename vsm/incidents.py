"""Incidents that do not count: those that the configuration leaves out, and those whose dates cannot be."""

import re

import numpy as np
import pandas as pd

from vsm.config import Incidents
from vsm.frames import plain

# Before and after these nobody kept such records: years like 1, 1970 and 9999 are what programs write for "none".
EARLIEST, LATEST = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")


def set_apart(incidents: pd.DataFrame, rules: Incidents) -> pd.DataFrame:
    """Of each incident: reason (why it does not count; missing if it does) and refused (for its dates, not by configuration)."""
    dates = _broken(incidents)
    chosen = _excluded(incidents, rules)
    refused = dates.notna() & chosen.isna()
    return pd.DataFrame({"reason": chosen.fillna(dates).astype("str"), "refused": refused})


def _broken(incidents: pd.DataFrame) -> pd.Series:
    """What is wrong with the dates of each incident."""
    opened, resolved = incidents["opened_at"], incidents["resolved_at"]
    reason = np.select(
        [opened.isna(), _absurd(opened), _absurd(resolved), resolved < opened],
        [
            "when it was opened is not known",
            "opened in the year " + _year(opened) + ", which is no real date",
            "resolved in the year " + _year(resolved) + ", which is no real date",
            "resolved before it was opened",
        ],
        "",
    )
    return pd.Series(np.where(reason == "", None, reason), index=incidents.index, dtype="str")


def _absurd(times: pd.Series) -> pd.Series:
    return (times < EARLIEST) | (times >= LATEST)


def _year(times: pd.Series) -> pd.Series:
    return times.dt.year.astype("Int64").astype("str")


def _excluded(incidents: pd.DataFrame, rules: Incidents) -> pd.Series:
    """The label or the pattern by which each incident is left out; the first that fits."""
    named = {label.casefold(): label for label in rules.exclude_labels}
    patterns = [(re.compile(pattern, re.IGNORECASE), pattern) for pattern in rules.exclude_titles]
    found = []
    for labels, title in zip(plain(incidents["labels"]), plain(incidents["title"]), strict=True):
        own = [label.strip().casefold() for label in (labels or "").split(";")]
        by_label = next((f"its label {named[label]} is in [incidents] exclude_labels" for label in own if label in named), None)
        by_title = (
            f"its title matches '{told}' of [incidents] exclude_titles" for one, told in patterns if one.search(title or "")
        )
        found.append(by_label or next(by_title, None))
    return pd.Series(found, index=incidents.index, dtype="str")


def noticed(incidents: pd.DataFrame) -> pd.Series:
    """When each incident was first known: detected or opened, whichever came first; a detection of no real date says nothing."""
    detected = incidents["detected_at"].mask(_absurd(incidents["detected_at"]))
    return pd.concat([detected, incidents["opened_at"]], axis=1).min(axis=1)
