"""The settings that problems share: where data are, how they are split and prompted."""

from typing import ClassVar, Literal

from pydantic import field_validator

from adastar_core.settings import (
    DataPart,
    DataSource,
    PromptTemplate,
    SentName,
    Settings,
    SystemTemplate,
    columns_of,
    setting,
    unknown_field,
)


class SourceSettings(Settings):
    """Where a problem's data are."""

    path: DataSource | None = setting(
        None,
        "Path",
        "A file (.jsonl, .json, .csv, .tsv, .parquet), a folder, or a hub name. Default: the benchmark's own hub name.",
        min_length=1,
    )
    subset: SentName | None = setting(
        None, "Subset", "Configuration of the hub data set. Default: its only one."
    )
    train: DataPart | None = setting(
        None, "Training part", "File in the folder, or hub split, where its name does not say it."
    )
    validation: DataPart | None = setting(
        None, "Validation part", "File or hub split. Default: split from the training part."
    )
    test: DataPart | None = setting(
        None, "Test part", "File or hub split. Default: the one found, else split from the training part."
    )


class SplitSettings(Settings):
    """How the observations are divided into training, validation and test."""

    validation_share: float = setting(
        0.1,
        "Validation share",
        "Share of the training part split off by a hash of the id; equal questions stay together.",
        gt=0,
        lt=1,
    )
    test_share: float = setting(
        0.1, "Test share", "The same for test, where the data have no test part.", gt=0, lt=1
    )
    train_limit: int | None = setting(
        None, "Most training items", "Use at most this many, chosen by hash.", ge=1
    )
    validation_limit: int | None = setting(
        None, "Most validation items", "Use at most this many, chosen by hash.", ge=1
    )
    test_limit: int | None = setting(None, "Most test items", "Use at most this many, chosen by hash.", ge=1)
    drop_overlap: bool = setting(
        False,
        "Drop overlap",
        "Drop training questions that a test question repeats, word for word or nearly; they are always counted.",
    )


class DataSettings(SplitSettings, SourceSettings):
    """Where the data are, how they are split and prompted. Every problem that is read from files has these."""

    shows_columns: ClassVar[bool] = False
    """Whether prompts may show columns besides question and options: only where the user knows what the columns are."""

    shots: int | None = setting(
        None, "Exemplars", "Exemplars before a generation prompt. Default: all there are.", ge=0
    )
    fall_back: bool = setting(
        False,
        "Fall back",
        "Take the last number, letter, or yes or no of a response that declares no answer; recorded when used.",
    )
    prompt: PromptTemplate | None = setting(
        None,
        "Prompt",
        "Text with {question}, {choices} (a line each), {labels} and, of a table, any {column}, in generation, training and evaluation. Default: Q: … A:.",
        added=True,
    )
    system: SystemTemplate | None = setting(
        None,
        "System message",
        "The system message, with the same fields; needs prompt.chat. Default: what the chat template writes by itself.",
        added=True,
    )

    @property
    def context(self) -> tuple[str, ...]:
        """The columns that prompt and system message show besides question and options."""
        return tuple(dict.fromkeys([*self.shown_by("prompt"), *self.shown_by("system")]))

    def shown_by(self, key: Literal["prompt", "system"]) -> tuple[str, ...]:
        """Return the columns that one of the two shows besides question and options."""
        template: str | None = getattr(self, key)
        return () if template is None else columns_of(template)

    @field_validator("prompt", "system")
    @classmethod
    def _has_known_fields(cls, template: str | None) -> str | None:
        if template is not None and not cls.shows_columns and (columns := columns_of(template)):
            raise unknown_field(columns[0])
        return template
