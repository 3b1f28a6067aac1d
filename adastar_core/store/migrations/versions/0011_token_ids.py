"""The token ids of every rollout, and responses that break off at a special token."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0014"
branch_labels = None
depends_on = None

_CHECK = "rollouts_finish_reason_check"
_OLD, _NEW = "Tokens generated, with EOS", "Tokens generated, with the one that ended it"
_OLD_REASONS, _NEW_REASONS = "eos, stop or length", "eos, stop, length or special"


def upgrade() -> None:
    """Make a place for token ids; those of earlier rollouts are not known."""
    op.add_column(
        "rollouts",
        sa.Column(
            "tokens",
            sa.LargeBinary(),
            nullable=True,
            comment="Token ids of the response with its end, packed (store/packed.py); none where they are not known or were removed",
        ),
    )
    op.drop_constraint(op.f(_CHECK), "rollouts")
    op.create_check_constraint(
        op.f(_CHECK), "rollouts", "finish_reason IN ('eos', 'stop', 'length', 'special')"
    )
    op.alter_column("rollouts", "generated_tokens", comment=_NEW, existing_comment=_OLD)
    op.alter_column("rollouts", "finish_reason", comment=_NEW_REASONS, existing_comment=_OLD_REASONS)


def downgrade() -> None:
    """Forget token ids; responses that broke off at a special token become ones that broke off at the limit."""
    op.execute("UPDATE rollouts SET finish_reason = 'length' WHERE finish_reason = 'special'")
    op.drop_constraint(op.f(_CHECK), "rollouts")
    op.create_check_constraint(op.f(_CHECK), "rollouts", "finish_reason IN ('eos', 'stop', 'length')")
    op.alter_column("rollouts", "finish_reason", comment=_OLD_REASONS, existing_comment=_NEW_REASONS)
    op.alter_column("rollouts", "generated_tokens", comment=_OLD, existing_comment=_NEW)
    op.drop_column("rollouts", "tokens")
