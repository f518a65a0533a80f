"""The store's door: open and migrate, save and read. All of it is in the rooms beside (`vsm/store_*.py`).

Beside them SQL is in their neighbours alone. Others take all names from here, SQLAlchemy's too.
"""

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from vsm.errors import StoreError
from vsm.models import TABLES
from vsm.sqlite_store import VERSION
from vsm.store_open import (
    DEFAULT_URL,
    KNOWN,
    alone,
    engine_at,
    file_of,
    migrate,
    newest,
    open_store,
    opened,
    postgres,
    retried,
    shown,
    transaction,
    writing,
)  # fmt: skip
from vsm.store_read import Facts, facts, few, typed
from vsm.store_runs import (
    BESIDE,
    about,
    begin_harvest,
    changed_beside,
    filled_at,
    finish_harvest,
    harvests,
    is_harvested,
    load_cursors,
    rows,
    runs_version,
    save_cursor,
    version,
)  # fmt: skip
from vsm.store_save import (
    complete,
    delete,
    erased,
    forget,
    forgotten,
    lose_raw,
    raw_of,
    raw_records,
    save,
    save_raw,
    save_valid,
    upserted,
)  # fmt: skip
from vsm.store_table import table_of

__all__ = [
    "BESIDE",
    "DEFAULT_URL",
    "KNOWN",
    "TABLES",
    "VERSION",
    "Connection",
    "DBAPIError",
    "Engine",
    "Facts",
    "StoreError",
    "about",
    "alone",
    "begin_harvest",
    "changed_beside",
    "complete",
    "delete",
    "engine_at",
    "erased",
    "facts",
    "few",
    "file_of",
    "filled_at",
    "finish_harvest",
    "forget",
    "forgotten",
    "harvests",
    "is_harvested",
    "load_cursors",
    "lose_raw",
    "migrate",
    "newest",
    "open_store",
    "opened",
    "postgres",
    "raw_of",
    "raw_records",
    "retried",
    "rows",
    "runs_version",
    "save",
    "save_cursor",
    "save_raw",
    "save_valid",
    "shown",
    "table_of",
    "transaction",
    "typed",
    "upserted",
    "version",
    "writing",
]

if __name__ == "__main__":
    print(newest(), end="")
