"""What the classes of a run are called now: a run knows them by the names that they had when it was started."""

import numpy as np

from curation.class_list import ClassList
from curation.project import Project
from diagnostics.errors import RunError
from diagnostics.run_folder import RunInfo
from diagnostics.task import FloatArray


def names_now(project: Project, run: RunInfo, classes: ClassList) -> tuple[str, ...]:
    """The name in `classes` of each class of a run, in the run's order; merged ones have the same name.

    A run from before there were changes of the classes does not say which change it knows; that means none.
    raises : RunError if the run knows a class that the project does not have
    """
    then = project.class_log.at(int(run.dataset_version.get("class_change", 0)))
    keys = [then.key_of(name) for name in run.classes]
    strange = [name for name, key in zip(run.classes, keys, strict=True) if key not in classes.shown]
    if strange:
        raise RunError(
            f"{run.run_id} knows classes that {project.info.name} does not have: {', '.join(strange)}. "
            "Train again, or restore the project's database and the runs from the same backup."
        )
    return tuple(classes.shown[str(key)] for key in keys)


def becomes(project: Project, run: RunInfo, classes: ClassList) -> FloatArray:
    """(n_classes of the run, n_classes), 1 where a class of the run has become the other: what `LabelKind.join` takes.

    raises : as `names_now`
    """
    names = np.array(names_now(project, run, classes), dtype=object)
    matrix: FloatArray = (names[:, None] == np.array(classes.names, dtype=object)).astype(np.float32)
    return matrix
