"""Caps on what is trained on of a class, and who looked at results on the gold test set; both empty at first."""

import sqlalchemy as sa
from alembic import op

from curation.database import UtcTime

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "class_caps",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("keep", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
    op.create_table(
        "test_looks",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("place", sa.String(32), nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
