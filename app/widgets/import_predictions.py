"""Predictions of another model instead of a training here: how to bring them, and a small table of them by upload."""

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from app import context
from app.widgets.train_options import option_field
from curation.imported_predictions import ImportSpec, import_predictions, row_text
from curation.project import Project
from diagnostics.progress import Progress
from diagnostics.training.config import TrainConfig, options_for

KEY = "imported"
FILE, OUT_OF_FOLD, MODEL, DONE = (f"{KEY}_{name}" for name in ("file", "out_of_fold", "model", "done"))
THRESHOLDS = "thresholds"  # an option of training that predictions have, too
TABLE_KINDS = ["csv", "parquet"]


def import_section(project: Project) -> None:
    """Folded: what other models need to bring, as a command and as a form for tables."""
    with st.expander("Predictions of another model", icon=":material/upload_file:"):
        st.markdown(
            "A model of any other framework can take the place of a training here: queues, performance, comparison "
            "and advice work with its predictions. Export the dataset on the Export page, train elsewhere, predict "
            "every row of the export, and bring the probabilities back."
        )
        st.code(command_text(project), language="sh", wrap_lines=True)
        st.caption(
            f"Row i of the array is row i of the export: {row_text(project)}. Leave out --out-of-fold if one model "
            "was trained on all training items. Loss curves, experiments with whole models and what training itself "
            "tells of a label need a training here."
        )
        _upload(project)


def command_text(project: Project) -> str:
    """The command that imports an array whose rows are those of an export, with the classes as they are now; in a file,
    one on each line, if a name has a comma."""
    names = project.classes.names
    classes = "classes.txt" if any("," in name for name in names) else ",".join(names)
    words = ["winnow", "predict", str(project.folder), "--import", "probs.npy", "--classes", classes]
    return shlex.join([*words, "--ids", "curated.csv", "--out-of-fold"])


def _upload(project: Project) -> None:
    st.file_uploader(
        "Or upload a table: one column a class with the class as its name, and a column id or path",
        type=TABLE_KINDS,
        key=FILE,
    )
    st.text_input("Name of the model", key=MODEL, max_chars=context.MAX_NAME)
    options = options_for(project.info.modality, project.info.label_kind)
    if THRESHOLDS in options:
        option_field(THRESHOLDS, options[THRESHOLDS], key=f"{KEY}_{THRESHOLDS}")
    st.checkbox(
        "Training items were predicted out of fold, by models that were not trained on them",
        key=OUT_OF_FOLD,
        help="Leave it off if one model was trained on all of them: its predictions are then marked in sample "
        "wherever they are shown, because memorised errors look right.",
    )
    st.button(
        "Import",
        key=f"{KEY}_start",
        icon=":material/download:",
        disabled=st.session_state.get(FILE) is None,
        on_click=_import,
        args=(project,),
    )
    if done := st.session_state.pop(DONE, ""):
        st.success(done, icon=":material/check:")


@context.telling
def _import(project: Project) -> None:
    uploaded = st.session_state[FILE]
    bar = st.progress(0.0, "Reading the table")

    def show(progress: Progress) -> None:
        bar.progress(
            progress.done / max(1, progress.total), f"{progress.stage.capitalize()} {progress.detail}"
        )

    with TemporaryDirectory(dir=project.cache_dir, prefix=".upload.") as folder:
        path = Path(folder) / Path(uploaded.name).name
        path.write_bytes(uploaded.getbuffer())
        spec = ImportSpec(
            probs=path,
            out_of_fold=bool(st.session_state.get(OUT_OF_FOLD)),
            name=str(st.session_state.get(MODEL) or ""),
            thresholds=str(st.session_state.get(f"{KEY}_{THRESHOLDS}") or TrainConfig().thresholds),
        )
        run_id = import_predictions(project, spec, now=context.now(), on_progress=show)
    bar.empty()
    st.session_state[DONE] = f"{run_id} is there; it is the newest run now."
