"""What a project cannot do because of what its labels are: one sentence each, for pages and commands alike."""

from curation.label_kinds.kind import (
    ADVICE,
    FEATURES,
)
from curation.project import Project
from diagnostics.errors import ProjectError

__all__ = [
    "ADVICE",
    "FEATURES",
    "refuse_unavailable",
    "why_not",
]


def why_not(project: Project, feature: str) -> str:
    """Why a project does not have one of FEATURES, in a sentence; "" if it has it."""
    return project.label_kind.not_available.get(feature, "")


def refuse_unavailable(project: Project, feature: str) -> None:
    """Raise ProjectError with that sentence if a project does not have one of FEATURES."""
    if why := why_not(project, feature):
        raise ProjectError(why)
