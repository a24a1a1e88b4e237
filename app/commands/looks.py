"""What verbs that show results on the gold test set do besides: note the look, and say how many there were."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.commands.options import login_name, now

if TYPE_CHECKING:
    from curation.project import Project
    from curation.test_looks import LooksAtTest


def look_at_test(project: "Project", run_ids: Iterable[str], verb: str, annotator: str = "") -> "LooksAtTest":
    """Note that results of these runs on test are shown; returns all looks so far, this one among them."""
    from curation.test_looks import looks_at_test, note_look

    note_look(project, run_ids, place=verb, annotator=annotator or login_name(), now=now())
    return looks_at_test(project)
