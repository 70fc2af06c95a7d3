"""Writing needs the token; reading is public."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from system.backend.errors import ApiError

_bearer = HTTPBearer(auto_error=False, description="The token of MISSING_TABLE_API_TOKEN")


def _require_token(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> None:
    if credentials is None:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "token_missing",
            "Writing needs a token. Send it as `Authorization: Bearer <token>`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    expected: str = request.app.state.settings.api_token.get_secret_value()
    # In constant time, so that the time to refuse reveals nothing about the right token.
    if not secrets.compare_digest(
        credentials.credentials.encode("utf-8"), expected.encode("utf-8")
    ):
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            "token_wrong",
            "This token may not write. Compare MISSING_TABLE_API_TOKEN on both sides.",
        )


Writer = Annotated[None, Depends(_require_token)]
"""A dependency that lets only the holder of the token through."""
