"""How long each process worked on a run, and which preset the run came from."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0007"
branch_labels = None
depends_on = None

_LAST_WRITE = """
    UPDATE owners o SET seen_at = greatest(o.taken_at, (
        SELECT max(written.at) FROM (
            SELECT created_at FROM rollouts WHERE run_id = o.run_id
            UNION ALL SELECT created_at FROM checkpoints WHERE run_id = o.run_id
            UNION ALL SELECT created_at FROM evaluations WHERE run_id = o.run_id
            UNION ALL SELECT finished_at FROM iterations WHERE run_id = o.run_id
            UNION ALL SELECT finished_at FROM runs WHERE run_id = o.run_id
        ) AS written (at)
        WHERE written.at < coalesce(
            (SELECT min(taken_at) FROM owners WHERE run_id = o.run_id AND lease_epoch > o.lease_epoch), 'infinity'
        )
    ))
"""


def upgrade() -> None:
    """Make the columns. Of earlier owners, what they stored last tells when they were seen."""
    op.add_column(
        "runs",
        sa.Column(
            "preset", sa.Text(), comment="The preset or file that its first owner took the configuration from"
        ),
    )
    op.add_column(
        "owners",
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it last wrote, by the database's clock; a run's wall time is the sum of seen_at - taken_at",
        ),
    )
    op.execute(_LAST_WRITE)


def downgrade() -> None:
    """Forget both."""
    op.drop_column("owners", "seen_at")
    op.drop_column("runs", "preset")
