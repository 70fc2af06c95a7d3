"""Writing needs a token that holds; reading is public."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from system.backend.errors import ApiError
from system.secret_files import lines_of

_bearer = HTTPBearer(auto_error=False, description="The token of MISSING_TABLE_API_TOKEN")


# Not a plain function: for that, a thread would be woken for each request.
async def _require_token(
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
    given = credentials.credentials.encode("utf-8")
    accepted = lines_of(request.app.state.settings.api_token)
    # In constant time, so that the time to refuse reveals nothing about the right ones.
    found = [secrets.compare_digest(given, token.encode("utf-8")) for token in accepted]
    if not any(found):
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            "token_wrong",
            "This token may not write. Compare MISSING_TABLE_API_TOKEN on both sides.",
        )


Writer = Annotated[None, Depends(_require_token)]
"""A dependency that lets only the holder of a token through."""
