"""What a collector is: something that turns a source's answers into pages of facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from vsm.models import Fact  # half a second that a reading in a process of its own does without


class CollectorError(Exception):
    """A source could not be read; the message says what, where, and what to do about it."""


@dataclass(frozen=True)
class Page:
    """What is saved together, in one transaction: facts, the raw answers they came from, and how far we are.

    ``facts``: rows by table. ``fill``: rows that may only fill what is missing in a row that is
    already there, because the source knows less about the thing than its own server does.
    ``gone``: keys, by table, of facts that the source has taken back. ``raw``: (resource,
    external id, answer). ``cursors``: new state by resource. ``done`` of ``total`` are for the
    progress bar; a total of None is not known. ``warnings`` are sentences about what could not be
    taken as it was.
    """

    facts: Mapping["type[Fact]", Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    fill: Mapping["type[Fact]", Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    gone: Mapping["type[Fact]", Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    raw: Sequence[tuple[str, str, Any]] = ()
    cursors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    requests: int = 0
    done: int = 0
    total: int | None = None
    doing: str = ""
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Context:
    """What a source may need to know beside its own keys.

    The folder of the configuration, its word for production, the instant before which nothing is
    asked for, and whether somebody watches a progress bar (so that a total is worth a request).
    """

    folder: Path
    production: str = "production"
    since: datetime | None = None
    watched: bool = False


class Collector(Protocol):
    """One configured source. A kind of source is a class with this shape, found by entry point ``vsm.collectors``."""

    kind: ClassVar[str]
    name: str

    @classmethod
    def configured(cls, keys: Mapping[str, Any], context: Context) -> Self:
        """A collector from one ``[[sources]]`` table: ``name``, and the keys of its own.

        Raises vsm.config.ConfigError for a key that is wrong or missing.
        """

    def scope(self) -> str:
        """What this source speaks of, in words, for the report: "all refs of ../service". Raises CollectorError."""

    def pages(self, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> Iterator[Page]:
        """The news since the cursors (all of it if `full`), page by page. Raises CollectorError."""


@runtime_checkable
class ReadsAhead(Protocol):
    """A collector that can begin its first harvest before the store is open, beside the program's own start."""

    def ahead(self) -> None:
        """Begin to read from the beginning; `pages` goes on from there if no cursor says otherwise."""
