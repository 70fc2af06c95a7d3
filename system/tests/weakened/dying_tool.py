"""The operator's tool for dead letters, dying at a point of its work; see `sudden`.

publish    a letter is sent again
write      a letter is written to the file
take       a letter is taken out of the queue
"""

from __future__ import annotations

from system.messaging.publisher import Publisher
from system.tests.weakened import run_given, sudden
from system.worker.dead_letters.file import LetterFile
from system.worker.dead_letters.queue import HeldLetter

if __name__ == "__main__":
    sudden.around(Publisher, "publish", lambda *_, **__: "publish")
    sudden.around(LetterFile, "append", lambda *_: "write")
    sudden.around(HeldLetter, "take", lambda *_: "take")
    run_given()
