"""The base model is measured in the form in which rationales are sampled, too."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TOKENS = (
    ("prompt_tokens", "Tokens of the prompts"),
    ("padded_prompt_tokens", "The same with padding"),
    ("generated_tokens", "Tokens generated"),
    ("padded_generated_tokens", "The same with padding"),
    ("attention_pairs", "Attention's (query, key) pairs, in units of a forward pass"),
)


def upgrade() -> None:
    answers = "What was answered to each validation item, by position: [response, extracted, outcome]"
    content = "Digest of all that decides the answers, by which equal work is found"
    judged = "Name and version of the verifier that judged the answers"
    op.create_table(
        "as_sampled",
        sa.Column(
            "run_id",
            sa.Integer(),
            sa.ForeignKey("runs.run_id", name="as_sampled_run_id_fkey"),
            nullable=False,
            comment="The run",
        ),
        sa.Column("answers", JSONB(), nullable=False, comment=answers),
        *(sa.Column(name, sa.BigInteger(), nullable=False, comment=comment) for name, comment in _TOKENS),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Wall time"),
        sa.Column("content_sha256", sa.Text(), nullable=True, comment=content),
        sa.Column("verifier", sa.Text(), nullable=False, comment=judged),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="When it was completed",
        ),
        sa.PrimaryKeyConstraint("run_id", name="as_sampled_pkey"),
        comment="The base model on the validation items, prompted as rationales are sampled, where evaluations are prompted otherwise.",
    )


def downgrade() -> None:
    raise NotImplementedError("a newer schema is not taken back; restore a backup of the older one")
