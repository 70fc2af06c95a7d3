"""Who may come in: only who knows the address with its token, by the name of this machine itself.

The token is the first part of each path, so it is in no cookie, which other ports would get, too.
A page from elsewhere cannot know it; and if it did, its Origin would give it away. A name that was
made to point here (DNS rebinding) is no name of ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from lab.paths import fresh_lab_command
from lab.room.address import HOST

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every answer says; one that says something else about a matter keeps its own word."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOST = "This address is not complete. `{}` prints the whole one, with its token."
"""For people who typed the port, and for everybody who guesses."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    why: str


def refusal(
    method: str, path: str, headers: Mapping[str, str], *, port: int, token: str
) -> Refusal | None:
    """Why a request must not be answered; None if it may be. Pure.

    Args:
        headers: by their names in lower case; one that came twice is joined by a comma.
    """
    host = headers.get("host", "")
    if host not in (f"{HOST}:{port}", f"localhost:{port}"):
        return Refusal(421, f"This server is {HOST}:{port}, and answers to no other name.")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return Refusal(403, "A page from elsewhere may ask nothing here.")
    if origin is None and method not in ("GET", "HEAD"):
        return Refusal(403, "What changes something has to come from the page, with its Origin.")
    given = path.removeprefix("/").partition("/")[0]
    if not hmac.compare_digest(given.encode(), token.encode()):
        return Refusal(404, LOST.format(fresh_lab_command("status")))
    return None


class Guarded:
    """An application behind the guard; it sees paths without the token."""

    def __init__(self, app: App, *, port: int, token: str) -> None:
        self._app, self._port, self._token = app, port, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no other protocol is spoken here; the server closes
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        path = scope["path"]
        why = refusal(scope["method"], path, headers, port=self._port, token=self._token)
        if why is not None:
            await _refuse(why, send)
            return
        within = path.removeprefix(f"/{self._token}")
        scope = {**scope, "path": within, "raw_path": within.encode()}
        await self._app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            said = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in said),
            ]
        await send(message)

    return sending


async def _refuse(why: Refusal, send: Send) -> None:
    body = f"{why.why}\n".encode()
    await _with_headers(send)(
        {
            "type": "http.response.start",
            "status": why.status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
