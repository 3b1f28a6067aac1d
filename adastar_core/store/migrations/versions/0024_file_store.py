"""A run says where its checkpoints are kept for other machines."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    what = "Address of the file store that its last owner put checkpoints into; null where it had none"
    op.add_column("runs", sa.Column("file_store", sa.Text(), nullable=True, comment=what))


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
