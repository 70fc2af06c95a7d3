"""The room's process: a server on 127.0.0.1, until it is not wanted any more."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress

import uvicorn

from lab.errors import CannotRun
from lab.room import guard, view
from lab.room.actions import Target
from lab.room.address import LAST_LOOK_S
from lab.room.board import Board
from lab.room.looker import Looker
from lab.room.server import application
from lab.room.view import Room
from lab.slo import spec
from lab.substrates import registry
from lab.wait import stopwatch

END_GRACE_S = 3
ORDER_BYTES_MAX = 4096
CONNECTIONS_MAX = 100


def serve(
    on: socket.socket, token: str, target: Target, *, read_only: bool, orders: int | None = None
) -> None:
    """Serve the room of a lab until a signal, or until `orders` ends.

    Args:
        on: where it listens.
        orders: a pipe of whoever holds the lab: its end is the end of the room. A line
            `{"report": FOLDER}` lets every open page go to the report of that run first.

    Raises:
        CannotRun: this kind of substrate cannot keep a lab up.
    """
    asyncio.run(_serve(on, token, target, read_only, orders))


def read_token(orders: int) -> str:
    """The first line of the orders; no command line may show it.

    Raises:
        CannotRun: there is none.
    """
    read = b""
    while len(read) < ORDER_BYTES_MAX:
        byte = os.read(orders, 1)  # one by one: what comes later is for others to read
        if byte in (b"", b"\n"):
            break
        read += byte
    if not read:
        raise CannotRun("no token came by standard input: this is for `lab up` and `lab run`")
    return read.decode("ascii")


class _Server(uvicorn.Server):
    """Ends its streams and commands before it waits for them."""

    def __init__(self, config: uvicorn.Config, board: Board) -> None:
        super().__init__(config)
        self._board = board

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._board.close()
        await super().shutdown(sockets)


async def _serve(
    on: socket.socket, token: str, target: Target, read_only: bool, orders: int | None
) -> None:
    provider = registry.keeping(target.substrate)
    room = Room(target, read_only, *view.goals(spec.load()))
    board = Board(room, Looker(target.name, provider, joins=not read_only))
    app = guard.Guarded(application(board, provider), port=on.getsockname()[1], token=token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # paths hold the token
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=END_GRACE_S,
        limit_concurrency=CONNECTIONS_MAX,
    )
    server = _Server(config, board)
    obeying = None if orders is None else asyncio.create_task(_obey(orders, board, server))
    await server.serve(sockets=[on])
    if obeying is not None:
        obeying.cancel()
        with suppress(asyncio.CancelledError):
            await obeying


async def _obey(orders: int, board: Board, server: uvicorn.Server) -> None:
    """Do what the holder of the lab says; leave when it has no more to say."""
    reader = asyncio.StreamReader(limit=ORDER_BYTES_MAX)
    with os.fdopen(orders, "rb", buffering=0, closefd=False) as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while line := await reader.readline():
                await _show_report(board, str(json.loads(line)["report"]))
        except (ValueError, KeyError, TypeError):
            pass  # what is no order ends the room, too
        finally:
            transport.close()
    server.should_exit = True


async def _show_report(board: Board, folder: str) -> None:
    """Let every open page go to a report, and wait until each has it."""
    pages = board.watching
    await board.send_to(f"runs/{folder}/report.html")
    with stopwatch() as seconds:
        while board.opened < pages and seconds() < LAST_LOOK_S:
            await board.news(0.1)
