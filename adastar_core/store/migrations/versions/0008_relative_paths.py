"""What the path of a checkpoint is relative to. Whole paths of earlier versions are still read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say what new rows hold."""
    _comment("Its directory, relative to the run's own where it lies in it", "Its directory")


def downgrade() -> None:
    """Say what earlier rows held."""
    _comment("Its directory", "Its directory, relative to the run's own where it lies in it")


def _comment(new: str, old: str) -> None:
    op.alter_column(
        "checkpoints",
        "path",
        comment=new,
        existing_comment=old,
        existing_type=sa.Text(),
        existing_nullable=False,
    )
