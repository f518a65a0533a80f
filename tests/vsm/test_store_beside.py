"""What is written into a store is seen by others, whoever has read it in between and however."""

import subprocess
import sys
from datetime import UTC, datetime

from vsm import journal, store

LOOK = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(len(c.execute('SELECT * FROM hand_steps').fetchall())); c.close()"
)


def seen_by_another_program(path) -> int:
    """How many steps another program finds; it is the last to close the store, as far as it can tell."""
    return int(subprocess.run([sys.executable, "-c", LOOK, path], capture_output=True, text=True, check=True).stdout)


def test_what_is_written_after_another_program_has_looked_is_not_lost(tmp_path):
    """Two copies of SQLite in one process share its POSIX locks: the one that closes a file drops those of the other."""
    path = tmp_path / "vsm.db"
    with store.opened(f"sqlite:///{path}") as engine:
        journal.notes(engine)
        store.facts(engine)
        assert seen_by_another_program(path) == 0

        journal.add_hand_step(
            engine, "checkout", "Board", None, 1.0, 1.0, None, by="workshop", now=datetime(2026, 11, 3, tzinfo=UTC)
        )
        assert seen_by_another_program(path) == 1
