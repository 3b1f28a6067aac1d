"""What went wrong during generation and was mended."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a place for incidents."""
    op.create_table(
        "incidents",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Iteration of the checkpoint that generated; 0 = the base model",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="out of memory, engine rebuilt, ...",
        ),
        sa.Column("times", sa.Integer(), nullable=False, comment="How often it happened"),
        sa.Column("detail", sa.Text(), nullable=False, comment="What happened the last time"),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When that was",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("incidents_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", "kind", name=op.f("incidents_pkey")),
        comment="What went wrong during generation and was mended.",
    )


def downgrade() -> None:
    """Forget incidents."""
    op.drop_table("incidents")
