"""Which processes worked on a run, and with which code."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a place for owners; what earlier ones were is not known."""
    op.create_table(
        "owners",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "lease_epoch",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Fencing number under which it owned the run",
        ),
        sa.Column("owner", sa.Text(), nullable=False, comment="Process id and host"),
        sa.Column("code_version", sa.Text(), nullable=False, comment="Version of its code"),
        sa.Column(
            "taken_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it took the run over",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("owners_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "lease_epoch", name=op.f("owners_pkey")),
        comment="Processes that took a run over, one after the other. What was stored between two of them is the first one's.",
    )


def downgrade() -> None:
    """Forget owners."""
    op.drop_table("owners")
