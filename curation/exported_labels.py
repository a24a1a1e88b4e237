"""Labels of an export in the form in which the source wrote them."""

import pandas as pd

from curation.class_list import ClassList
from curation.label_kinds.kind import LabelForm
from curation.spreadsheet import exported_name
from diagnostics.multilabel.label_sets import SEPARATOR, parse_label_sets


def written(labels: pd.Series, form: LabelForm) -> pd.Series:
    """Label texts with the mark of the form between labels; what is missing stays so."""
    if form.separator in ("", SEPARATOR):
        return labels
    return labels.str.replace(SEPARATOR, form.separator, regex=False)


def read_back(label: str, form: LabelForm, classes: ClassList) -> str:
    """A label as it is known here, from how a person or an export wrote it: with the source's mark or SEPARATOR between
    its labels, in any order; as it was if it cannot be told."""
    for mark in (form.separator, SEPARATOR):
        names = SEPARATOR.join(name.strip() for name in label.split(mark)) if mark else label
        if (known := classes.current(names)) is not None:
            return known
    return label


def exported_form(form: LabelForm, classes: ClassList) -> LabelForm:
    """How an export writes labels: as its source, with the classes of now where each has a column; with SEPARATOR if a
    class has got a name that has the source's mark in it."""
    if form.columns:
        return LabelForm(columns=classes.names)
    if any(form.separator and form.separator in name for name in classes.names):
        return LabelForm(separator=SEPARATOR)
    return form


def label_columns(labels: pd.Series, classes: ClassList, form: LabelForm) -> pd.DataFrame:
    """A column a class with "1" and "0", "" where nobody labelled, if the source has such; else no column."""
    if not form.columns:
        return pd.DataFrame(index=labels.index)
    return (
        parse_label_sets(labels, classes.names)
        .columns()
        .rename(columns=exported_name)
        .set_index(labels.index)
    )
