"""Ports for servers of a test's own, which bind them seconds later."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"
WITHIN_S = 30.0


def free_port() -> int:
    """A port that nobody listens on; for a minute this gives it to nobody else, in no process.

    A port that was only bound and closed is free for the next connection or test, and the server
    that it is for may take seconds to start. After a connection that ended at it, it stays in
    TIME-WAIT for a minute: the kernel then chooses it no more, but for who shares addresses
    (SO_REUSEADDR, as all servers do): the server that is started on it can bind it.
    """
    with socket.socket() as listener:
        listener.bind((HOST, 0))  # does not share: what is in TIME-WAIT is not chosen
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen()
        listener.settimeout(WITHIN_S)
        address = listener.getsockname()
        with socket.create_connection(address, timeout=WITHIN_S) as near:
            far, _ = listener.accept()
            far.close()  # before the other end, so that this one stays in TIME-WAIT
            near.recv(1)
    return int(address[1])
