"""What is to be said of a run's data, kept for its reports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a place for notes; earlier runs have none until they are opened again."""
    op.add_column(
        "runs",
        sa.Column(
            "data_notes",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="What was to be said of its data when it was opened last, e.g. which questions are repeated",
        ),
    )


def downgrade() -> None:
    """Forget notes."""
    op.drop_column("runs", "data_notes")
