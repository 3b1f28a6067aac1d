"""Right rationales that are too long to train on, as rejections of their own."""

from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None

_CHECK = "verdicts_rejected_by_check"
_BEFORE = "'truncated', 'empty', 'hint_echo', 'over_long', 'duplicate', 'near_duplicate'"
_NOW = "'truncated', 'empty', 'hint_echo', 'over_long', 'no_room', 'duplicate', 'near_duplicate'"


def upgrade() -> None:
    """Allow the new reason."""
    op.drop_constraint(op.f(_CHECK), "verdicts", type_="check")
    op.create_check_constraint(op.f(_CHECK), "verdicts", f"rejected_by IN ({_NOW})")


def downgrade() -> None:
    """Count what had no room with what the filter found too long."""
    op.execute("UPDATE verdicts SET rejected_by = 'over_long' WHERE rejected_by = 'no_room'")
    op.drop_constraint(op.f(_CHECK), "verdicts", type_="check")
    op.create_check_constraint(op.f(_CHECK), "verdicts", f"rejected_by IN ({_BEFORE})")
