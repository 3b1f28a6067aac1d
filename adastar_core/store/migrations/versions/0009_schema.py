"""The schema that the first release starts from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column(
            "dataset_id",
            sa.Integer(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the dataset",
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the problem settings that the data comes from",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="The problem's type"),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("datasets_pkey")),
        sa.UniqueConstraint("fingerprint", name=op.f("datasets_fingerprint_key")),
        comment="Training data, shared by the runs that use the same problem settings. It may grow, never change.",
    )
    op.create_table(
        "evaluation_answers",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The checkpoint's iteration",
        ),
        sa.Column("split", sa.Text(), autoincrement=False, nullable=False, comment="validation or test"),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Zero-based place of the item in the split",
        ),
        sa.Column(
            "observation_id", sa.Text(collation="C"), nullable=False, comment="The id that the data gives it"
        ),
        sa.Column(
            "response",
            sa.Text(),
            nullable=False,
            comment="The generated text; NUL and lone surrogates become U+FFFD",
        ),
        sa.Column("extracted", sa.Text(), nullable=True, comment="The answer found in the response"),
        sa.Column("outcome", sa.Text(), nullable=False, comment="right, wrong or undecided"),
        sa.Column("difficulty", sa.Text(), nullable=True, comment="The item's tag"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="Tokens of the prompt"),
        sa.Column("padded_prompt_tokens", sa.Integer(), nullable=False, comment="The same with padding"),
        sa.Column("generated_tokens", sa.Integer(), nullable=False, comment="Tokens generated"),
        sa.Column("padded_generated_tokens", sa.Integer(), nullable=False, comment="The same with padding"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Its share of the batch's wall time"),
        sa.Column(
            "verifier",
            sa.Text(),
            nullable=True,
            comment="Name and version of the verifier, and of voting where samples vote",
        ),
        sa.CheckConstraint(
            "outcome IN ('right', 'wrong', 'undecided')", name=op.f("evaluation_answers_outcome_check")
        ),
        sa.PrimaryKeyConstraint(
            "run_id", "iteration", "split", "position", name=op.f("evaluation_answers_pkey")
        ),
        comment="Every judged item of an evaluation, so that an interrupted evaluation resumes where it stopped.",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "observation_events",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False, comment="The iteration"),
        sa.Column("rank", sa.Integer(), nullable=False, comment="Zero-based place in the order of visit"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="The observation"),
        sa.Column(
            "previous_last_iteration",
            sa.Integer(),
            nullable=False,
            comment="Its last_iteration before this visit",
        ),
        sa.Column("previous_correct", sa.Integer(), nullable=False, comment="Its correct before this visit"),
        sa.Column(
            "previous_attempts", sa.Integer(), nullable=False, comment="Its attempts before this visit"
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="Attempts of this visit"),
        sa.Column(
            "correct",
            sa.Integer(),
            nullable=False,
            comment="Correct attempts of this visit that count in the win rate",
        ),
        sa.Column(
            "accepted", sa.Integer(), nullable=False, comment="Rationales of this visit that were trained on"
        ),
        sa.Column("stamped", sa.Boolean(), nullable=False, comment="Whether the statistics were updated"),
        sa.PrimaryKeyConstraint("run_id", "iteration", "position", name=op.f("observation_events_pkey")),
        comment="Every visit of every iteration, append-only.",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "observation_statistics",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="The observation"),
        sa.Column(
            "last_iteration", sa.Integer(), nullable=False, comment="Iteration of its last stamp; 0 = never"
        ),
        sa.Column(
            "correct",
            sa.Integer(),
            nullable=False,
            comment="Correct attempts at that stamp; the win rate is correct / attempts",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="Attempts at that stamp"),
        sa.Column("times_visited", sa.Integer(), nullable=False, comment="Iterations that visited it"),
        sa.Column("times_stamped", sa.Integer(), nullable=False, comment="Iterations that stamped it"),
        sa.Column(
            "times_trained",
            sa.Integer(),
            nullable=False,
            comment="Rationales of it that were trained on, over all iterations",
        ),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("observation_statistics_pkey")),
        comment="The sampler's state: the present statistics of every observation. Can be rebuilt from observation_events. There is no index on the order, so that updates stay within their page.",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "rollouts",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False, comment="The iteration"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="The observation"),
        sa.Column(
            "attempt",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Number of the attempt at it, from 1",
        ),
        sa.Column(
            "hinted", sa.Boolean(), nullable=False, comment="Whether the prompt showed the reference answer"
        ),
        sa.Column(
            "stream",
            sa.BigInteger(),
            nullable=False,
            comment="Key of the attempt's random stream: 64 bits, as two's complement",
        ),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="Tokens of the prompt"),
        sa.Column(
            "padded_prompt_tokens",
            sa.Integer(),
            nullable=False,
            comment="The same with the padding of its batch",
        ),
        sa.Column(
            "generated_tokens",
            sa.Integer(),
            nullable=False,
            comment="Tokens generated, with the one that ended it",
        ),
        sa.Column(
            "padded_generated_tokens",
            sa.Integer(),
            nullable=False,
            comment="The same with the steps taken for the batch's longest",
        ),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Its share of the batch's wall time"),
        sa.Column("finish_reason", sa.Text(), nullable=False, comment="eos, stop, length or special"),
        sa.Column(
            "checkpoint_sha256",
            sa.Text(),
            nullable=False,
            comment="Digest of the checkpoint that generated it",
        ),
        sa.Column(
            "prompt_sha256", sa.Text(), nullable=False, comment="Digest of the prompt that it continues"
        ),
        sa.Column(
            "response",
            sa.Text(),
            nullable=False,
            comment="The generated text; NUL and lone surrogates become U+FFFD",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was stored",
        ),
        sa.Column(
            "tokens",
            sa.LargeBinary(),
            nullable=True,
            comment="Token ids of the response with its end, packed (store/packed.py); null where unknown or removed",
        ),
        sa.CheckConstraint(
            "finish_reason IN ('eos', 'stop', 'length', 'special')", name=op.f("rollouts_finish_reason_check")
        ),
        sa.PrimaryKeyConstraint("run_id", "iteration", "position", "attempt", name=op.f("rollouts_pkey")),
        comment="Every sampled rationale with its cost. Immutable: the first write is kept.",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "training_examples",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False, comment="The iteration"),
        sa.Column(
            "place", sa.Integer(), autoincrement=False, nullable=False, comment="Zero-based place in D+"
        ),
        sa.Column("position", sa.Integer(), nullable=False, comment="The observation"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="The attempt"),
        sa.Column(
            "text_sha256",
            sa.Text(),
            nullable=False,
            comment="Digest of prompt and rationale as they were trained on",
        ),
        sa.PrimaryKeyConstraint("run_id", "iteration", "place", name=op.f("training_examples_pkey")),
        sa.UniqueConstraint(
            "run_id",
            "iteration",
            "position",
            "attempt",
            name=op.f("training_examples_run_id_iteration_position_attempt_key"),
        ),
        comment="D+ of every iteration: what each checkpoint was trained on. Each partition refers to its run's rollouts.",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "verdicts",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False, comment="The iteration"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="The observation"),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False, comment="The attempt"),
        sa.Column(
            "verifier",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="Name and version of the verifier, e.g. number/1",
        ),
        sa.Column("outcome", sa.Text(), nullable=False, comment="right, wrong or undecided"),
        sa.Column("extracted", sa.Text(), nullable=True, comment="The answer found in the response"),
        sa.Column(
            "found_by", sa.Text(), nullable=False, comment="The pattern that found it; empty if none did"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why the outcome is what it is"),
        sa.Column(
            "rationale_correct",
            sa.Boolean(),
            nullable=True,
            comment="Whether every step is right; null where that cannot be checked",
        ),
        sa.Column(
            "rejected_by",
            sa.Text(),
            nullable=True,
            comment="Rule of the rationale filter that keeps it out of training; null if it is kept",
        ),
        sa.Column("rejected_because", sa.Text(), nullable=True, comment="How it breaks the rule"),
        sa.CheckConstraint("outcome IN ('right', 'wrong', 'undecided')", name=op.f("verdicts_outcome_check")),
        sa.CheckConstraint(
            "rejected_by IN ('truncated', 'empty', 'hint_echo', 'over_long', 'no_room', 'duplicate', 'near_duplicate')",
            name=op.f("verdicts_rejected_by_check"),
        ),
        sa.PrimaryKeyConstraint(
            "run_id", "iteration", "position", "attempt", "verifier", name=op.f("verdicts_pkey")
        ),
        comment="Judgements of rollouts, one per verifier version. Each partition refers to its run's rollouts.",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "observations",
        sa.Column("dataset_id", sa.Integer(), autoincrement=False, nullable=False, comment="The dataset"),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Zero-based place in the dataset, by which all else refers to it",
        ),
        sa.Column(
            "observation_id", sa.Text(collation="C"), nullable=False, comment="The id that the data gives it"
        ),
        sa.Column("question", sa.Text(), nullable=False, comment="The question x"),
        sa.Column("answer", sa.Text(), nullable=False, comment="The reference answer y"),
        sa.Column(
            "choices",
            postgresql.JSONB(),
            nullable=False,
            comment="Options of a multiple-choice question, as [label, text] pairs",
        ),
        sa.Column("difficulty", sa.Text(), nullable=True, comment="Tag to break accuracy down by"),
        sa.Column(
            "sha256", sa.Text(), nullable=False, comment="Digest of question, answer, choices and difficulty"
        ),
        sa.Column(
            "added_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was first seen",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.dataset_id"], name=op.f("observations_dataset_id_fkey")
        ),
        sa.PrimaryKeyConstraint("dataset_id", "position", name=op.f("observations_pkey")),
        sa.UniqueConstraint(
            "dataset_id", "observation_id", name=op.f("observations_dataset_id_observation_id_key")
        ),
        comment="Training problems with known answers. A changed or vanished observation is refused.",
    )
    op.create_table(
        "runs",
        sa.Column(
            "run_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="Number of the run"
        ),
        sa.Column(
            "uid",
            sa.Text(),
            nullable=False,
            comment="Random UUID made at creation; distinguishes runs of the same name in other databases",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="The name that the user continues it by"),
        sa.Column("dataset_id", sa.Integer(), nullable=False, comment="Its training data"),
        sa.Column(
            "config",
            postgresql.JSONB(),
            nullable=False,
            comment="The configuration fields that decide what the run is, with dotted keys",
        ),
        sa.Column("config_sha256", sa.Text(), nullable=False, comment="Digest of config"),
        sa.Column("iterations", sa.Integer(), nullable=False, comment="Iterations wanted; may be raised"),
        sa.Column(
            "patience",
            sa.Integer(),
            nullable=True,
            comment="Iterations without progress before it stops; may be changed",
        ),
        sa.Column("code_version", sa.Text(), nullable=False, comment="Version of the code that created it"),
        sa.Column(
            "base_model", sa.Text(), nullable=False, comment="The model it started from, as configured"
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="created, running, finished or failed"),
        sa.Column(
            "lease_epoch",
            sa.Integer(),
            nullable=False,
            comment="Fencing number: raised by each process that takes the run over",
        ),
        sa.Column(
            "owner",
            sa.Text(),
            nullable=True,
            comment="Process id and host of the last process that took it over",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was created",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When it finished last"),
        sa.Column(
            "preset",
            sa.Text(),
            nullable=True,
            comment="The preset or file that its first owner took the configuration from",
        ),
        sa.Column(
            "data_notes",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Notes on its data from when it was last opened, e.g. which questions are repeated",
        ),
        sa.CheckConstraint(
            "status IN ('created', 'running', 'finished', 'failed')", name=op.f("runs_status_check")
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.dataset_id"], name=op.f("runs_dataset_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("runs_pkey")),
        sa.UniqueConstraint("name", name=op.f("runs_name_key")),
        sa.UniqueConstraint("uid", name=op.f("runs_uid_key")),
        comment="One row per self-improvement run.",
    )
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The iteration that trained it; 0 = the base model",
        ),
        sa.Column(
            "parent_iteration",
            sa.Integer(),
            nullable=True,
            comment="The checkpoint that training started from; null for the base model",
        ),
        sa.Column(
            "path",
            sa.Text(),
            nullable=False,
            comment="Its directory, relative to the run's own where it lies in it",
        ),
        sa.Column(
            "sha256",
            sa.Text(),
            nullable=False,
            comment="Digest of its manifest, which lists every file with size and digest",
        ),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="Size of its files"),
        sa.Column("parameters", sa.BigInteger(), nullable=False, comment="Parameters of the model"),
        sa.Column(
            "steps",
            sa.Integer(),
            nullable=True,
            comment="Optimizer steps; null for the base model, like the next three",
        ),
        sa.Column("examples", sa.Integer(), nullable=True, comment="Rationales it was trained on"),
        sa.Column(
            "loss", sa.Double(), nullable=True, comment="Mean cross-entropy of the trained tokens, in nats"
        ),
        sa.Column(
            "token_accuracy",
            sa.Double(),
            nullable=True,
            comment="Share of the trained tokens that were ranked first",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was recorded",
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "parent_iteration"],
            ["checkpoints.run_id", "checkpoints.iteration"],
            name=op.f("checkpoints_run_id_parent_iteration_fkey"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("checkpoints_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", name=op.f("checkpoints_pkey")),
        comment="Model checkpoints.",
    )
    op.create_table(
        "compute",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The iteration; 0 = before the first",
        ),
        sa.Column(
            "stage",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="What was done, e.g. generate first, finetune, evaluate validation",
        ),
        sa.Column(
            "prompt_tokens", sa.BigInteger(), nullable=False, comment="Tokens of prompts that were read"
        ),
        sa.Column("padded_prompt_tokens", sa.BigInteger(), nullable=False, comment="The same with padding"),
        sa.Column("generated_tokens", sa.BigInteger(), nullable=False, comment="Tokens generated"),
        sa.Column(
            "padded_generated_tokens", sa.BigInteger(), nullable=False, comment="The same with padding"
        ),
        sa.Column("train_tokens", sa.BigInteger(), nullable=False, comment="Tokens trained on"),
        sa.Column("padded_train_tokens", sa.BigInteger(), nullable=False, comment="The same with padding"),
        sa.Column(
            "flops",
            sa.Double(),
            nullable=False,
            comment="Floating-point operations for the tokens: 6 P trained + 2 P read or generated; with an adapter of A parameters (LoRA) 4 P + 6 A trained",
        ),
        sa.Column(
            "padded_flops",
            sa.Double(),
            nullable=False,
            comment="Floating-point operations for the padded tokens",
        ),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Wall time"),
        sa.Column(
            "attention_pairs",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Attention's (query, key) pairs, in units of a forward pass",
        ),
        sa.Column(
            "attention_flops",
            sa.Double(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Floating-point operations of attention's own products, in neither of the two columns before",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("compute_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", "stage", name=op.f("compute_pkey")),
        comment="What every stage of every iteration cost.",
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
    op.create_table(
        "evaluation_items",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column("split", sa.Text(), autoincrement=False, nullable=False, comment="validation or test"),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Zero-based place of the item in the split",
        ),
        sa.Column(
            "observation_id", sa.Text(collation="C"), nullable=False, comment="The id that the data gives it"
        ),
        sa.Column("question", sa.Text(), nullable=False, comment="The question x"),
        sa.Column("answer", sa.Text(), nullable=False, comment="The reference answer y"),
        sa.Column(
            "choices",
            postgresql.JSONB(),
            nullable=False,
            comment="Options of a multiple-choice question, as [label, text] pairs",
        ),
        sa.Column("difficulty", sa.Text(), nullable=True, comment="Tag to break accuracy down by"),
        sa.Column(
            "sha256", sa.Text(), nullable=False, comment="Digest of question, answer, choices and difficulty"
        ),
        sa.CheckConstraint(
            "split IN ('train', 'validation', 'test')", name=op.f("evaluation_items_split_check")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("evaluation_items_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "split", "position", name=op.f("evaluation_items_pkey")),
        comment="What a run is measured on, pinned when it starts: its data may grow, its validation and test do not.",
    )
    op.create_table(
        "incidents",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Iteration of the checkpoint that generated; 0 = the base model",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="out of memory, engine rebuilt, ...",
        ),
        sa.Column("times", sa.Integer(), nullable=False, comment="How often it happened"),
        sa.Column("detail", sa.Text(), nullable=False, comment="What happened the last time"),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When that was",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("incidents_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", "kind", name=op.f("incidents_pkey")),
        comment="What went wrong during generation and was recovered.",
    )
    op.create_table(
        "numerics",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "lease_epoch",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Fencing number under which the process owned the run",
        ),
        sa.Column("engine", sa.Text(), nullable=False, comment="What generated"),
        sa.Column(
            "generation_dtype",
            sa.Text(),
            nullable=False,
            comment="Number format of generation; auto where a server decides",
        ),
        sa.Column("training_dtype", sa.Text(), nullable=False, comment="Number format of training"),
        sa.Column("batch_size", sa.Integer(), nullable=False, comment="Attempts generated at once"),
        sa.Column(
            "piece",
            sa.Integer(),
            nullable=True,
            comment="Attempts that an actor of a cluster took at a time; null on one machine",
        ),
        sa.Column("processor", sa.Text(), nullable=False, comment="GPU or CPU of the flow's machine"),
        sa.Column("threads", sa.Integer(), nullable=False, comment="Threads of torch"),
        sa.Column(
            "versions",
            postgresql.JSONB(),
            nullable=False,
            comment="Versions of the libraries that compute, by name",
        ),
        sa.Column(
            "generation_sha256",
            sa.Text(),
            nullable=False,
            comment="Digest of what may change a response; processes with equal digests may share responses",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("numerics_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "lease_epoch", name=op.f("numerics_pkey")),
        comment="How each owner's process rounded: what decides the last digits of its results.",
    )
    op.create_table(
        "owners",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "lease_epoch",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Fencing number under which it owned the run",
        ),
        sa.Column("owner", sa.Text(), nullable=False, comment="Process id and host"),
        sa.Column("code_version", sa.Text(), nullable=False, comment="Version of its code"),
        sa.Column(
            "taken_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it took the run over",
        ),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it last wrote, by the database's clock; a run's wall time is the sum of seen_at - taken_at",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("owners_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "lease_epoch", name=op.f("owners_pkey")),
        comment="Processes that took a run over, in order. Rows stored between two take-overs are the earlier one's.",
    )
    op.create_table(
        "evaluations",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The checkpoint's iteration; 0 = the base model",
        ),
        sa.Column("split", sa.Text(), autoincrement=False, nullable=False, comment="validation or test"),
        sa.Column("correct", sa.Integer(), nullable=False, comment="Items judged right"),
        sa.Column("total", sa.Integer(), nullable=False, comment="Items"),
        sa.Column("undecided", sa.Integer(), nullable=False, comment="Items without a decided verdict"),
        sa.Column(
            "by_difficulty",
            postgresql.JSONB(),
            nullable=False,
            comment='Counts by difficulty tag: {"4": {"correct": 10, "total": 12}}',
        ),
        sa.Column("decoding", postgresql.JSONB(), nullable=False, comment="How answers were decoded"),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False, comment="Tokens of the prompts"),
        sa.Column("padded_prompt_tokens", sa.BigInteger(), nullable=False, comment="The same with padding"),
        sa.Column("generated_tokens", sa.BigInteger(), nullable=False, comment="Tokens generated"),
        sa.Column(
            "padded_generated_tokens", sa.BigInteger(), nullable=False, comment="The same with padding"
        ),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Wall time"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was completed",
        ),
        sa.Column(
            "attention_pairs",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Attention's (query, key) pairs, in units of a forward pass",
        ),
        sa.Column(
            "content_sha256",
            sa.Text(),
            nullable=True,
            comment="Digest of all that decides the answers, by which equal work is found",
        ),
        sa.Column(
            "verifier",
            sa.Text(),
            nullable=True,
            comment="Name and version of the verifier that judged the answers",
        ),
        sa.CheckConstraint("split IN ('train', 'validation', 'test')", name=op.f("evaluations_split_check")),
        sa.ForeignKeyConstraint(
            ["run_id", "iteration"],
            ["checkpoints.run_id", "checkpoints.iteration"],
            name=op.f("evaluations_run_id_iteration_fkey"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("evaluations_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", "split", name=op.f("evaluations_pkey")),
        comment="Accuracy of a checkpoint on a split, once all of its answers are judged.",
    )
    op.create_table(
        "iterations",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "iteration",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Number t of the iteration, from 1",
        ),
        sa.Column(
            "checkpoint_iteration",
            sa.Integer(),
            nullable=False,
            comment="The checkpoint that rationales were generated from",
        ),
        sa.Column("beta", sa.Integer(), nullable=False, comment="Accepted rationales wanted, beta_t"),
        sa.Column("m", sa.Integer(), nullable=True, comment="Observations visited"),
        sa.Column("accepted", sa.Integer(), nullable=True, comment="Accepted rationales, |D+|"),
        sa.Column(
            "surplus",
            sa.Integer(),
            nullable=True,
            comment="Attempts generated beyond the stopping observation; they count in nothing",
        ),
        sa.Column(
            "first_try_correct",
            sa.Integer(),
            nullable=True,
            comment="Visited observations whose first, unhinted attempt was right",
        ),
        sa.Column(
            "false_positives",
            sa.Integer(),
            nullable=True,
            comment="Accepted rationales with a right answer and a wrong step",
        ),
        sa.Column(
            "rationales_checked",
            sa.Integer(),
            nullable=True,
            comment="Accepted rationales whose steps could be checked",
        ),
        sa.Column(
            "undecided", sa.Integer(), nullable=True, comment="Counted attempts whose verdict is undecided"
        ),
        sa.Column("exhausted", sa.Boolean(), nullable=True, comment="Whether the pool ran out before beta_t"),
        sa.Column("alpha", sa.Double(), nullable=True, comment="The model's strength in [0, 1]"),
        sa.Column(
            "stamped",
            sa.Integer(),
            nullable=True,
            comment="Visited observations whose statistics were updated, u = floor(m alpha^p)",
        ),
        sa.Column("phase", sa.Text(), nullable=False, comment="sampling, sampled, trained or advanced"),
        sa.Column(
            "seconds",
            sa.Double(),
            nullable=True,
            comment="Wall time spent on it, over all processes that worked on it",
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it began",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When it advanced"),
        sa.Column(
            "rejected",
            postgresql.JSONB(),
            nullable=True,
            comment='Right attempts that the rationale filter kept out, by rule: {"empty": 3}',
        ),
        sa.Column(
            "verifier",
            sa.Text(),
            nullable=True,
            comment="Name and version of the verifier whose verdicts selected",
        ),
        sa.Column(
            "judging",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Attempts of a wave that have no verdict yet while others do; they get one before the next wave is planned",
        ),
        sa.CheckConstraint(
            "phase IN ('sampling', 'sampled', 'trained', 'advanced')", name=op.f("iterations_phase_check")
        ),
        sa.CheckConstraint("stamped <= m", name=op.f("iterations_stamped_check")),
        sa.ForeignKeyConstraint(
            ["run_id", "checkpoint_iteration"],
            ["checkpoints.run_id", "checkpoints.iteration"],
            name=op.f("iterations_run_id_checkpoint_iteration_fkey"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("iterations_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "iteration", name=op.f("iterations_pkey")),
        comment="One row per iteration of a run.",
    )


def downgrade() -> None:
    op.drop_table("iterations")
    op.drop_table("evaluations")
    op.drop_table("owners")
    op.drop_table("numerics")
    op.drop_table("incidents")
    op.drop_table("evaluation_items")
    op.drop_table("controls")
    op.drop_table("compute")
    op.drop_table("checkpoints")
    op.drop_table("runs")
    op.drop_table("observations")
    op.drop_table("verdicts")
    op.drop_table("training_examples")
    op.drop_table("rollouts")
    op.drop_table("observation_statistics")
    op.drop_table("observation_events")
    op.drop_table("evaluation_answers")
    op.drop_table("datasets")
