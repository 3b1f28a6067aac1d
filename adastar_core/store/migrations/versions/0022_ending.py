"""A run says whether it failed, was cancelled or was interrupted."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_STATES = "'created', 'running', 'finished', 'failed', 'cancelled', 'interrupted'"
_BY_A_SIGNAL = "failure = 'interrupted' OR failure LIKE 'Ended: %' OR failure LIKE 'TerminationSignal: %'"


def upgrade() -> None:
    name = op.f("runs_status_check")
    op.drop_constraint(name, "runs", type_="check")
    op.create_check_constraint(name, "runs", f"status IN ({_STATES})")
    op.alter_column("runs", "status", comment="created, running, finished, failed, cancelled or interrupted")
    why = "Why its last process ended before the run did; null where none did"
    op.alter_column("runs", "failure", existing_type=sa.Text(), existing_nullable=True, comment=why)
    # What a signal ended was stored as failed, with the name of the signal's error.
    op.execute(
        "UPDATE runs SET status = 'interrupted', failure = 'A signal ended its process.' "
        f"WHERE status = 'failed' AND ({_BY_A_SIGNAL})"
    )


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
