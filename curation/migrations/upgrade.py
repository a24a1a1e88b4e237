"""Bring a database to the newest step; apart from `curation.database` so that opening one rarely imports alembic."""

from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import Connection

from diagnostics.errors import ProjectError


def config() -> Config:
    """Alembic's configuration, pointing at the steps beside this file."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return found


def upgrade(connection: Connection, now: datetime) -> None:
    """Run the steps that are missing, inside the transaction of `connection`.

    raises : ProjectError if a newer Winnow made the database
    """
    settings = config()
    settings.attributes["connection"] = connection
    settings.attributes["now"] = now
    try:
        command.upgrade(settings, "head")
    except CommandError as error:
        raise ProjectError(
            f"The project's database was made by a newer Winnow ({error}). Install that version or a later one."
        ) from error
