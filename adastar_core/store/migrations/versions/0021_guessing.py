"""The rationale filter rejects what guessing explains."""

from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None

_RULES = "'truncated', 'run_on', 'empty', 'hint_echo', 'over_long', 'no_room', 'duplicate', 'near_duplicate', 'guessing'"


def upgrade() -> None:
    name = op.f("verdicts_rejected_by_check")
    op.drop_constraint(name, "verdicts", type_="check")
    op.create_check_constraint(name, "verdicts", f"rejected_by IN ({_RULES})")


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
