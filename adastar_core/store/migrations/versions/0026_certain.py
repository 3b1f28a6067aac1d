"""An iteration says what it accepted that the model was near-certain of, and what training left out of that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_CERTAIN = "Accepted rationales of near-certain observations: every attempt of this visit and of the one before was right"
_SHARE = "Share of the tokens of D+ that are of such observations"
_LEFT_OUT = "Those of them that training left out (trainer.thin), as [position, attempt]"


def upgrade() -> None:
    op.add_column("iterations", sa.Column("certain", sa.Integer(), nullable=True, comment=_CERTAIN))
    op.add_column("iterations", sa.Column("certain_share", sa.Double(), nullable=True, comment=_SHARE))
    op.add_column("iterations", sa.Column("left_out", JSONB(), nullable=True, comment=_LEFT_OUT))


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
