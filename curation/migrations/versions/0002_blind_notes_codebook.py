"""Blind decisions, what a bulk act left out, notes about items and the codebook."""

import sqlalchemy as sa
from alembic import op

from curation.database import ID_TEXT, UtcTime

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("events", sa.Column("blind", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_events_annotator", "events", ["annotator", "kind", "event"])
    op.add_column("acts", sa.Column("n_refused", sa.Integer, nullable=False, server_default="0"))
    op.add_column("acts", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "item_notes",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("item_id", ID_TEXT, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("event", NUMBER, nullable=False),
    )
    op.create_index("ix_item_notes_item", "item_notes", ["item_id", "number"])
    op.create_table(
        "codebook_entries",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("first_label", sa.Text, nullable=False),
        sa.Column("second_label", sa.Text, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("item_id", ID_TEXT),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
    op.create_index(
        "ix_codebook_entries_labels", "codebook_entries", ["first_label", "second_label", "number"]
    )
