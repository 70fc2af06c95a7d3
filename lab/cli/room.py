"""The command `lab room`: a lab in the browser."""

from __future__ import annotations

import socket
import sys
from contextlib import closing, suppress
from typing import Annotated

import typer

from lab.cli.kept import up_command
from lab.cli.options import LabName, SubstrateName, out
from lab.errors import CannotRun
from lab.substrates import registry


def room(
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
    read_only: Annotated[bool, typer.Option(help="To look at only.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens.", show_default="any free one")
    ] = 0,
    held: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Open a control room for a lab that is up, until Ctrl-C; `lab up` has opened one already.

    It listens on this machine only, and whoever opens it needs the whole address. Exit code: 0, or
    2 if there is no such lab.
    """
    # They need the web server, which the other commands do not.
    from lab.room import address, serve
    from lab.room.actions import Target

    target = Target(name, substrate)
    if held >= 0:  # by a door, which has the address; it says what is secret in it
        orders = sys.stdin.fileno()
        token = serve.read_token(orders)
        with closing(socket.socket(fileno=held)) as on, suppress(KeyboardInterrupt):
            serve.serve(on, token, target, read_only=read_only, orders=orders)
        return
    if registry.kept(name, substrate) is None:
        raise CannotRun(f"no lab named {name!r} runs here; start it with `{up_command(name)}`")
    try:
        made = address.listening(port)
    except OSError as error:
        raise CannotRun(f"nothing can listen on port {port}: {error.strerror}") from None
    token = address.new_token()
    with closing(made) as on, suppress(KeyboardInterrupt):
        out.print(
            f"The control room of the lab {name!r}: {address.address(on, token)}", markup=False
        )
        out.print("Ctrl-C closes it; the lab goes on.")
        serve.serve(on, token, target, read_only=read_only)
