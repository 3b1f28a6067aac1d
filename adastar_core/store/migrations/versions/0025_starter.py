"""Each process that took a run over says who started it."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

COLUMNS = {
    "started_by": "Who started it: user, schedule or automation, and its name; null where nobody knows",
    "deployment": "The deployment that was started; null for a command",
    "flow_run": "Id of its flow run in Prefect; null for a command",
}


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.add_column("owners", sa.Column(name, sa.Text(), nullable=True, comment=comment))


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
