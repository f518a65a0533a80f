"""What Alembic runs: the steps on the connection that it is given, compared with the models."""

import sqlmodel
from alembic import context

from vsm import models  # noqa: F401  # fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=sqlmodel.SQLModel.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
