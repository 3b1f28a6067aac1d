"""Every table, declared once. The comments become ``docs/schema.md``.

Keys are natural: a row's key names its run, iteration, observation and attempt, so writing it twice is the same as
writing it once. Win rates are stored as counts, never as rounded numbers.

The tables in :data:`PARTITIONED` have one partition per run (``partitions.py``): a run is dropped at once, and runs do not
disturb each other. Foreign keys between their rows belong to the partitions, not to the tables, so that creating a run
never waits for the writes of another.
"""

from typing import Any, get_args

from sqlalchemy import Column, ForeignKey, Identity, MetaData, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CheckConstraint, ForeignKeyConstraint, SchemaItem, UniqueConstraint
from sqlalchemy.types import BigInteger, Boolean, DateTime, Double, Integer, LargeBinary, Text, TypeEngine

from adastar_core.records import EndStatus, FinishReason, Outcome, RejectionReason, Split
from adastar_core.store.statistic_columns import STATISTICS

SCHEMA_REVISION = "0026"
"""The newest migration, which this code is written for."""

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


_Type = TypeEngine[Any] | type[TypeEngine[Any]]


def _key(name: str, type_: _Type, comment: str, *refers: ForeignKey) -> Column[Any]:
    return Column(name, type_, *refers, primary_key=True, autoincrement=False, comment=comment)


def _value(name: str, type_: _Type, comment: str, default: str | None = None) -> Column[Any]:
    server_default = None if default is None else text(default)
    return Column(name, type_, nullable=False, server_default=server_default, comment=comment)


def _maybe(name: str, type_: _Type, comment: str) -> Column[Any]:
    return Column(name, type_, nullable=True, comment=comment)


def _now(name: str, comment: str) -> Column[Any]:
    return _value(name, DateTime(timezone=True), comment, "now()")


def _of_run(name: str, *items: SchemaItem, comment: str) -> Table:
    """Return a table whose key begins with the run."""
    run = _key("run_id", Integer, "The run", ForeignKey("runs.run_id"))
    return Table(name, metadata, run, *items, comment=comment)


def _partitioned(name: str, *items: SchemaItem, comment: str) -> Table:
    """Return a table whose key begins with the run, with one partition per run."""
    run = _key("run_id", Integer, "The run")
    return Table(name, metadata, run, *items, comment=comment, postgresql_partition_by="LIST (run_id)")


def _content() -> tuple[SchemaItem, ...]:
    return (
        _value("observation_id", Text(collation="C"), "The id that the data gives it"),
        _value("question", Text, "The question x"),
        _value("answer", Text, "The reference answer y"),
        _value("choices", JSONB, "Options of a multiple-choice question, as [label, text] pairs"),
        _maybe("difficulty", Text, "Tag to break accuracy down by"),
        _value("context", JSONB, "Other columns that the prompt shows, as [name, text] pairs", "'[]'::jsonb"),
        _value("sha256", Text, "Digest of question, answer, choices, difficulty and context"),
    )


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


datasets = Table(
    "datasets",
    metadata,
    Column("dataset_id", Integer, Identity(always=True), primary_key=True, comment="Number of the dataset"),
    _value("fingerprint", Text, "SHA-256 of the problem settings that the data comes from"),
    _value("name", Text, "The problem's type"),
    UniqueConstraint("fingerprint"),
    comment="Training data, shared by the runs that use the same problem settings. It may grow, never change.",
)

observations = Table(
    "observations",
    metadata,
    _key("dataset_id", Integer, "The dataset", ForeignKey("datasets.dataset_id")),
    _key("position", Integer, "Zero-based place in the dataset, by which all else refers to it"),
    *_content(),
    _now("added_at", "When it was first seen"),
    UniqueConstraint("dataset_id", "observation_id"),
    comment="Training problems with known answers. A changed or vanished observation is refused.",
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Integer, Identity(always=True), primary_key=True, comment="Number of the run"),
    _value(
        "uid", Text, "Random UUID made at creation; distinguishes runs of the same name in other databases"
    ),
    _value("name", Text, "The name that the user continues it by"),
    Column(
        "dataset_id", Integer, ForeignKey("datasets.dataset_id"), nullable=False, comment="Its training data"
    ),
    _value("config", JSONB, "The configuration fields that decide what the run is, with dotted keys"),
    _value("config_sha256", Text, "Digest of config"),
    _value("iterations", Integer, "Iterations wanted; may be raised"),
    _maybe("patience", Integer, "Iterations without progress before it stops; may be changed"),
    _value("code_version", Text, "Version of the code that created it"),
    _value("base_model", Text, "The model it started from, as configured"),
    _value(
        "data_notes",
        JSONB,
        "Notes on its data from when it was last opened, e.g. which questions are repeated",
        "'[]'::jsonb",
    ),
    _value("status", Text, "created, running, finished, failed, cancelled or interrupted"),
    _value("lease_epoch", Integer, "Fencing number: raised by each process that takes the run over"),
    _maybe("owner", Text, "Process id and host of the last process that took it over"),
    _now("created_at", "When it was created"),
    _maybe("finished_at", DateTime(timezone=True), "When it finished last"),
    _maybe("preset", Text, "The preset or file that its first owner took the configuration from"),
    _maybe("failure", Text, "Why its last process ended before the run did; null where none did"),
    _maybe(
        "file_store",
        Text,
        "Address of the file store that its last owner put checkpoints into; null where it had none",
    ),
    UniqueConstraint("uid"),
    UniqueConstraint("name"),
    _one_of("status", ("created", "running", "finished", *get_args(EndStatus))),
    comment="One row per self-improvement run.",
)

evaluation_items = _of_run(
    "evaluation_items",
    _key("split", Text, "validation or test"),
    _key("position", Integer, "Zero-based place of the item in the split"),
    *_content(),
    _one_of("split", tuple(Split)),
    comment="What a run is measured on, pinned when it starts: its data may grow, its validation and test do not.",
)

checkpoints = _of_run(
    "checkpoints",
    _key("iteration", Integer, "The iteration that trained it; 0 = the base model"),
    _maybe("parent_iteration", Integer, "The checkpoint that training started from; null for the base model"),
    _value("path", Text, "Its directory, relative to the run's own where it lies in it"),
    _value("sha256", Text, "Digest of its manifest, which lists every file with size and digest"),
    _value("bytes", BigInteger, "Size of its files"),
    _value("parameters", BigInteger, "Parameters of the model"),
    _maybe("steps", Integer, "Optimizer steps; null for the base model, like the next three"),
    _maybe("examples", Integer, "Rationales it was trained on"),
    _maybe("loss", Double, "Mean cross-entropy of the trained tokens, in nats"),
    _maybe("token_accuracy", Double, "Share of the trained tokens that were ranked first"),
    _now("created_at", "When it was recorded"),
    ForeignKeyConstraint(["run_id", "parent_iteration"], ["checkpoints.run_id", "checkpoints.iteration"]),
    comment="Model checkpoints.",
)

iterations = _of_run(
    "iterations",
    _key("iteration", Integer, "Number t of the iteration, from 1"),
    _value("checkpoint_iteration", Integer, "The checkpoint that rationales were generated from"),
    _value("beta", Integer, "Accepted rationales wanted, beta_t"),
    _maybe("m", Integer, "Observations visited"),
    _maybe("accepted", Integer, "Accepted rationales, |D+|"),
    _maybe("surplus", Integer, "Attempts generated beyond the stopping observation; they count in nothing"),
    _maybe("first_try_correct", Integer, "Visited observations whose first, unhinted attempt was right"),
    _maybe("false_positives", Integer, "Accepted rationales with a right answer and a wrong step"),
    _maybe("rationales_checked", Integer, "Accepted rationales whose steps could be checked"),
    _maybe("undecided", Integer, "Counted attempts whose verdict is undecided"),
    _maybe("rejected", JSONB, 'Right attempts that the rationale filter kept out, by rule: {"empty": 3}'),
    _maybe(
        "certain",
        Integer,
        "Accepted rationales of near-certain observations: every attempt of this visit and of the one before was right",
    ),
    _maybe("certain_share", Double, "Share of the tokens of D+ that are of such observations"),
    _maybe("left_out", JSONB, "Those of them that training left out (trainer.thin), as [position, attempt]"),
    _maybe("verifier", Text, "Name and version of the verifier whose verdicts selected"),
    _maybe("exhausted", Boolean, "Whether the pool ran out before beta_t"),
    _maybe("alpha", Double, "The model's strength in [0, 1]"),
    _maybe("stamped", Integer, "Visited observations whose statistics were updated, u = floor(m alpha^p)"),
    _value(
        "judging",
        BigInteger,
        "Attempts of a wave that have no verdict yet while others do; they get one before the next wave is planned",
        "0",
    ),
    _value("phase", Text, "sampling, sampled, trained or advanced"),
    _maybe("seconds", Double, "Wall time spent on it, over all processes that worked on it"),
    _now("started_at", "When it began"),
    _maybe("finished_at", DateTime(timezone=True), "When it advanced"),
    ForeignKeyConstraint(["run_id", "checkpoint_iteration"], ["checkpoints.run_id", "checkpoints.iteration"]),
    _one_of("phase", ("sampling", "sampled", "trained", "advanced")),
    CheckConstraint("stamped <= m", name="stamped"),
    comment="One row per iteration of a run.",
)

observation_statistics = _partitioned(
    "observation_statistics",
    _key("position", Integer, "The observation"),
    *(_value(statistic.name, Integer, statistic.comment) for statistic in STATISTICS),
    comment="The sampler's state: the present statistics of every observation. Can be rebuilt from "
    "observation_events. There is no index on the order, so that updates stay within their page.",
)

observation_events = _partitioned(
    "observation_events",
    _key("iteration", Integer, "The iteration"),
    _value("rank", Integer, "Zero-based place in the order of visit"),
    _key("position", Integer, "The observation"),
    _value("previous_last_iteration", Integer, "Its last_iteration before this visit"),
    _value("previous_correct", Integer, "Its correct before this visit"),
    _value("previous_attempts", Integer, "Its attempts before this visit"),
    _value("attempts", Integer, "Attempts of this visit"),
    _value("correct", Integer, "Correct attempts of this visit that count in the win rate"),
    _value("accepted", Integer, "Rationales of this visit that were trained on"),
    _value("stamped", Boolean, "Whether the statistics were updated"),
    comment="Every visit of every iteration, append-only.",
)

rollouts = _partitioned(
    "rollouts",
    _key("iteration", Integer, "The iteration"),
    _key("position", Integer, "The observation"),
    _key("attempt", Integer, "Number of the attempt at it, from 1"),
    _value("hinted", Boolean, "Whether the prompt showed the reference answer"),
    _value("stream", BigInteger, "Key of the attempt's random stream: 64 bits, as two's complement"),
    _value("prompt_tokens", Integer, "Tokens of the prompt"),
    _value("padded_prompt_tokens", Integer, "The same with the padding of its batch"),
    _value("generated_tokens", Integer, "Tokens generated, with the one that ended it"),
    _value("padded_generated_tokens", Integer, "The same with the steps taken for the batch's longest"),
    _value("seconds", Double, "Its share of the batch's wall time"),
    _value("finish_reason", Text, "eos, stop, length or special"),
    _value("checkpoint_sha256", Text, "Digest of the checkpoint that generated it"),
    _value("prompt_sha256", Text, "Digest of the prompt that it continues"),
    _value("response", Text, "The generated text; NUL and lone surrogates become U+FFFD"),
    _now("created_at", "When it was stored"),
    _maybe(
        "tokens",
        LargeBinary,
        "Token ids of the response with its end, packed (store/packed.py); null where unknown or removed",
    ),
    _one_of("finish_reason", tuple(FinishReason)),
    comment="Every sampled rationale with its cost. Immutable: the first write is kept.",
)

verdicts = _partitioned(
    "verdicts",
    _key("iteration", Integer, "The iteration"),
    _key("position", Integer, "The observation"),
    _key("attempt", Integer, "The attempt"),
    _key("verifier", Text, "Name and version of the verifier, e.g. number/1"),
    _value("outcome", Text, "right, wrong or undecided"),
    _maybe("extracted", Text, "The answer found in the response"),
    _value("found_by", Text, "The pattern that found it; empty if none did"),
    _value("reason", Text, "Why the outcome is what it is"),
    _maybe("rationale_correct", Boolean, "Whether every step is right; null where that cannot be checked"),
    _maybe(
        "rejected_by", Text, "Rule of the rationale filter that keeps it out of training; null if it is kept"
    ),
    _maybe("rejected_because", Text, "How it breaks the rule"),
    _one_of("outcome", tuple(Outcome)),
    _one_of("rejected_by", tuple(RejectionReason)),
    comment="Judgements of rollouts, one per verifier version. Each partition refers to its run's rollouts.",
)

training_examples = _partitioned(
    "training_examples",
    _key("iteration", Integer, "The iteration"),
    _key("place", Integer, "Zero-based place in D+"),
    _value("position", Integer, "The observation"),
    _value("attempt", Integer, "The attempt"),
    _value("text_sha256", Text, "Digest of prompt and rationale as they were trained on"),
    UniqueConstraint("run_id", "iteration", "position", "attempt"),
    comment="D+ of every iteration: what each checkpoint was trained on. Each partition refers to its run's rollouts.",
)

evaluations = _of_run(
    "evaluations",
    _key("iteration", Integer, "The checkpoint's iteration; 0 = the base model"),
    _key("split", Text, "validation or test"),
    _value("correct", Integer, "Items judged right"),
    _value("total", Integer, "Items"),
    _value("undecided", Integer, "Items without a decided verdict"),
    _value("by_difficulty", JSONB, 'Counts by difficulty tag: {"4": {"correct": 10, "total": 12}}'),
    _value("decoding", JSONB, "How answers were decoded"),
    _value("prompt_tokens", BigInteger, "Tokens of the prompts"),
    _value("padded_prompt_tokens", BigInteger, "The same with padding"),
    _value("generated_tokens", BigInteger, "Tokens generated"),
    _value("padded_generated_tokens", BigInteger, "The same with padding"),
    _value("attention_pairs", BigInteger, "Attention's (query, key) pairs, in units of a forward pass", "0"),
    _value("seconds", Double, "Wall time"),
    _maybe("content_sha256", Text, "Digest of all that decides the answers, by which equal work is found"),
    _maybe("verifier", Text, "Name and version of the verifier that judged the answers"),
    _now("created_at", "When it was completed"),
    ForeignKeyConstraint(["run_id", "iteration"], ["checkpoints.run_id", "checkpoints.iteration"]),
    _one_of("split", tuple(Split)),
    comment="Accuracy of a checkpoint on a split, once all of its answers are judged.",
)

evaluation_answers = _partitioned(
    "evaluation_answers",
    _key("iteration", Integer, "The checkpoint's iteration"),
    _key("split", Text, "validation or test"),
    _key("position", Integer, "Zero-based place of the item in the split"),
    _value("observation_id", Text(collation="C"), "The id that the data gives it"),
    _value("response", Text, "The generated text; NUL and lone surrogates become U+FFFD"),
    _maybe("extracted", Text, "The answer found in the response"),
    _value("outcome", Text, "right, wrong or undecided"),
    _maybe("difficulty", Text, "The item's tag"),
    _value("prompt_tokens", Integer, "Tokens of the prompt"),
    _value("padded_prompt_tokens", Integer, "The same with padding"),
    _value("generated_tokens", Integer, "Tokens generated"),
    _value("padded_generated_tokens", Integer, "The same with padding"),
    _value("seconds", Double, "Its share of the batch's wall time"),
    _maybe("verifier", Text, "Name and version of the verifier, and of voting where samples vote"),
    _one_of("outcome", tuple(Outcome)),
    comment="Every judged item of an evaluation, so that an interrupted evaluation resumes where it stopped.",
)

as_sampled = _of_run(
    "as_sampled",
    _value(
        "answers",
        JSONB,
        "What was answered to each validation item, by position: [response, extracted, outcome]",
    ),
    _value("prompt_tokens", BigInteger, "Tokens of the prompts"),
    _value("padded_prompt_tokens", BigInteger, "The same with padding"),
    _value("generated_tokens", BigInteger, "Tokens generated"),
    _value("padded_generated_tokens", BigInteger, "The same with padding"),
    _value("attention_pairs", BigInteger, "Attention's (query, key) pairs, in units of a forward pass"),
    _value("seconds", Double, "Wall time"),
    _maybe("content_sha256", Text, "Digest of all that decides the answers, by which equal work is found"),
    _value("verifier", Text, "Name and version of the verifier that judged the answers"),
    _now("created_at", "When it was completed"),
    comment="The base model on the validation items, prompted as rationales are sampled, where evaluations are prompted otherwise.",
)

compute = _of_run(
    "compute",
    _key("iteration", Integer, "The iteration; 0 = before the first"),
    _key("stage", Text, "What was done, e.g. generate first, finetune, evaluate validation"),
    _value("prompt_tokens", BigInteger, "Tokens of prompts that were read"),
    _value("padded_prompt_tokens", BigInteger, "The same with padding"),
    _value("generated_tokens", BigInteger, "Tokens generated"),
    _value("padded_generated_tokens", BigInteger, "The same with padding"),
    _value("train_tokens", BigInteger, "Tokens trained on"),
    _value("padded_train_tokens", BigInteger, "The same with padding"),
    _value("attention_pairs", BigInteger, "Attention's (query, key) pairs, in units of a forward pass", "0"),
    _value(
        "flops",
        Double,
        "Floating-point operations for the tokens: 6 P trained + 2 P read or generated; with an adapter of A parameters "
        "(LoRA) 4 P + 6 A trained",
    ),
    _value("padded_flops", Double, "Floating-point operations for the padded tokens"),
    _value(
        "attention_flops",
        Double,
        "Floating-point operations of attention's own products, in neither of the two columns before",
        "0",
    ),
    _value("seconds", Double, "Wall time"),
    comment="What every stage of every iteration cost.",
)

controls = _of_run(
    "controls",
    _key("iteration", Integer, "The iteration"),
    _value("temperature", Double, "Temperature that its rationales are sampled at"),
    _value("attempts", Integer, "Attempts per observation, K"),
    _value("score", Double, "Balance score of this choice, the highest of all that were tried"),
    _now("created_at", "When it was chosen"),
    comment="What exploration control chose for an iteration (B-STaR).",
)

incidents = _of_run(
    "incidents",
    _key("iteration", Integer, "Iteration of the checkpoint that generated; 0 = the base model"),
    _key("kind", Text, "out of memory, engine rebuilt, ..."),
    _value("times", Integer, "How often it happened"),
    _value("detail", Text, "What happened the last time"),
    _now("last_at", "When that was"),
    comment="What went wrong during generation and was recovered.",
)

owners = _of_run(
    "owners",
    _key("lease_epoch", Integer, "Fencing number under which it owned the run"),
    _value("owner", Text, "Process id and host"),
    _value("code_version", Text, "Version of its code"),
    _now("taken_at", "When it took the run over"),
    _now(
        "seen_at",
        "When it last wrote, by the database's clock; a run's wall time is the sum of seen_at - taken_at",
    ),
    _maybe(
        "started_by",
        Text,
        "Who started it: user, schedule or automation, and its name; null where nobody knows",
    ),
    _maybe("deployment", Text, "The deployment that was started; null for a command"),
    _maybe("flow_run", Text, "Id of its flow run in Prefect; null for a command"),
    comment="Processes that took a run over, in order. Rows stored between two take-overs are the earlier one's.",
)

numerics = _of_run(
    "numerics",
    _key("lease_epoch", Integer, "Fencing number under which the process owned the run"),
    _value("engine", Text, "What generated"),
    _value("generation_dtype", Text, "Number format of generation; auto where a server decides"),
    _value("training_dtype", Text, "Number format of training"),
    _value("batch_size", Integer, "Attempts generated at once"),
    _maybe("piece", Integer, "Attempts that an actor of a cluster took at a time; null on one machine"),
    _value("processor", Text, "GPU or CPU of the flow's machine"),
    _value("threads", Integer, "Threads of torch"),
    _value("versions", JSONB, "Versions of the libraries that compute, by name"),
    _value(
        "generation_sha256",
        Text,
        "Digest of what may change a response; processes with equal digests may share responses",
    ),
    comment="How each owner's process rounded: what decides the last digits of its results.",
)

PARTITIONED = tuple(
    table for table in metadata.tables.values() if table.dialect_options["postgresql"]["partition_by"]
)
"""Tables with a partition per run, each after those that its partitions refer to."""
