"""Observations keep the other columns that their prompts show."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("observations", "evaluation_items"):
        context = sa.Column(
            "context",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'[]'::jsonb"),
            comment="Other columns that the prompt shows, as [name, text] pairs",
        )
        op.add_column(table, context)
        comment = "Digest of question, answer, choices, difficulty and context"
        op.alter_column(table, "sha256", existing_type=sa.Text(), existing_nullable=False, comment=comment)


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
