"""A Ray cluster of two nodes for the tests in this folder."""

from collections.abc import Iterator

import pytest

from tests.support.ray_cluster import SmallCluster, small_cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[SmallCluster]:
    """Two nodes with two cores each, as far as Ray knows: the processes of a cluster take half a minute to start."""
    with small_cluster(nodes=2, cores=2) as found:
        yield found
