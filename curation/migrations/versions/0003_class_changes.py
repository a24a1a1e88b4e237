"""Classes that are added, renamed and merged; a project without such changes has its source's classes."""

import sqlalchemy as sa
from alembic import op

from curation.database import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "class_changes",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("into", sa.Text),
        sa.Column("target", sa.Integer),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
