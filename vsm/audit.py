"""Who did what, and when: edits, exports, sign-ins, starts of harvests, tokens. It can be added to and read, nothing else.

Who is written down is an account, and nobody is counted or put in an order by what is here.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vsm.models import AuditEntry
from vsm.store import Engine, table_of, transaction

if TYPE_CHECKING:
    import pandas as pd

HERE = "this machine"  # who, where nobody signs in
COLUMNS = ("at", "who", "what", "about")
LONGEST = 500  # characters of what it was about


def add(engine: Engine, who: str, what: str, about: str | None, *, now: datetime) -> None:
    """Write down what somebody did."""
    told = None if about is None else " ".join(about.split())[:LONGEST] or None
    with transaction(engine) as connection:
        connection.execute(table_of(AuditEntry).insert().values(at=now, who=who[:LONGEST], what=what, about=told))


def done_since(engine: Engine, who: str, what: str, since: datetime) -> bool:
    """Whether somebody's doing something is written down since an instant."""
    table = table_of(AuditEntry)
    asked = sa.select(sa.exists().where(table.c.who == who[:LONGEST], table.c.what == what, table.c.at >= since))
    with engine.connect() as connection:
        return bool(connection.scalar(asked))


def entries(engine: Engine, since: datetime | None = None, most: int | None = None) -> "pd.DataFrame":
    """at, who, what, about (missing: nothing to add), newest first: from an instant on, at most so many."""
    import pandas as pd

    table = table_of(AuditEntry)
    asked: Any = sa.select(*(table.c[name] for name in COLUMNS)).order_by(table.c.id.desc())
    if since is not None:
        asked = asked.where(table.c.at >= since)
    if most is not None:
        asked = asked.limit(most)
    with engine.connect() as connection:
        frame = pd.DataFrame(connection.execute(asked).all(), columns=list(COLUMNS))
    times = pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]")
    return frame.assign(at=times).astype(dict.fromkeys(COLUMNS[1:], "str"))
