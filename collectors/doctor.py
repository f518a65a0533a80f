"""How each configured source is, asked of the source itself, and what it proposes."""

from collections.abc import Iterator, Sequence

from collectors.base import Check, Collector, CollectorError, Examines
from collectors.commands import context_of
from collectors.credentials import hidden
from collectors.sources import collectors
from vsm.config import Config
from vsm.errors import UsageError


def checks(config: Config, store: str) -> Iterator[Check]:
    """Credentials, rights and clock of each source, one down not keeping the others from being asked."""
    for name, collector in _ready(config, store):
        if isinstance(collector, Check):
            yield collector
            continue
        try:
            if isinstance(collector, Examines):
                yield from (Check(f"{name}: {one.what}", one.well, hidden(one.said), one.remedy) for one in collector.checks())
            else:
                yield Check(name, True, collector.scope())
        except (CollectorError, UsageError) as error:
            yield Check(name, False, hidden(str(error)))


def proposals(config: Config, store: str, before: Sequence[str] = ()) -> Iterator[str]:
    """What the sources themselves suggest; nothing of one that does not answer, which the checks have said."""
    for _, collector in _ready(config, store):
        if isinstance(collector, Examines):
            try:
                yield from collector.proposal().splitlines()
            except (CollectorError, UsageError):
                continue


def _ready(config: Config, store: str) -> Iterator[tuple[str, Collector | Check]]:
    """Each source's collector, or the check that says why there is none."""
    if not config.sources:
        return
    context = context_of(config, store)
    for source in config.sources:
        try:
            yield source.name, collectors(config.model_copy(update={"sources": (source,)}), (), context)[0]
        except UsageError as error:
            yield source.name, Check(source.name, False, str(error))
