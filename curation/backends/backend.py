"""What the kinds of databases do each in their own way, and where a project's tables are."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.engine import URL, Engine

BUSY_TIMEOUT_MS = 10_000
WRITES = "winnow_writes"
LOCKED_REMEDY = (
    f"Another process has held it for over {BUSY_TIMEOUT_MS // 1000} s; try again, or end that process."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project's tables are.

    url : without a password
    schema : the one that holds this project's tables alone, where a database has several; else ""
    """

    url: URL
    schema: str = ""

    def to_json(self) -> dict[str, str]:
        """As project.json has it."""
        return {"url": self.url.render_as_string(), "schema": self.schema}


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of database.

    open_engine(place) : its transactions see one moment; one that begins with the execution option WRITES has no other
        writer of this project beside it until it ends
    make_room(place, owner) : before the tables of a new project are made; raises if something is there
    check_owner(engine, place, owner) : raises ProjectError if the place is not, or no longer, that of this project
    clear(place) : take away all that is at the place
    named(url) : what to call it in an error
    remedy_for(error) : what to do about an error of the driver, None if it is not one that a person can put right
    """

    name: str
    open_engine: Callable[[Place], Engine]
    make_room: Callable[[Place, str], None]
    check_owner: Callable[[Engine, Place, str], None]
    clear: Callable[[Place], None]
    named: Callable[[URL], str]
    remedy_for: Callable[[BaseException], str | None]
