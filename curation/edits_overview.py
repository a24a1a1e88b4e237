"""What is known of the edits so far: how many of each group, and what they bought, where that was asked."""

from dataclasses import dataclass

from curation.edit_groups import find_edits
from curation.experiments import Experiment, experiment_cost, list_experiments
from curation.project import Project
from curation.rounds import dataset_version
from diagnostics.errors import WinnowError
from diagnostics.experiments.edits import GROUPS, Edits, counted
from diagnostics.experiments.frame import Cost

EDITS = "edits"


@dataclass(frozen=True)
class EditsOverview:
    """The edits of train items from the source to the newest dataset version.

    experiment : the newest that says what each group bought, None if none was made
    is_current : it was made on the newest dataset version
    cost, confirm_cost : of asking by heads alone, and with whole models for the largest group; None if that is not
        possible now, which `problem` says why
    """

    edits: Edits
    experiment: Experiment | None
    is_current: bool
    cost: Cost | None
    confirm_cost: Cost | None
    problem: str

    @property
    def text(self) -> str:
        """The edits in a sentence."""
        counts = self.edits.counts()
        said = ", ".join(counted(name, counts[name]) for name in GROUPS)
        moved = f" {self.edits.validation_text}" if self.edits.n_validation else ""
        return f"Edits of train items since {self.edits.since}: {said}.{moved}"


def edits_overview(project: Project) -> EditsOverview:
    """Count the edits and find what was last said of them."""
    version = dataset_version(project)
    edits = find_edits(project, version)
    made = [found for found in list_experiments(project) if found.info.name == EDITS]
    newest = made[0] if made else None
    is_current = newest is not None and newest.info.dataset_version == version.to_json()
    cost = confirm_cost = None
    problem = ""
    if not edits.table.empty:
        try:
            cost = experiment_cost(project, EDITS, {})
            confirm_cost = experiment_cost(project, EDITS, {"full": True})
        except WinnowError as error:
            problem = str(error)
    return EditsOverview(edits, newest, is_current, cost, confirm_cost, problem)
