"""Who looked at results on the gold test set, and how often: choosing by it makes it a second validation set.

A look is noted by whatever shows such results to a person, with every run that it shows. The same person, run and place
within an hour count once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from curation.database import reading, test_looks, writing
from curation.project import Project
from diagnostics.errors import ProjectError

ONE_LOOK = timedelta(hours=1)
MAX_PLACE = 32


@dataclass(frozen=True, slots=True)
class LooksAtTest:
    """How often results on the test set were looked at: n times, by these people, of these runs.

    A look at several runs together is one. last : None before the first
    """

    n: int
    people: tuple[str, ...]
    run_ids: tuple[str, ...]
    last: datetime | None

    def __str__(self) -> str:
        """What to say beside results on the test set.

        >>> str(LooksAtTest(0, (), (), None))
        'Nobody has looked at the test set yet.'
        >>> at = datetime.fromisoformat("2026-11-21T10:00:00+00:00")
        >>> str(LooksAtTest(14, ("ada", "bob"), ("run-0001",), at))
        'Test was looked at 14 times, by 2 people, last on 2026-11-21; choosing by it makes it a second validation set.'
        """
        if self.last is None:
            return "Nobody has looked at the test set yet."
        times = "once" if self.n == 1 else f"{self.n:,} times"
        people = "1 person" if len(self.people) == 1 else f"{len(self.people)} people"
        return (
            f"Test was looked at {times}, by {people}, last on {self.last:%Y-%m-%d}; "
            "choosing by it makes it a second validation set."
        )


def note_look(project: Project, run_ids: Iterable[str], *, place: str, annotator: str, now: datetime) -> int:
    """Note that a person is shown results of these runs on the test set; returns how many of the runs are new to the
    count.

    place : the page or the verb, at most 32 characters
    raises : ProjectError without a name or a place
    """
    name, where = annotator.strip(), place.strip()
    if not name or not 0 < len(where) <= MAX_PLACE:
        raise ProjectError(
            f"A look at the test set is noted with who looked and where; found {annotator!r} at {place!r}."
        )
    with writing(project.engine) as connection:
        recent = sa.select(test_looks.c.run_id).where(
            test_looks.c.annotator == name, test_looks.c.place == where, test_looks.c.at > now - ONE_LOOK
        )
        known = set(connection.execute(recent).scalars())
        new = [run_id for run_id in dict.fromkeys(run_ids) if run_id not in known]
        rows = [{"run_id": run_id, "place": where, "annotator": name, "at": now} for run_id in new]
        if rows:
            connection.execute(test_looks.insert(), rows)
    return len(new)


def looks_at_test(project: Project) -> LooksAtTest:
    """All looks so far; people and runs in the order in which they first appear."""
    columns = (test_looks.c.annotator, test_looks.c.place, test_looks.c.at, test_looks.c.run_id)
    with reading(project.engine) as connection:
        rows = connection.execute(sa.select(*columns).order_by(test_looks.c.number)).all()
    return LooksAtTest(
        n=len({(row.annotator, row.place, row.at) for row in rows}),
        people=tuple(dict.fromkeys(row.annotator for row in rows)),
        run_ids=tuple(dict.fromkeys(row.run_id for row in rows)),
        last=max((row.at for row in rows), default=None),
    )
