"""One key for the visits: by observation. Visits are written in this order, so the index grows at its end."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLE, _KEY = "observation_events", "observation_events_pkey"
_BY_POSITION = "observation_events_run_id_iteration_position_key"


def upgrade() -> None:
    """Make the observation the key of a visit, and drop the index on its place in the order."""
    op.drop_constraint(_KEY, _TABLE)
    op.drop_constraint(_BY_POSITION, _TABLE)
    op.create_primary_key(_KEY, _TABLE, ["run_id", "iteration", "position"])


def downgrade() -> None:
    """Make the place in the order the key again."""
    op.drop_constraint(_KEY, _TABLE)
    op.create_primary_key(_KEY, _TABLE, ["run_id", "iteration", "rank"])
    op.create_unique_constraint(_BY_POSITION, _TABLE, ["run_id", "iteration", "position"])
