"""The validation and test items of a run, pinned when it starts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a place for items; a run that is there already pins those that its base model was evaluated on."""
    op.create_table(
        "evaluation_items",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("split", sa.Text(), nullable=False, comment="validation or test"),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Zero-based place of the item in the split",
        ),
        sa.Column(
            "observation_id", sa.Text(collation="C"), nullable=False, comment="The id that the data gives it"
        ),
        sa.Column("question", sa.Text(), nullable=False, comment="The question x"),
        sa.Column("answer", sa.Text(), nullable=False, comment="The reference answer y"),
        sa.Column(
            "choices",
            postgresql.JSONB(),
            nullable=False,
            comment="Options of a multiple-choice question, as [label, text] pairs",
        ),
        sa.Column("difficulty", sa.Text(), nullable=True, comment="Tag to break accuracy down by"),
        sa.Column(
            "sha256", sa.Text(), nullable=False, comment="Digest of question, answer, choices and difficulty"
        ),
        sa.CheckConstraint(
            "split IN ('train', 'validation', 'test')", name=op.f("evaluation_items_split_check")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("evaluation_items_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "split", "position", name=op.f("evaluation_items_pkey")),
        comment="What a run is measured on, pinned when it starts: its data may grow, its validation and test do not.",
    )


def downgrade() -> None:
    """Forget items."""
    op.drop_table("evaluation_items")
