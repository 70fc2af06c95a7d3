"""The HTTP way of a load: each message posted to the API, until it is answered."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator

import gevent
import urllib3
from gevent.pool import Pool

from lab.workload.observations import Message
from system.contract import match as contract
from system.contract.submission import Submission, Way

CONNECTIONS = 32
PAUSE_S = 0.5
"""Before a message is posted again."""
_TIMEOUT = urllib3.Timeout(connect=3, read=10)
ANSWER_BYTES_MAX = 64 * 1024


class HttpSender:
    """A `lab.workload.generator.Sender` that posts, many at a time; in a process of gevent only.

    Args:
        url: of the API.
        token: that writing needs.
        accepted: called with each message that was answered.
        failed: called with each try that was not: how long it took in milliseconds, and why.
    """

    def __init__(
        self,
        url: str,
        token: str,
        accepted: Callable[[Message], None],
        failed: Callable[[float, str], None],
    ) -> None:
        self._url = f"{url}/api/matches"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._accepted, self._failed = accepted, failed
        self._http = urllib3.PoolManager(
            maxsize=CONNECTIONS, block=True, timeout=_TIMEOUT, retries=False
        )
        self._posting = Pool(CONNECTIONS)
        self._open: dict[str, Message] = {}
        self._tried: set[str] = set()
        self._waiting: deque[Message] = deque()
        self.trouble = ""

    @property
    def pending(self) -> int:
        """The number of messages that are not answered."""
        return len(self._open)

    def send(self, message: Message) -> None:
        """Take a message over."""
        self._open[message.message_id] = message
        self._waiting.append(message)

    def work(self, for_s: float) -> None:
        """Post what may be posted, and let answers come."""
        while self._waiting and self._posting.free_count() > 0:
            self._posting.spawn(self._post, self._waiting.popleft())
        gevent.sleep(min(for_s, 0.005) if self._waiting else for_s)

    def left(self) -> Iterator[tuple[Message, bool]]:
        """What is not answered, each with whether it was posted: then it may have arrived."""
        for message_id, message in list(self._open.items()):
            yield message, message_id in self._tried

    def close(self) -> None:
        """Give up what is on its way."""
        self._posting.kill(timeout=5)
        self._http.clear()

    def _post(self, message: Message) -> None:
        submission = Submission(
            message_id=message.message_id,
            match=contract.dump(message.match),
            published_at=message.due,
            way=Way.HTTP,
        )
        begun = time.perf_counter()
        self._tried.add(message.message_id)
        why = self._why_not(json.dumps(submission.model_dump(mode="json")).encode())
        if not why:
            del self._open[message.message_id]
            self._accepted(message)
            return
        self.trouble = why
        self._failed((time.perf_counter() - begun) * 1000, why)
        gevent.sleep(PAUSE_S)
        self._waiting.append(message)

    def _why_not(self, body: bytes) -> str:
        """Post it; return why it was not accepted, or ""."""
        try:
            with self._http.request(
                "POST", self._url, body=body, headers=self._headers, preload_content=False
            ) as answer:
                content = answer.read(ANSWER_BYTES_MAX)
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return f"{type(error).__name__}"
        if answer.status not in (200, 201):
            return f"answered {answer.status}: {content[:100]!r}"
        return ""
