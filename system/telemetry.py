"""Structured logs: one JSON object a line on standard error, with the message's id in each.

One id can be followed with grep from the page to the receipt. Bodies and secrets are never logged.

An event with a list of fields under EACH becomes a line for each of them: all that costs more than
the JSON itself is then paid once.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator

import structlog

EACH = "each"
WRITE_BYTES_MAX = 4096
"""Several processes of a worker share a pipe, which keeps apart what is written in pieces up to
this size (PIPE_BUF)."""


def configure(role: str, level: str = "INFO") -> None:
    """Set logging up for this process; libraries that use the standard library included."""
    numeric = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _role(role),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            _lines,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=lambda *_: _Writer(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=numeric, force=True)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # the publisher reports its failures


_JSON = json.JSONEncoder(default=str)


def _lines(_logger: object, _name: str, event: structlog.typing.EventDict) -> str:
    each = event.pop(EACH, ({},))
    return "\n".join(_JSON.encode({**fields, **event}) for fields in each)


class _Writer(structlog.WriteLogger):
    """Writes an event as structlog does, its lines in pieces."""

    def msg(self, message: str) -> None:
        for piece in pieces(message.split("\n")):
            super().msg(piece)

    debug = info = warning = error = critical = exception = msg


def pieces(lines: Iterable[str]) -> Iterator[str]:
    """Join lines, of ASCII, so that each piece and the line feed behind it fit WRITE_BYTES_MAX.

    A line that is longer is a piece of its own.
    """
    piece = ""
    for line in lines:
        longer = f"{piece}\n{line}" if piece else line
        if piece and len(longer) >= WRITE_BYTES_MAX:
            yield piece
            longer = line
        piece = longer
    if piece:
        yield piece


def _role(role: str) -> structlog.typing.Processor:
    def add(
        _logger: object, _name: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("role", role)
        return event

    return add
