"""The rationale filter rejects by what the model says when it is asked again."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_RULES = (
    "'truncated', 'run_on', 'empty', 'hint_echo', 'over_long', 'no_room', 'duplicate', 'near_duplicate', 'guessing', "
    "'inconsistent', 'not_needed'"
)


def upgrade() -> None:
    name = op.f("verdicts_rejected_by_check")
    op.drop_constraint(name, "verdicts", type_="check")
    op.create_check_constraint(name, "verdicts", f"rejected_by IN ({_RULES})")


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
