"""Which verifier judged an evaluation and its answers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns; of earlier evaluations it is not known."""
    op.add_column(
        "evaluations",
        sa.Column("verifier", sa.Text(), comment="Name and version of the verifier that judged the answers"),
    )
    op.add_column(
        "evaluation_answers",
        sa.Column(
            "verifier",
            sa.Text(),
            comment="Name and version of the verifier, and of voting where samples vote",
        ),
    )


def downgrade() -> None:
    """Forget both."""
    op.drop_column("evaluation_answers", "verifier")
    op.drop_column("evaluations", "verifier")
