"""The training check of a run: issues first, then tips; what passed or could not be looked at is folded."""

import streamlit as st

from app.widgets.page import prose
from curation.project import Project
from curation.training_checks import training_findings
from diagnostics.checks import ISSUE, NOT_APPLICABLE, PASSED, SKIPPED, TIP, TrainingFinding

ICONS = {ISSUE: ":material/error:", TIP: ":material/lightbulb:"}
FOLDED = {
    PASSED: ("passed", ":material/check_circle:"),
    NOT_APPLICABLE: ("not applicable", ":material/block:"),
    SKIPPED: ("skipped", ":material/help:"),
}


def training_check(project: Project, run_id: str) -> None:
    """What the training doctor says of a run."""
    st.subheader("Training check", anchor=False)
    findings = training_findings(project, run_id)
    st.caption(summary_text(findings))
    for finding in findings:
        if finding.outcome in ICONS:
            _told(finding)
    columns = st.columns(len(FOLDED))
    for column, (outcome, (words, icon)) in zip(columns, FOLDED.items(), strict=True):
        found = [finding for finding in findings if finding.outcome == outcome]
        if found:
            with column.expander(f"{len(found)} {words}", icon=icon):
                for finding in found:
                    st.markdown(f"**{finding.title}** ({finding.code}). {prose(finding.seen)}")


def summary_text(findings: list[TrainingFinding]) -> str:
    """In one sentence how the checks came out."""
    n_issues, n_tips = (sum(finding.outcome == outcome for finding in findings) for outcome in ICONS)
    if not n_issues:
        tips = f" {n_tips} tip{'s' * (n_tips != 1)} below." if n_tips else ""
        return f"None of {len(findings)} checks of the curves and the splits found an issue.{tips}"
    noun = "issue" if n_issues == 1 else "issues"
    return f"{n_issues} {noun}: the numbers of this run are worse, or less to be trusted, than they could be."


def _told(finding: TrainingFinding) -> None:
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"{ICONS[finding.outcome]} **{finding.title}** :gray[{finding.code}]")
        st.markdown(f"{prose(finding.seen)} {prose(finding.why)}")
        st.markdown(f"**What to do:** {prose(finding.remedy)}")
