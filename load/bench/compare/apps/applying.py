"""What the two asyncio libraries share: a pool of asyncpg, and one transaction for a message."""

from __future__ import annotations

import os
from typing import Any

import asyncpg

from load.bench.compare import work

_RECEIPT, _MATCH = work.receipt_statement(numbered=True), work.match_statement(numbered=True)


async def open_pool() -> asyncpg.Pool:
    """A pool of ten connections, asyncpg's own default."""
    return await asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=10, max_size=10)


async def apply(
    pool: asyncpg.Pool, message_id: str, published_at: str, match: dict[str, Any]
) -> None:
    """Apply one message."""
    async with pool.acquire() as connection, connection.transaction():
        receipt = work.receipt_row(message_id, published_at, match)
        if await connection.execute(_RECEIPT, *receipt) != "INSERT 0 0":
            await connection.execute(_MATCH, *work.match_row(message_id, match))
