"""Makes sure that nothing outlives a lab, however it ends.

    lab (the keeper)  ── forks ──>  the work  ── starts ──>  broker, database, workers, …

The keeper only waits. When the work has ended, for whatever reason, it ends what is left and
removes the folders. On Linux both are subreapers: processes whose parent died become their
children, so children of children are found. If the keeper itself is killed, the kernel sends the
work SIGTERM, which ends everything in order; if both are killed, it signals each service. The next
lab sweeps the rest.
Where there is no subreaper (macOS), the sessions of the recorded processes are ended instead.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from lab.errors import CannotRun
from lab.substrates.local import cleaning
from lab.substrates.local.instance import FAILED, Instance

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

END_GRACE_S = 40
"""How long the work may take to end in order once it is asked to; then it is killed."""

INTERRUPTED = 130
COULD_NOT_RUN = 2


def run_guarded(work: Callable[[], int], instance: Instance) -> int:
    """Run `work` in a child process; leave no process and no folder of the instance behind.

    Call it from the main thread, before other threads exist. SIGINT reaches `work` as
    KeyboardInterrupt, SIGTERM and SIGHUP as SystemExit; a second signal ends it at once. `work`
    cleans up in `finally`; functions registered with `atexit` do not run.

    The folder is removed in the end, but for the logs of a failed start. Returns and raises as
    `lab.substrates.provider.Provider.guarded`.
    """
    cleaning.sweep_dead(instance.folder.parent)
    with instance.claimed():
        instance.begin()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        keeper = os.getpid()
        held_back = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _be_the_work(work, instance, keeper, held_back)
        watch = _Watch(child)
        before = {n: signal.signal(n, watch.forward) for n in _FORWARDED}
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, watch.end)
        signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
        try:
            code = watch.wait()
            if watch.crashed:
                instance.change(phase=FAILED)
            cleaning.close(instance, descendants=True)
        finally:
            signal.alarm(0)
            for number, handler in before.items():
                signal.signal(number, handler)
        return code


@contextmanager
def in_process(instance: Instance) -> Iterator[None]:
    """Hold an instance within this process, for tests: claim it, and close it after the block.

    Unlike `run_guarded` it cannot clean up after a death of this process; the services end then
    (Linux), and their folders wait for the next lab to sweep them. Raises as `claimed`.
    """
    with instance.claimed():
        instance.begin()
        try:
            yield
        finally:
            cleaning.close(instance)


class _Watch:
    """The keeper's side: passes signals on and waits for the work to end."""

    def __init__(self, child: int) -> None:
        self._child = child
        self._asked = False
        self.crashed = False

    def forward(self, number: int, frame: FrameType | None) -> None:
        """Ask the work to end; at the second time, end it."""
        if self._asked:
            self.end(number, frame)
            return
        self._asked = True
        signal.alarm(END_GRACE_S)
        self._send(signal.Signals(number))

    def end(self, number: int, frame: FrameType | None) -> None:
        """End the work at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._child, number)

    def wait(self) -> int:
        """Reap whatever ends until the work has; return its exit code."""
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == self._child:
                break
        signal.alarm(0)
        code = os.waitstatus_to_exitcode(status)
        self.crashed = code < 0 and not self._asked
        return code if code >= 0 else 128 - code


def _be_the_work(
    work: Callable[[], int], instance: Instance, keeper: int, mask: Iterable[int]
) -> NoReturn:
    """The child's side: never returns."""
    code = COULD_NOT_RUN
    try:
        # A group of its own: Ctrl-C reaches the keeper, which passes it on once.
        os.setpgid(0, 0)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGHUP, _leave)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if os.getppid() == keeper:  # else it died before the kernel was asked to signal
            code = work()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else COULD_NOT_RUN
    except CannotRun as error:
        print(error, file=sys.stderr)  # noqa: T201
    except BaseException:  # the process ends here, whatever it was
        traceback.print_exc()
    finally:
        for number in _FORWARDED:
            signal.signal(number, signal.SIG_IGN)
        try:
            if os.getppid() != keeper:
                cleaning.close(instance, descendants=True)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Unwind everything in order, once: a second request must not interrupt the cleaning."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _prctl(option: int, value: int) -> None:
    """Linux's prctl, if there is one."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")
