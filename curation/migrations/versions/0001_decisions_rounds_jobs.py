"""Decisions, rounds and jobs; round 1 is open from the start."""

import sqlalchemy as sa
from alembic import context, op

from curation.database import ID_TEXT, UtcTime

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_log()
    _create_states()
    _create_rounds()
    _create_jobs()


def _create_log() -> None:
    head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event", NUMBER, nullable=False),
        sa.Column("act", NUMBER, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "event": 0, "act": 0}])
    op.create_table(
        "acts",
        sa.Column("act", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("event", NUMBER, nullable=False),
        sa.Column("target", NUMBER),
        sa.Column("undo_below", NUMBER),
        sa.Column("undo_top", NUMBER),
        sa.Column("redo_top", NUMBER),
        sa.Column("n_changed", sa.Integer, nullable=False),
        sa.Column("n_already", sa.Integer, nullable=False),
        sa.Column("conflicts", sa.JSON, nullable=False),
        sa.Column("client_id", sa.String(128)),
        sa.Column("client_seq", NUMBER),
        sa.UniqueConstraint("client_id", "client_seq", name="uq_acts_client"),
    )
    op.create_index("ix_acts_annotator", "acts", ["annotator", "act"])
    op.create_index("ix_acts_target", "acts", ["target"])
    op.create_index("ix_acts_undo_below", "acts", ["undo_below"])
    op.create_table(
        "events",
        sa.Column("event", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("act", NUMBER, sa.ForeignKey("acts.act"), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("item_id", ID_TEXT, nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("old_label", sa.Text),
        sa.Column("new_label", sa.Text),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("stands", NUMBER),
        sa.Column("previous", NUMBER),
    )
    op.create_index("ix_events_item", "events", ["item_id", "event"])
    op.create_index("ix_events_act", "events", ["act"])


def _create_states() -> None:
    op.create_table(
        "item_states",
        sa.Column("item_id", ID_TEXT, primary_key=True),
        sa.Column("event", NUMBER, nullable=False),
        sa.Column("stands", NUMBER),
        sa.Column("given_label", sa.Text),
        sa.Column("label", sa.Text),
        sa.Column("verdict", sa.String(16)),
        sa.Column("annotator", sa.Text),
        sa.Column("decided_at", UtcTime),
        sa.Column("round", sa.Integer),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "test_locks",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("unlocked", sa.Boolean, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )


def _create_rounds() -> None:
    rounds = op.create_table(
        "rounds",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("opened_at", UtcTime, nullable=False),
        sa.Column("opened_event", NUMBER, nullable=False),
        sa.Column("closed_at", UtcTime),
        sa.Column("closed_event", NUMBER),
        sa.Column("closed_by", sa.Text),
        sa.Column("fingerprint", sa.String(64)),
    )
    op.bulk_insert(rounds, [{"number": 1, "opened_at": context.config.attributes["now"], "opened_event": 0}])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("argv", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("started_at", UtcTime),
        sa.Column("finished_at", UtcTime),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer),
        sa.Column("process_started_at", UtcTime),
        sa.Column("heartbeat_at", UtcTime),
        sa.Column("progress", sa.JSON),
        sa.Column("run_id", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
    )
