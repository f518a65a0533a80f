"""The store's schema, step by step. Alembic runs them; `vsm.store.open_store` decides whether it must."""

from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy.engine import Engine

from vsm.store import writing


def upgrade(engine: Engine, version: str = "head") -> None:
    """Bring the store to the newest schema, or to an older one that is named, all steps in one transaction."""
    with engine.connect() as plain:
        connection = writing(plain)
        with connection.begin():
            if engine.dialect.name == "postgresql":  # SQLite's writers wait for each other anyway
                from vsm import postgres_store

                postgres_store.one_migrates(connection)
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent))
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, version)
