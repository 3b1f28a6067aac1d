"""How the processes that worked on a run rounded, and whether a wave is judged in part."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a place for it; how earlier processes rounded is not known."""
    op.add_column(
        "iterations",
        sa.Column(
            "judging",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Attempts of a wave that have no verdict yet while others of it do: they get one before the next is planned",
        ),
    )
    op.create_table(
        "numerics",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "lease_epoch",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Fencing number under which the process owned the run",
        ),
        sa.Column("engine", sa.Text(), nullable=False, comment="What generated"),
        sa.Column(
            "generation_dtype",
            sa.Text(),
            nullable=False,
            comment="Number format of generation; auto where a server decides",
        ),
        sa.Column("training_dtype", sa.Text(), nullable=False, comment="Number format of training"),
        sa.Column("batch_size", sa.Integer(), nullable=False, comment="Attempts generated at once"),
        sa.Column(
            "piece",
            sa.Integer(),
            nullable=True,
            comment="Attempts that an actor of a cluster took at a time; none on one machine",
        ),
        sa.Column("processor", sa.Text(), nullable=False, comment="GPU or CPU of the flow's machine"),
        sa.Column("threads", sa.Integer(), nullable=False, comment="Threads of torch"),
        sa.Column(
            "versions",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Versions of the libraries that compute, by name",
        ),
        sa.Column(
            "generation_sha256",
            sa.Text(),
            nullable=False,
            comment="Digest of all of it that may change a response; equal ones may share responses",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("numerics_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "lease_epoch", name=op.f("numerics_pkey")),
        comment="How the processes of owners rounded: what decides the last digits of what they computed.",
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_column("iterations", "judging")
    op.drop_table("numerics")
