"""Rejections of the rationale filter, and the verifier that selected."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_RULES = "'truncated', 'empty', 'hint_echo', 'over_long', 'duplicate', 'near_duplicate'"
_COUNTS = 'Right attempts that the rationale filter kept out, by rule: {"empty": 3}'


def upgrade() -> None:
    """Record what the rationale filter rejects, and the verifier that selected."""
    op.add_column(
        "verdicts",
        sa.Column(
            "rejected_by",
            sa.Text(),
            nullable=True,
            comment="Rule of the rationale filter that keeps it out of training; none if kept",
        ),
    )
    op.add_column(
        "verdicts", sa.Column("rejected_because", sa.Text(), nullable=True, comment="How it breaks the rule")
    )
    op.create_check_constraint(op.f("verdicts_rejected_by_check"), "verdicts", f"rejected_by IN ({_RULES})")
    op.add_column(
        "iterations",
        sa.Column("rejected", postgresql.JSONB(), nullable=True, comment=_COUNTS),
    )
    op.add_column(
        "iterations",
        sa.Column(
            "verifier",
            sa.Text(),
            nullable=True,
            comment="Name and version of the verifier whose verdicts selected",
        ),
    )
    # Before this migration nothing judged a rollout twice, so the verdicts of what was trained on name the verifier.
    op.execute(
        "UPDATE iterations i SET rejected = '{}', verifier = (SELECT v.verifier FROM training_examples e "
        "JOIN verdicts v USING (run_id, iteration, position, attempt) "
        "WHERE e.run_id = i.run_id AND e.iteration = i.iteration AND e.place = 0 LIMIT 1) WHERE i.phase <> 'sampling'"
    )


def downgrade() -> None:
    """Forget the rejections and the verifiers."""
    op.drop_column("iterations", "verifier")
    op.drop_column("iterations", "rejected")
    op.drop_column("verdicts", "rejected_because")
    op.drop_column("verdicts", "rejected_by")
