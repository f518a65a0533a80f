"""Everything that is derived from the store, or counted in the engine that is asked instead of one."""

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd

from dashboard import counted
from dashboard.behind import look
from dashboard.behind.choices import Key, Known, NothingYet
from dashboard.shared import shared
from vsm import pipeline, store
from vsm.config import Config, Level
from vsm.deployed import applications
from vsm.errors import UsageError
from vsm.explain import rows_shown
from vsm.of_streams import only
from vsm.pipeline import Flow


def known() -> Known:
    """What there is to choose from. Raises NothingYet, or UsageError for a store or configuration that cannot be used."""
    key, configured = look.key()
    known, last = _choosable(key, configured), look.runs()[1]
    return known if last is None else replace(known, last_read=last, days_old=(datetime.now(UTC) - last).days)


def known_already() -> bool:
    """Whether `known` answers at once."""
    try:
        return _choosable.ready(*look.key())
    except (NothingYet, UsageError):
        return True


def told() -> Flow:
    """Everything that is derived from the store. Raises as `known` does."""
    key, configured = look.key()
    return allowed_flow(key, configured, None, None)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with people as the configuration lets them be shown."""
    flow = told()
    return rows_shown(rows, flow.people, flow.config.privacy.people)


def allowed_flow(key: Key, configured: Config, level: Level | None, now: pd.Timestamp | None) -> Flow:
    """Everything that is derived, of the streams that may be seen."""
    return _flow((*key[:4], None), configured, level, now) if key[4] is None else _part(key, configured, level, now)


@shared(1, says="Reading the facts from the store …")
def _facts(place: str, file: int, version: tuple[int, int]) -> store.Facts:
    return store.facts(look.engine_of(place, file))


@shared(6)
def _part(key: Key, _configured: Config, level: Level | None, now: pd.Timestamp | None) -> Flow:
    return only(_flow((*key[:4], None), _configured, level, now), frozenset(key[4] or ()))


@shared(3, says="Linking tickets, changes and deployments, and following each item …")
def _flow(key: Key, _configured: Config, level: Level | None, now: pd.Timestamp | None) -> Flow:
    if key[4] is not None:  # everything, under the key of who may see a part of it
        raise RuntimeError("what may be seen by some is asked of allowed_flow")
    if counted.url() is not None:
        counted.refused(level)
        return held_engine(key, _configured, now).flow
    engine = look.engine_of(*key[:2])
    try:
        facts, harvested = _facts(*key[:3]), store.filled_at(store.harvests(engine))
    except store.DBAPIError as error:
        raise look.unread(key[0], error) from None
    flow = pipeline.read(facts, _configured, now, harvested, level)
    if flow.now is None:
        raise NothingYet("The store holds no facts yet.")
    return flow


@shared(2, says="Following each item in the engine …")
def held_engine(key: Key, _configured: Config, now: pd.Timestamp | None) -> counted.Held:
    """The engine that is asked instead of a store."""
    return counted.held(key[0], _configured, now)


@shared(3, says="1 of 2: reading the facts, linking them and following each item …")
def _choosable(key: Key, _configured: Config) -> Known:
    """What does not change by itself of what there is to choose from; when it was read is not in it."""
    flow = allowed_flow(key, _configured, None, None)
    if counted.url() is not None:
        held = held_engine(key, _configured, None)
        streams = tuple(one.name for one in held.warehouse.streams)
        teams, applications_ = held.names("team"), held.names("application")
        return Known(
            streams, teams, held.rows(), held.warehouse.now, None, None, flow.config.timezone, applications_, engine=counted.said()
        )
    return Known(
        streams=tuple(one.name for one in flow.streams),
        teams=tuple(sorted({team for one in flow.streams for team in one.items["team"].dropna().unique()})),
        facts=sum(flow.facts.counts().values()),
        now=flow.now,
        last_read=None,
        days_old=None,
        zone=flow.config.timezone,
        applications=tuple(sorted(applications(flow.facts))),
        has_parts=bool(flow.facts.tickets["parent"].notna().any()),
    )
