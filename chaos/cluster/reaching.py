"""Whether a pod can connect to an address: it is tried from within."""

from __future__ import annotations

from chaoslib.exceptions import ActivityFailed

from chaos.cluster import driver
from chaos.cluster.pods import Pod, standing

TRY_S = 3
OPEN, CLOSED = "open", "closed"
_TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), {seconds}).close()
    print("open")
except OSError as error:
    print("closed", type(error).__name__)
"""


def tried(pod: Pod, address: str) -> str:
    """`open`, or `closed` and why.

    Raises:
        ActivityFailed: it could not be tried.
    """
    host, _, port = address.rpartition(":")
    code, said = driver.execute(pod, "python", "-c", _TRY.format(seconds=TRY_S), host, port)
    answer = said.strip()
    if code != 0 or not answer.startswith((OPEN, CLOSED)):
        raise ActivityFailed(f"{pod.name} could not try {address}: exit code {code}, {answer!r}")
    return answer


def callers(parts: list[str]) -> list[Pod]:
    """A pod of each part, from which is tried.

    Raises:
        ActivityFailed: a part has none that runs and stays.
    """
    found = [each for each in driver.pods(parts) if not each.ending]
    if missing := sorted({*parts} - {each.part for each in found}):
        raise ActivityFailed(f"no pod of {', '.join(missing)}, so nothing can be tried")
    return found


def need_standing(parts: list[str]) -> dict[str, Pod]:
    """The pod of each part that is ready.

    Raises:
        ActivityFailed: a part has none: there would be nothing to break.
    """
    found = standing(driver.pods(parts), parts)
    if missing := [part for part in parts if part not in found]:
        raise ActivityFailed(f"{', '.join(missing)}: no pod that is ready, so nothing to break")
    return found
