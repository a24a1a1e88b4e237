"""The blind check: a random share of the queue comes without labels and predictions; what decisions on it show."""

import streamlit as st

from app import context
from app.widgets.one_class import MIXED
from app.widgets.page import EM_DASH, GAP, escape
from curation.blind import Agreement, BlindReport, blind_report
from curation.project import Project
from curation.queues import QueueQuery
from diagnostics.metrics import Estimate

SHARES = {"0": "No items", "0.1": "1 in 10", "0.2": "1 in 5", "0.5": "1 in 2", "1.0": "Every item"}
KEY = "review_blind"
TELL_THE_LABEL = ("given", "predicted", "given_with", "predicted_with", "suspect", "suspect_label", "pair")


def blind_check(project: Project, query: QueueQuery) -> None:
    """Draw the choice of the share, kept in the address, and the report on the person who decides here."""
    share = str(query.blind) if query.blind else "0"
    st.session_state[KEY] = share
    st.selectbox(
        "Show blind",
        list(SHARES) if share in SHARES else [*SHARES, share],
        key=KEY,
        format_func=lambda value: SHARES.get(value, value),
        on_change=_write,
        help="Of a random share, given label and prediction are hidden until you have decided. What you say then "
        "shows how often you are right unaided, and how much the shown labels sway you. All classes are mixed then: a "
        "filter by class would tell the label.",
    )
    report = blind_report(project, query.run_id, context.annotator())
    if report.n_blind:
        st.markdown("\n".join(_lines(report)))


def _lines(report: BlindReport) -> list[str]:
    name = escape(report.annotator)
    lines = [f"Decisions of **{name}**: {report.n_blind:,} blind, {report.n_shown:,} with labels shown", ""]
    lines += _agreement("the given label", report.with_given)
    lines += _agreement("the model", report.with_prediction)
    if report.n_others:
        lines.append(f"- blind, agrees with other people: {_share(report.others)} of {report.n_others:,}")
    if report.n_gold:
        lines.append(f"- blind, right on gold test items: {_share(report.gold)} of {report.n_gold:,}")
    return lines


def _agreement(what: str, agreement: Agreement) -> list[str]:
    if not agreement.n_blind:
        return []
    sway = agreement.difference
    lines = [
        f"- agrees with {what}: blind {_share(agreement.blind)}, shown {_share(agreement.shown)}",
    ]
    if agreement.n_shown:
        lines.append(
            f"  - swayed by seeing it: {100 * sway.value:+.0f} points "
            f"({100 * sway.low:+.0f} to {100 * sway.high:+.0f})"
        )
    return lines


def _share(share: Estimate) -> str:
    """A share with its 95 % interval, in percent."""
    if share.value != share.value:
        return EM_DASH
    return f"{100 * share.value:.0f}{GAP}% ({100 * share.low:.0f} – {100 * share.high:.0f})"


def _write() -> None:
    share = str(st.session_state[KEY])
    for name in ("blind", "page"):
        st.query_params.pop(name, None)
    if share == "0":
        return
    for name in TELL_THE_LABEL:
        st.query_params.pop(name, None)
    st.query_params.update({"blind": share, MIXED: "1"})
