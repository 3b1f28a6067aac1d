"""What a cluster would say of a manifest, without one: its schema, and the Pod Security level *restricted*."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client import ApiClient, models

Manifest = dict[str, Any]
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def check_schema(manifest: Manifest) -> None:
    """Read a manifest as the client that is generated from Kubernetes' own schema does, and write it again.

    Raises:
        ValueError: A required field is missing or a value is not possible.
        AssertionError: A field is unknown, or a value has another type: it does not come out as it went in.
    """
    prefixes = [manifest["apiVersion"].rpartition("/")[2].capitalize(), ""]
    kind = next(name for prefix in prefixes if hasattr(models, name := f"{prefix}{manifest['kind']}"))
    client = object.__new__(ApiClient)  # it only reads and writes: no connection, no settings
    client.configuration = SimpleNamespace(client_side_validation=True)
    read = client.deserialize(SimpleNamespace(data=json.dumps(manifest)), kind)
    assert client.sanitize_for_serialization(read) == manifest


def violations(pod: Manifest) -> Iterator[str]:
    """Yield what a pod does that *restricted* forbids: https://kubernetes.io/docs/concepts/security/pod-security-standards."""
    shared = pod.get("securityContext", {})
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    yield from (f"sysctls {shared['sysctls']}" for _ in [0] if shared.get("sysctls"))
    for volume in pod.get("volumes", []):
        yield from (f"volume {volume['name']}: {kind}" for kind in set(volume) - _VOLUMES - {"name"})
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from (f"{container['name']}: {what}" for what in _of_container(container, shared))


def _of_container(container: Manifest, shared: Manifest) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = {**shared, **own}
    added = set(own.get("capabilities", {}).get("add", []))
    rules = {
        "privileged": not own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities": own.get("capabilities", {}).get("drop") == ["ALL"] and added <= {"NET_BIND_SERVICE"},
        "runAsNonRoot": context.get("runAsNonRoot") is True,
        "runAsUser": context.get("runAsUser") != 0,
        "seccompProfile": context.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        "procMount": own.get("procMount", "Default") == "Default",
        "hostPort": not [port for port in container.get("ports", []) if port.get("hostPort")],
    }
    yield from (name for name, kept in rules.items() if not kept)
