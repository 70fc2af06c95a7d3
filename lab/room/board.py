"""What is known now, for every page that is open; looks at the lab only while one is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from lab.errors import LabError
from lab.room import runs, view
from lab.room.jobs import Jobs
from lab.room.looker import Looker
from lab.room.scene import Scene
from lab.room.view import Room, Shown

EVERY_S = 1.0
"""Seconds between two looks."""
REST_SHARE = 1.0
"""After a look that took long, the room rests at least as long: it must not be the load itself."""
QUICK_S = 0.25
"""At most so often something is shown that commands have printed."""
FRESH_S = 2.0


class Board:
    """The newest of everything. Belongs to the thread of its event loop."""

    def __init__(self, room: Room, looker: Looker) -> None:
        self.room = room
        self.jobs = Jobs(self._note)
        self.shown = Shown()
        self.go = ""
        """Where every page is to go now, if not empty."""
        self.opened = 0
        """How many reports were handed over."""
        self.closing = False
        self._looker = looker
        self._scene = Scene(0.0, "starting")
        self._runs: list[runs.Run] = []
        self._watching = 0
        self._noted = asyncio.Event()
        self._watched = asyncio.Event()
        self._changed = asyncio.Condition()
        self._looking = asyncio.Lock()

    async def work(self) -> None:
        """Look and publish, for as long as the room is open; only while somebody watches."""
        while True:
            await self._watched.wait()
            begun = time.monotonic()
            await self._look()
            await self._publish()
            took = time.monotonic() - begun
            until = begun + max(EVERY_S, took * (1 + REST_SHARE))
            while (left := until - time.monotonic()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._noted.wait(), left)
                if self._noted.is_set():  # a command has said something
                    self._noted.clear()
                    self._runs = await asyncio.to_thread(runs.newest)
                    await self._publish()
                    await asyncio.sleep(min(QUICK_S, max(0.0, until - time.monotonic())))

    async def page(self) -> str:
        """The whole page, as it is now."""
        if time.time() - self._scene.at > FRESH_S:
            await self._look()
        return view.page(self.room, self._scene, self.jobs.newest_first(), self._runs)

    @property
    def scene(self) -> Scene:
        """What was seen last."""
        return self._scene

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Somebody watches, for the block."""
        self._watching += 1
        self._watched.set()
        try:
            yield
        finally:
            self._watching -= 1
            if not self._watching:
                self._watched.clear()

    @property
    def watching(self) -> int:
        """How many pages are open."""
        return self._watching

    async def news(self, within_s: float) -> None:
        """Return when something may have changed, or after a while."""
        async with self._changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), within_s)

    async def send_to(self, place: str) -> None:
        """Let every page go somewhere, a path relative to the page."""
        self.go = place
        await self._tell()

    async def note_opened(self) -> None:
        """A report was handed over as a whole."""
        self.opened += 1

    async def close(self) -> None:
        """Let every stream end, and every command."""
        self.closing = True
        await self._tell()
        await self.jobs.close()
        self._looker.close()

    def _note(self) -> None:
        self._noted.set()

    async def _look(self) -> None:
        async with self._looking:
            try:
                self._scene = await asyncio.to_thread(self._looker.look)
            except (LabError, OSError, ValueError) as error:
                self._scene = Scene(time.time(), "starting", trouble=str(error))
            self._runs = await asyncio.to_thread(runs.newest)

    async def _publish(self) -> None:
        self.shown = view.shown(self.room, self._scene, self.jobs.newest_first(), self._runs)
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
