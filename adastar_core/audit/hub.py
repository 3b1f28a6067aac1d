"""Pushes published folders to the Hugging Face hub, as private repositories."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from adastar_core.errors import UserError

SUFFIX = "-rationales"
"""What the data set's name on the hub has after the model's."""


def check_name(name: str) -> str:
    """Return a repository's name if the hub can have it and the data set's.

    Raises:
        UserError: It cannot.
    """
    try:
        validate_repo_id(name + SUFFIX)
    except HFValidationError as error:
        raise UserError(
            f"--to hub:{name} is no name of a repository: {error} Write hub:OWNER/NAME."
        ) from error
    return name


def push(folder: Path, name: str) -> tuple[str, str]:
    """Upload ``folder/model`` and ``folder/dataset``; return the addresses of the two repositories.

    A new repository is private; an existing one stays as it is, and gets another commit.

    Raises:
        UserError: The hub refuses, or is not reached.
    """
    api = HfApi()
    try:
        addresses = []
        for part, kind, repository in (("dataset", "dataset", name + SUFFIX), ("model", "model", name)):
            made = api.create_repo(repository, repo_type=kind, private=True, exist_ok=True)
            api.upload_folder(
                repo_id=made.repo_id,
                repo_type=kind,
                folder_path=folder / part,
                commit_message="Publish a run's results",
            )
            addresses.append(str(made))
    except Exception as error:
        said = " ".join(str(error).split())
        raise UserError(
            f"The hub did not take {name}: {type(error).__name__}: {said} Log in with hf auth login, or set HF_TOKEN to a token that may write."
        ) from error
    return addresses[1], addresses[0]
