"""Which server may get which key: pairs that the operator sets in ``ADASTAR_SERVERS``.

``ADASTAR_SERVERS="OPENAI_API_KEY@api.example.com ADASTAR_SERVER_API_KEY@gpu-box:8000"``: each pair is the environment
variable that holds the key, and a host with its port (443 where none is given). Without the variable, only
``ADASTAR_SERVER_API_KEY`` is ever sent, and only to this machine. Names are compared, never resolved.
"""

import re
from contextlib import suppress
from ipaddress import ip_address

import httpx

from adastar_core.errors import ConfigError
from adastar_core.machine.confine import listed
from adastar_core.settings import OWN_KEY

SERVERS = "ADASTAR_SERVERS"
_PORTS = {"http": 80, "https": 443}


def check_server(url: str, key_variable: str) -> None:
    """Refuse a server that must not be sent the key in the environment variable ``key_variable``.

    Raises:
        ConfigError: It is no plain URL, the operator has not named the two together, or a pair is malformed.
    """
    host, port = _place(url)
    own = host == "localhost"
    with suppress(ValueError):
        own = own or ip_address(host).is_loopback
    if (key_variable == OWN_KEY and own) or (key_variable, host, port) in set(map(_pair, listed(SERVERS))):
        return
    at = f"[{host}]" if ":" in host else host
    raise ConfigError(
        f"generator.openai.url points to {at}:{port}, which may not receive the key in {key_variable} "
        f"(generator.openai.key_variable). To allow it, set {SERVERS}={key_variable}@{at}:{port} in the environment of "
        "the run or its worker."
    )


def _place(url: str) -> tuple[str, int]:
    """Return host and port as the HTTP client reads them."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigError(
            f"generator.openai.url cannot be read ({error}); write http://host:port/v1"
        ) from None
    # An empty query or fragment counts: what is appended to the URL would become a part of it.
    beside = parsed.userinfo or "?" in url or "#" in url
    if parsed.scheme not in _PORTS or not parsed.host or beside:
        raise ConfigError(
            "generator.openai.url must be http:// or https:// with a host, a port and a path, and nothing else; "
            "write http://host:port/v1"
        )
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if not 0 < port < 2**16:
        raise ConfigError(f"generator.openai.url has the port {port}; a port is a number from 1 to 65535")
    return parsed.host, port


def _pair(text: str) -> tuple[str, str, int]:
    variable, _, place = text.partition("@")
    try:
        host, port = _place(f"https://{place}/")
    except ConfigError:
        host, port = "", 0
    if not re.fullmatch(r"[A-Za-z_]\w*", variable) or not host:
        raise ConfigError(
            f"{SERVERS} has {text!r}, which is no VARIABLE@host:port such as {OWN_KEY}@gpu-box:8000"
        )
    return variable, host, port
