"""An engine by its URL: DuckDB, PostgreSQL, a Spark cluster, SQLite."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from vsm.errors import UsageError, WorkError

EXPECTED = "expected duckdb://FILE, postgresql://USER@HOST/DATABASE, spark://HOST:PORT/FOLDER or sqlite://FILE"
PARTS, UNTOLD = "spark.sql.shuffle.partitions", "200"  # as Spark has it: 200 files for each of a few thousand rows
SPARK = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.sql.ansi.enabled": "true",
    PARTS: UNTOLD,
}
FOREIGN = ("ibis", "duckdb", "_duckdb", "psycopg", "sqlite3", "pyspark", "py4j", "sqlglot")
Table = Any  # an Ibis table


@dataclass
class Engine:
    """A connection, with what it was asked to keep for the time that it is open; ``folder``: of Spark's Parquet tables."""

    name: str
    place: str
    backend: Any
    folder: str | None = None
    number: Iterator[int] = field(default_factory=count)

    def keep(self, table: Table) -> Table:
        """A table worked out once and held in the engine until the connection is closed."""
        name = f"vsm_kept_{next(self.number)}"
        if self.name == "spark":
            self._spread()
            frame = self.backend.raw_sql(self.backend.compile(table)).persist()
            frame.createOrReplaceTempView(name)
            return self.backend.table(name)
        # Temporary: it goes with the connection. (Ibis' own cache ends with a DROP, which sqlglot 30 writes without a name.)
        return self.backend.create_table(name, table, temp=True)

    def _spread(self) -> None:
        """Let Spark split its work into twice as many parts as it has cores, which it knows once it has worked."""
        session = self.backend._session
        if session.conf.get(PARTS, None) == UNTOLD:
            session.conf.set(PARTS, str(max(2 * session.sparkContext.defaultParallelism, 4)))

    def table(self, name: str) -> Table:
        """A table of the engine, `schema.name` too. Raises UsageError with a sentence where it is not there."""
        try:
            if self.name == "spark" and self.folder:
                return self.backend.read_parquet(f"{self.folder}/{name}")
            schema, _, own = name.rpartition(".")
            return self.backend.table(own, database=schema or None)
        except Exception as error:
            raise UsageError(f"{self.place} has no table {name} to read ({_first_line(error)})") from None

    def has(self, name: str) -> bool:
        """Whether there is a table of this name."""
        try:
            self.table(name)
        except UsageError:
            return False
        return True

    def micros(self, column: Any) -> Any:
        """A column of times as microseconds since 1970; one of whole numbers is taken as it is."""
        import ibis

        if column.type().is_integer():
            return column.cast("int64")
        if self.name == "duckdb":
            return _micros("epoch_us", "int64")(column)
        if self.name == "spark":
            return _micros("unix_micros", "int64")(column.cast("timestamp('UTC')"))
        if self.name == "postgresql":  # to the microsecond exact until the year 2250
            seconds = ibis.udf.scalar.builtin(_seconds, name="date_part", signature=(("string", None), "float64"))
            return (seconds("epoch", column) * 1_000_000).round().cast("int64")
        return (column.epoch_seconds() * 1_000_000).cast("int64")

    def put(self, name: str, table: pa.Table) -> None:
        """Write a table anew."""
        writes = {"duckdb": _put_duckdb, "sqlite": _put_sqlite, "postgresql": _put_postgresql, "spark": _put_spark}
        writes[self.name](self, name, table)

    def close(self) -> None:
        """Let go of what is held, and of the engine."""
        if self.name == "spark":
            self.backend._session.catalog.clearCache()
        self.backend.disconnect()


def _created(engine: Engine, name: str, table: pa.Table) -> None:
    import ibis

    engine.backend.raw_sql(f'DROP TABLE IF EXISTS "{name}"')
    engine.backend.create_table(name, schema=ibis.Schema.from_pyarrow(table.schema))


def _put_duckdb(engine: Engine, name: str, table: pa.Table) -> None:
    _created(engine, name, table)
    engine.backend.con.register("vsm_put", table)
    engine.backend.con.execute(f'INSERT INTO "{name}" SELECT * FROM vsm_put')  # noqa: S608 - our own names
    engine.backend.con.unregister("vsm_put")


def _put_sqlite(engine: Engine, name: str, table: pa.Table) -> None:
    # SQLite has no type for times: they are numbers of microseconds.
    kinds = [field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field for field in table.schema]
    table = table.cast(pa.schema(kinds))
    _created(engine, name, table)
    marks = ", ".join("?" * table.num_columns)
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    engine.backend.con.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)  # noqa: S608 - our own names
    engine.backend.con.commit()


def _put_postgresql(engine: Engine, name: str, table: pa.Table) -> None:
    _created(engine, name, table)
    with engine.backend.con.cursor() as cursor:
        with cursor.copy(f'COPY "{name}" FROM STDIN') as copy:
            for batch in table.to_batches(max_chunksize=50_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row(row)
        cursor.execute(f'ANALYZE "{name}"')
    engine.backend.con.commit()


def _put_spark(engine: Engine, name: str, table: pa.Table) -> None:
    import pyarrow.parquet as parquet

    if engine.folder is None:
        raise UsageError(
            f"{engine.place} names no folder: expected spark://HOST:PORT/FOLDER, whose Parquet files the cluster reads"
        )
    folder = Path(engine.folder) / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.parquet"):
        old.unlink()
    parquet.write_table(table, folder / "part-0.parquet")


def _micros(name: str, kind: str) -> Any:
    import ibis

    def function(at):  # type: ignore[no-untyped-def]
        ...

    return ibis.udf.scalar.builtin(function, name=name, signature=((None,), kind))


def _seconds(field: str, at):  # type: ignore[no-untyped-def]
    ...


@contextmanager
def opened(url: str, settings: Mapping[str, str] | None = None) -> Iterator[Engine]:
    """An engine for the time of a block. Raises UsageError with a sentence where there is none at the URL."""
    engine = connect(url, settings)
    try:
        with answering(engine):
            yield engine
    finally:
        engine.close()


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """What an engine is asked in a block. Raises WorkError with a sentence where it does not answer."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in FOREIGN:
            raise
        raise WorkError(f"{engine.place} does not answer what it was asked ({_first_line(error)})") from None


def connect(url: str, settings: Mapping[str, str] | None = None) -> Engine:
    """The engine at a URL; `settings` are Spark's, or `read_only` for a file of DuckDB.

    Raises UsageError with a sentence where it does not answer.
    """
    kind = url.partition("://")[0]
    if kind not in CONNECTS or "://" not in url:
        raise UsageError(f"--engine {_safe(url)}: no engine of that kind; {EXPECTED}")
    try:
        import ibis
    except ImportError:
        raise UsageError(
            f"--engine {_safe(url)} needs the extra [warehouse]: install it with pip install 'value-stream-dashboard[warehouse]'"
        ) from None
    try:
        backend = CONNECTS[kind](ibis, url, {**SPARK, **(settings or {})})
    except UsageError:
        raise
    except ImportError as error:
        raise UsageError(f"--engine {_safe(url)} needs the package {error.name or error}: install it beside Ibis") from None
    except Exception as error:
        raise UsageError(f"--engine {_safe(url)}: it cannot be opened ({_first_line(error)})") from None
    folder = (
        "/" + url.removeprefix("spark://").partition("/")[2] if kind == "spark" and "/" in url.removeprefix("spark://") else None
    )
    return Engine("postgresql" if kind == "postgres" else kind, _safe(url), backend, folder)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _safe(url: str) -> str:
    """A URL without account and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://…"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _duckdb(ibis: Any, url: str, settings: Mapping[str, str]) -> Any:
    path = url.removeprefix("duckdb://")
    return ibis.duckdb.connect(path or ":memory:", read_only="read_only" in settings)  # then several may read it at once


def _sqlite(ibis: Any, url: str, _settings: Mapping[str, str]) -> Any:
    return ibis.sqlite.connect(url.removeprefix("sqlite://") or None)


def _postgresql(ibis: Any, url: str, _settings: Mapping[str, str]) -> Any:
    return ibis.connect(url.replace("postgresql://", "postgres://", 1))


def _spark(ibis: Any, url: str, settings: Mapping[str, str]) -> Any:
    """A session of a standalone cluster, `spark://HOST:PORT`, or within this process, `spark://local[2]`."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    host = url.removeprefix("spark://").partition("/")[0]
    builder = SparkSession.builder.master(host if host.startswith("local") else f"spark://{host}").appName("value-stream")
    for name, value in settings.items():
        if "." in name:
            builder = builder.config(name, value)
    return ibis.pyspark.connect(builder.getOrCreate())


CONNECTS = {"duckdb": _duckdb, "sqlite": _sqlite, "postgresql": _postgresql, "postgres": _postgresql, "spark": _spark}
