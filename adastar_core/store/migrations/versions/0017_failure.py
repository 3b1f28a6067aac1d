"""A run that failed says why."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "Why its last process failed; null where it did not"
    op.add_column("runs", sa.Column("failure", sa.Text(), nullable=True, comment=comment))


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
