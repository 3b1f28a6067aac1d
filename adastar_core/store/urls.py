"""Database URLs: read in one way, and shown without their secrets."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from adastar_core.errors import DatabaseError

SECRET_QUERY_KEYS = ("password", "sslpassword", "passfile")


def parse_url(url: str) -> URL:
    """Return a URL that names psycopg2 as its driver, whatever driver it named before.

    Raises:
        DatabaseError: It is not a PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        scheme = url.partition("://")[0] if "://" in url else "none"
        raise DatabaseError(
            f"The database URL (scheme: {scheme}) is not a PostgreSQL URL. Write "
            "postgresql://user:password@host:5432/database, or leave it out to use a local database."
        )
    if "@" in (parsed.host or ""):
        raise DatabaseError(
            "The database URL has more than one @ before its host. Write an @ within the password as %40."
        )
    return parsed.set(drivername="postgresql+psycopg2")


def shown(url: URL) -> str:
    """Return a URL without its secrets, for messages."""
    query = {key: "***" if key in SECRET_QUERY_KEYS else value for key, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def without_secrets(message: str, url: URL) -> str:
    """Return a driver's message as one line in which no secret of the URL occurs."""
    secrets = [str(url.password or ""), *(str(url.query.get(key, "")) for key in SECRET_QUERY_KEYS)]
    for secret in filter(None, secrets):
        message = message.replace(secret, "***")
    return " ".join(message.split()).rstrip(".")
