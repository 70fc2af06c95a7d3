"""What the control room answers: the page, its changes as they come, actions, reports, logs."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qsl

from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)

from lab.errors import CannotRun, LabError
from lab.experiment.runs import RUNS
from lab.report.conclude import PAGE_FILE
from lab.room import actions, runs, view
from lab.room.actions import Form
from lab.room.board import Board
from lab.room.view import Shown
from lab.substrates.protocol import Log
from lab.substrates.provider import Keeps

FORM_BYTES_MAX = 16 * 1024
FIELDS_MAX = 200
ALIVE_S = 10.0
"""So often a stream says something, so that both sides notice if the other one has gone."""
STREAMS_MAX = 16
LOG_BYTES_MAX = 256 * 1024
REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:"
)
"""A report has its scripts within itself, and may ask nobody anything, the room least of all."""
STOP = "stop"


def application(board: Board, provider: Keeps) -> FastAPI:
    """The room; paths are without the token, see `guard`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(board.work())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)

    @app.exception_handler(LabError)
    async def refused(request: Request, error: LabError) -> Response:
        return JSONResponse({"why": str(error)}, 409)

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(await board.page())

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in view.TYPES:
            return _none()
        return Response(view.static(name), media_type=view.TYPES[name])

    @app.get("/stream")
    async def stream() -> Response:
        if board.watching >= STREAMS_MAX:
            return PlainTextResponse("Too many pages are open.\n", 503)
        return StreamingResponse(_changes(board), media_type="text/event-stream")

    @app.get("/command/{action}")
    async def command(action: str, request: Request) -> Response:
        words = actions.command(action, dict(request.query_params), board.room.target)
        return JSONResponse({"command": str(words)})

    @app.post("/do/{action}")
    async def do(action: str, request: Request) -> Response:
        if board.room.read_only:
            raise CannotRun("this lab does its own work, and can only be looked at from here")
        form = await _form(request)
        if action == STOP:
            number = form.get("job", "")
            board.jobs.stop(int(number) if number.isascii() and number.isdigit() else 0)
            done = "it was asked to come to its end, as by Ctrl-C"
        else:
            words = actions.command(action, form, board.room.target)
            done = str((await board.jobs.start(words)).command)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"command": done}, 202)
        return RedirectResponse("../", 303)  # a form without its script

    @app.get("/runs/{folder}/report.html")
    async def report(folder: str) -> Response:
        found = await asyncio.to_thread(runs.find, folder)
        if found is None or not found.has_report:
            return _none()
        opened = BackgroundTasks()
        opened.add_task(board.note_opened)
        return FileResponse(
            Path(RUNS / found.folder / PAGE_FILE),
            media_type="text/html",
            headers={
                "content-security-policy": REPORT_POLICY,
                # A browser refuses a page that is both in a sandbox and in a group of its own.
                "cross-origin-opener-policy": "unsafe-none",
            },
            background=opened,
        )

    @app.get("/logs/")
    async def logs() -> HTMLResponse:
        found = await asyncio.to_thread(provider.attach(board.room.target.name).logs)
        return HTMLResponse(view.log_list([log.name for log in found]))

    @app.get("/logs/{name}")
    async def log(name: str) -> Response:
        found = await asyncio.to_thread(provider.attach(board.room.target.name).logs)
        chosen = next((each for each in found if each.name == name), None)
        if chosen is None:
            return _none()
        return PlainTextResponse(await asyncio.to_thread(_end_of, chosen))

    return app


async def _changes(board: Board) -> AsyncIterator[str]:
    """The stream of one page: what it does not know yet, whenever there is something."""
    sent = Shown()
    async with board.watched():
        yield "retry: 2000\n\n"
        while not board.closing:
            now = board.shown
            change: dict[str, object] = {**now.since(sent)}
            if board.go:
                change["go"] = board.go
            sent = now
            yield f"data: {json.dumps(change)}\n\n" if change else ": alive\n\n"
            if board.go:
                return
            await board.news(ALIVE_S)


async def _form(request: Request) -> Form:
    """What a form says.

    Raises:
        CannotRun: it is no form, or too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise CannotRun("a form has to be sent as application/x-www-form-urlencoded")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES_MAX:
            raise CannotRun(f"a form may have {FORM_BYTES_MAX} bytes at most")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise CannotRun(f"this form cannot be read: {error}") from None
    return dict(fields)


def _none() -> Response:
    return PlainTextResponse("There is no such page.\n", 404)


def _end_of(log: Log) -> str:
    """The last part of a log, from the beginning of a line."""
    pieces: deque[bytes] = deque()
    size = 0
    for piece in log.read():
        pieces.append(piece)
        size += len(piece)
        while size - len(pieces[0]) >= LOG_BYTES_MAX:
            size -= len(pieces.popleft())
    whole = b"".join(pieces)
    cut = whole[-LOG_BYTES_MAX:]
    if len(cut) < len(whole):
        cut = cut.partition(b"\n")[2]
    return cut.decode("utf-8", "replace")
