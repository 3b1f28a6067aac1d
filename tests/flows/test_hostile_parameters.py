"""What a form's parameters could make Prefect itself do before the flow sees them."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from prefect import Flow
from prefect.filesystems import LocalFileSystem

from adastar_core.errors import ConfigError
from flows import adastar, compare, deployed

HIDDEN = "/a/place/that/only/the/operator/knows"
FORMS = [
    (deployed.adastar, {"overrides": {"trainer": {"$ref": {"block_document_slug": "local-file-system/hidden"}}}}),
    (deployed.adastar, {"overrides": {"monitors": [{"$ref": {"block_document_slug": "local-file-system/hidden"}}]}}),
    (adastar.adastar, {"config": {"trainer": {"$ref": {"block_document_slug": "local-file-system/hidden"}}}}),
    (compare.compare, {"settings": {"overrides": [{"$ref": {"block_document_slug": "local-file-system/hidden"}}]}}),
]  # fmt: skip


@pytest.mark.parametrize(("form", "parameters"), FORMS)
def test_a_parameter_is_no_block_of_the_server(
    prefect_client: Callable[[], AbstractContextManager[object]],
    caplog: pytest.LogCaptureFixture,
    form: Flow[..., object],
    parameters: dict[str, object],
) -> None:
    """Prefect would read the block into the parameter, and write it into the log of the run that cannot use it."""
    with prefect_client():
        LocalFileSystem(basepath=HIDDEN).save("hidden", overwrite=True)
        logging.getLogger("prefect.flows").addHandler(caplog.handler)
        with pytest.raises(ConfigError, match=r"\$ref") as refused:
            form(**parameters)
        logging.getLogger("prefect.flows").removeHandler(caplog.handler)
    assert HIDDEN not in caplog.text + str(refused.value)
    assert "config" not in parameters or str(refused.value).startswith("config.trainer")
