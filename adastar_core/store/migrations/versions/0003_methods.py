"""Attention's cost, content digests of evaluations, and the choices of exploration control."""

from typing import TypeVar

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Number = TypeVar("Number", int, float)

_PAIRS = "Attention's (query, key) pairs, in units of a forward pass"


def _zero(name: str, kind: sa.types.TypeEngine[Number], comment: str) -> sa.Column[Number]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text("0"), comment=comment)


def upgrade() -> None:
    """Record what the methods beyond AdaSTaR need: controls, content digests, attention."""
    op.add_column("compute", _zero("attention_pairs", sa.BigInteger(), _PAIRS))
    op.add_column(
        "compute",
        _zero(
            "attention_flops",
            sa.Double(),
            "Floating-point operations of attention's own products, in neither of the two",
        ),
    )
    op.alter_column(
        "compute",
        "flops",
        existing_type=sa.Double(),
        existing_nullable=False,
        existing_comment="Floating-point operations for the tokens",
        comment="Floating-point operations for the tokens: 6 P trained + 2 P read or generated",
    )
    op.add_column("evaluations", _zero("attention_pairs", sa.BigInteger(), _PAIRS))
    op.add_column(
        "evaluations",
        sa.Column(
            "content_sha256",
            sa.Text(),
            nullable=True,
            comment="Digest of all that decides the answers, by which equal work is found",
        ),
    )
    op.create_table(
        "controls",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False, comment="The iteration"),
        sa.Column(
            "temperature",
            sa.Double(),
            nullable=False,
            comment="Temperature that its rationales are sampled at",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="Attempts per observation, K"),
        sa.Column(
            "score",
            sa.Double(),
            nullable=False,
            comment="Balance score of this choice, the highest of all that were tried",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was chosen",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("controls_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", name=op.f("controls_pkey")),
        comment="What exploration control chose for an iteration (B-STaR).",
    )


def downgrade() -> None:
    """Forget what the methods added."""
    op.drop_table("controls")
    op.drop_column("evaluations", "content_sha256")
    op.drop_column("evaluations", "attention_pairs")
    op.drop_column("compute", "attention_flops")
    op.drop_column("compute", "attention_pairs")
