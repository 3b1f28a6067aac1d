"""The meaning of a cost where an adapter is trained (LoRA)."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OLD = "Floating-point operations for the tokens: 6 P trained + 2 P read or generated"
_NEW = f"{_OLD}; with an adapter of A parameters (LoRA) 4 P + 6 A trained"


def upgrade() -> None:
    """Say what is counted with an adapter."""
    op.alter_column("compute", "flops", comment=_NEW, existing_comment=_OLD)


def downgrade() -> None:
    """Say it as before."""
    op.alter_column("compute", "flops", comment=_OLD, existing_comment=_NEW)
