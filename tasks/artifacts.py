"""A flow run's artifacts: one for each thing that is shown, which changes in place while the run goes on."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.runtime import flow_run

from adastar_core.report.text import escape


def put_artifact(kind: str, key: str, data: str | float, description: str) -> UUID:
    """Show data under a key of this flow run, with a text, in place of what it showed before; return the artifact's id.

    ``kind`` is Prefect's: ``progress``, whose data are percent, ``table``, whose data are JSON, or ``markdown``.
    """
    owner, description = UUID(flow_run.id), described(description)
    mine = ArtifactFilter(
        key=ArtifactFilterKey(any_=[key]), flow_run_id=ArtifactFilterFlowRunId(any_=[owner])
    )
    with get_client(sync_client=True) as client:
        if found := client.read_artifacts(artifact_filter=mine):
            client.update_artifact(found[0].id, ArtifactUpdate(data=data, description=description))
            return found[0].id
        new = ArtifactCreate(type=kind, key=key, data=data, description=description, flow_run_id=owner)
        return client.create_artifact(new).id


def described(text: str) -> str:
    """Return an artifact's description that shows a text literally. Prefect reads it as Markdown, and in lists as it is."""
    return escape(text).replace("\\_", "_")  # within a word it means nothing
