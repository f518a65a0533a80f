"""The door: the only cache, the only engine and the only clock of the dashboard.

Nothing is cached by a frame: Streamlit hashes only a sample of a large one. Keys are the store's
version, the configuration's text and the filters. What comes out is shared between viewers and
must not be changed.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import streamlit as st

from vsm import config as configuration
from vsm import measure as measuring
from vsm import pipeline, store
from vsm.config import Config
from vsm.errors import UsageError
from vsm.findings import findings
from vsm.measure import Measures
from vsm.pipeline import Flow
from vsm.scope import Scope

STORE, CONFIG = "VSM_STORE", "VSM_CONFIG"  # the environment by which `vsm dashboard` hands over its options


@dataclass(frozen=True)
class Choice:
    """What a viewer chose: a stream and a team (None for all), the window's weeks, and whether to compare."""

    stream: str | None
    team: str | None
    weeks: int
    compare: bool


@dataclass(frozen=True)
class Known:
    """What can be chosen, and how fresh it is."""

    streams: tuple[str, ...]
    teams: tuple[str, ...]
    now: pd.Timestamp
    last_read: pd.Timestamp | None
    stale_days: float | None
    zone: str
    people: str


class NothingYet(Exception):
    """There is no store, or nothing in it; the message says what is missing."""


def url() -> str:
    """The store that is shown."""
    return os.environ.get(STORE) or store.DEFAULT_URL


def config() -> Config:
    """The configuration, read anew each time: an edited vsm.toml shows at once. Raises ConfigError."""
    path = os.environ.get(CONFIG)
    return configuration.load(Path(path) if path else None)


def known() -> Known:
    """What there is to choose from. Raises NothingYet, or UsageError for a store or configuration that cannot be used."""
    flow = _flow(*_key())
    runs = harvests()
    last = runs.loc[runs["status"] == "done", "finished_at"].max()
    teams = sorted({team for one in flow.streams for team in one.items["team"].dropna()})
    return Known(
        streams=tuple(one.name for one in flow.streams),
        teams=tuple(teams),
        now=flow.now,
        last_read=None if pd.isna(last) else last,
        stale_days=None if pd.isna(last) else (datetime.now(UTC) - last) / pd.Timedelta(days=1),
        zone=flow.config.timezone,
        people=flow.config.privacy.people,
    )


def measures(choice: Choice) -> Measures:
    """What was measured of a choice, in the window that ends with the newest fact."""
    return _measures(*_key(), choice.stream, choice.team, choice.weeks, before=False)


def measures_before(choice: Choice) -> Measures:
    """The same of the period of the same length before."""
    return _measures(*_key(), choice.stream, choice.team, choice.weeks, before=True)


def said(choice: Choice) -> list[str]:
    """The findings, compared with the period before."""
    return findings(measures(choice), measures_before(choice))


def harvests() -> pd.DataFrame:
    """Every run of a collector, an import or an event, newest first."""
    return store.harvests(_engine(url()))


def _key() -> tuple[str, tuple[int, int], str]:
    """What all that is derived depends on: the store, its version, the configuration."""
    place = url()
    try:
        version = store.version(_engine(place))
    except store.StoreError as error:
        raise NothingYet(str(error)) from None
    if version[0] == 0:
        raise NothingYet("The store holds nothing yet.")
    return place, version, config().model_dump_json()


@st.cache_resource(max_entries=4, show_spinner=False)
def _engine(place: str) -> store.Engine:
    return store.open_store(place, create=False)


@st.cache_resource(max_entries=2, show_spinner="Reading the store …")
def _flow(place: str, version: tuple[int, int], config_key: str) -> Flow:
    flow = pipeline.read(store.facts(_engine(place)), config())
    if flow.now is None:
        raise NothingYet("The store holds no facts yet.")
    return flow


@st.cache_resource(max_entries=64, show_spinner="Measuring …")
def _measures(
    place: str, version: tuple[int, int], config_key: str, stream: str | None, team: str | None, weeks: int, before: bool
) -> Measures:
    flow = _flow(place, version, config_key)
    scope = Scope(flow.now - pd.Timedelta(weeks=weeks), flow.now, stream=stream, team=team)
    try:
        return measuring.measure(flow, scope.before() if before else scope)
    except ValueError as error:
        raise UsageError(str(error)) from None
