"""The store's schema, step by step. Alembic runs them; `vsm.store.open_store` decides whether it must."""

from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy.engine import Engine


def upgrade(engine: Engine, version: str = "head") -> None:
    """Bring the store to the newest schema, or to an older one that is named, all steps in one transaction."""
    with engine.connect() as plain:
        connection = plain.execution_options(writes=True)
        with connection.begin():
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent))
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, version)
