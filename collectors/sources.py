"""Which collectors the configuration asks for, found by entry point: a new kind of source needs no change here."""

from collections.abc import Sequence
from importlib.metadata import entry_points

from collectors.base import Collector, Context
from vsm.config import Config, ConfigError, Source
from vsm.errors import UsageError

GROUP = "vsm.collectors"


def collectors(config: Config, asked: Sequence[str], context: Context) -> list[Collector]:
    """The collectors of the sources that are asked for by kind or name; of all where none is asked for.

    Raises UsageError for a name that no source has, ConfigError for a source of no known kind.
    """
    unknown = [name for name in asked if all(name not in (source.name, source.kind) for source in config.sources)]
    if unknown:
        told = ", ".join(_told(source) for source in config.sources)
        raise UsageError(f"no such source: {', '.join(unknown)}; configured are {told}")
    wanted = [source for source in config.sources if not asked or {source.name, source.kind} & set(asked)]
    return [_collector(source, context) for source in wanted]


def _told(source: Source) -> str:
    return source.name if source.name == source.kind else f"{source.name} ({source.kind})"


def _collector(source: Source, context: Context) -> Collector:
    kinds = {point.name: point for point in entry_points(group=GROUP)}
    if source.kind not in kinds:
        raise ConfigError(f"source {source.name}: no such kind: {source.kind}; there are {', '.join(sorted(kinds))}")
    kind: type[Collector] = kinds[source.kind].load()
    return kind.configured({"name": source.name, **source.keys}, context)
