"""How the worker logs in at Redis: with the password that is in the settings now."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from redis.credentials import CredentialProvider


def configuration(url: SecretStr | None) -> dict[str, Any]:
    """Celery's settings of the address and of the login, if it has a password."""
    if url is None:
        return {"result_backend": None}
    parts = urlsplit(url.get_secret_value())
    if not parts.password:
        return {"result_backend": url.get_secret_value()}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # redis-py takes one
    return {"result_backend": bare, "redis_backend_credential_provider": ResultsLogin(url)}


class ResultsLogin(CredentialProvider):
    """Asked for user and password at each new connection to Redis.

    Args:
        url: redis(s)://…; what else it says holds from the start to the end of the process.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """The password; before it the user, if the address names one."""
        parts = urlsplit(self._url.get_secret_value())
        password = unquote(parts.password or "")
        return (unquote(parts.username), password) if parts.username else (password,)
