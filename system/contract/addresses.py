"""The addresses of a broker that is one node, or several of one cluster. Pure."""

from __future__ import annotations

import re

_BETWEEN = re.compile(r";(?=\s*amqps?://)")


def addresses(setting: str) -> list[str]:
    """The addresses in the value of MISSING_TABLE_BROKER_URL, one or more.

    Several have a `;` between them, as kombu writes it: `amqp://…@a/%2F;amqp://…@b/%2F`. They are
    nodes of one cluster: whoever loses one goes on with the next. A `;` in a password is none
    between two.
    """
    return [each.strip() for each in _BETWEEN.split(setting)]
