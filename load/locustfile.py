"""Locust's way in: `locust -f load/locustfile.py --config load/profiles/ten-times.conf`.

It needs a lab that is up (`lab up`), or `--host` and the credentials in the environment; see
docs/guides/load.md. Every load ends with the lab's audit, and Locust's exit code is the worse of
budgets and verdict.
"""

from __future__ import annotations

from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from load import options
from load.leader import HALT, Leader
from load.shapes import ProfileShape
from load.users import DONE, FLUSH_S, HttpUser, QueueUser

__all__ = ["HttpUser", "ProfileShape", "QueueUser"]

events.init_command_line_parser.add_listener(options.add)


def _wire(environment: Environment, **_: Any) -> None:
    """Connect this process's part: it leads, or it sends what another one tells it to."""
    runner: Any = environment.runner
    # Whatever was attempted is to be flushed, or noted as not known.
    environment.stop_timeout = max(environment.stop_timeout or 0.0, FLUSH_S + 5)
    if isinstance(runner, WorkerRunner):
        runner.register_message(HALT, lambda environment, msg: _halt(environment))
        # The process that leads has the last word; this one has failed only if it crashed.
        events.quitting.add_listener(lambda environment, **_: _end_well(environment))
        return
    leader = Leader(environment)
    ProfileShape.leader = leader
    runner.register_message(DONE, lambda environment, msg: leader.share_done(msg.data["place"]))
    events.test_start.add_listener(lambda **_: leader.begin())
    events.test_stop.add_listener(lambda **_: leader.judge(stopped=True))
    events.quitting.add_listener(lambda **_: _quit(leader, runner))


events.init.add_listener(_wire)


def _halt(environment: Environment) -> None:
    shares = getattr(environment.parsed_options, options.SHARES, None)
    if shares is not None:
        shares["halted"] = True


def _end_well(environment: Environment) -> None:
    if environment.process_exit_code is None:
        environment.process_exit_code = 0


def _quit(leader: Leader, runner: Any) -> None:
    runner.stop()
    leader.judge(stopped=True)
    leader.note_if_nothing_ran()
