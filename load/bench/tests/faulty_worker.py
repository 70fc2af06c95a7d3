"""A consumer without a library, for the tests: `… faulty_worker QUEUE HOW`.

HOW: `honest`; `hasty` acknowledges first and is gone after some messages; `swaps` deletes a receipt
of its own and writes one of nobody's; `doubles` writes one receipt twice; `never-acks`; `stale`
leaves one match as it was not observed last.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pika
import psycopg

from load.bench.compare import work

SPECIAL = 250
"""The number of the message at which something goes wrong: after the warm-up."""


def main(queue: str, how: str) -> None:
    """Consume until the process is ended."""
    database = psycopg.connect(os.environ["BENCH_DATABASE_URL"], autocommit=True)
    if how == "doubles":
        database.execute("ALTER TABLE bench.receipts DROP CONSTRAINT receipts_pkey")
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["BENCH_BROKER_URL"])).channel()
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_qos(prefetch_count=0 if how == "never-acks" else 50)
    number = 0

    def handle(on: Any, method: Any, _properties: Any, body: bytes) -> None:
        nonlocal number
        number += 1
        if how == "hasty":
            on.basic_ack(method.delivery_tag)
            if number == SPECIAL:
                os._exit(1)  # the acknowledgement is sent, the work is not done
        _apply(database, json.loads(body), how if number == SPECIAL else "honest")
        if how not in ("hasty", "never-acks"):
            on.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, handle)
    channel.start_consuming()


def _apply(database: psycopg.Connection[Any], given: dict[str, Any], how: str) -> None:
    message_id, match = given["message_id"], given["match"]
    receipt = list(work.receipt_row(message_id, given["published_at"], match))
    written = [receipt]
    if how == "swaps":
        written = [["nobody's", *receipt[1:]]]
    if how == "doubles":
        written = [receipt, receipt]
    with database.transaction():
        for each in written:
            database.execute(work.receipt_statement(numbered=False), each)
        if how != "stale":
            database.execute(
                work.match_statement(numbered=False), work.match_row(message_id, match)
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
