"""The local substrate as commands and fixtures use it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from lab.substrates.abilities import Finished
from lab.substrates.local import detached, doctor, keeper, tools
from lab.substrates.local.attached import Attached
from lab.substrates.local.instance import BASE, Instance, instances
from lab.substrates.local.local import Local
from lab.substrates.local.pool import Pool
from lab.substrates.local.run_to_end import run_to_end
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate
from lab.substrates.provider import (
    Beside,
    Call,
    Finding,
    Kept,
    Say,
    Status,
    Striker,
    nothing,
    silent,
)


class LocalProvider:
    """Labs as processes of this machine; those that are kept live below `.lab/`."""

    name = Local.name
    substrate: type[Substrate] = Local
    tools = tuple(tools.TOOLS)

    def __init__(self, pool: Pool | None = None) -> None:
        """Prepare; see `Local` for the pool."""
        self._pool = pool

    @contextmanager
    def pooled(self, base: Path) -> Iterator[LocalProvider]:
        """A provider whose `opened` labs use servers that are kept from one lab to the next."""
        with closing(Pool(base)) as pool:
            yield LocalProvider(pool)

    def run_python(
        self, *arguments: str, env: Mapping[str, str], cwd: Path, within_s: float
    ) -> Finished:
        """Run `python -m ARGUMENTS…` to its end, as a copy of a process where there is a pool."""
        forks = self._pool.forks if self._pool else None
        argv = [sys.executable, "-m", *arguments]
        return run_to_end(argv, env=env, cwd=cwd, within_s=within_s, forks=forks)

    @contextmanager
    def opened(self, lab: str, base: Path, say: Say = silent) -> Iterator[Local]:
        """A lab within this process."""
        instance = Instance.named(lab, base)
        with keeper.in_process(instance):
            yield Local(instance, say, self._pool)

    def guarded(self, lab: str, work: Callable[[Substrate], int], say: Say = silent) -> int:
        """Run `work` in a child process of which nothing is left in the end."""
        instance = Instance.named(lab)
        return keeper.run_guarded(lambda: work(Local(instance, say)), instance)

    def start(self, lab: str, plan: Plan, say: Say) -> Kept:
        """Start a keeper that outlives this command."""
        instance = Instance.named(lab)
        detached.start(instance, ["hold", lab, "--substrate", self.name], plan, say)
        return detached.kept(instance)

    def hold(
        self, lab: str, plan: Plan, say: Say, striker: Striker, beside: Beside = nothing
    ) -> int:
        """Keep a lab until a signal asks for its end."""
        return detached.hold(Instance.named(lab), plan, say, striker, beside)

    def stop(self, lab: str) -> bool:
        """End a lab, or sweep what a dead one has left."""
        return detached.stop(Instance.named(lab))

    def status(self, lab: str) -> Status:
        """Look at a lab from outside."""
        return detached.status(Instance.named(lab))

    def labs(self, *, alive: bool = True) -> list[Kept]:
        """The labs below `.lab/`."""
        return [detached.kept(each) for each in instances(BASE) if each.is_alive() or not alive]

    def attach(self, lab: str) -> Attached:
        """A lab that another process keeps."""
        return Attached(Instance.named(lab))

    def call(self, lab: str, tool: str, arguments: list[str]) -> Call:
        """How to run a service's own tool against a lab that is up."""
        return tools.call(Instance.named(lab), tool, arguments)

    def settings_file(self, lab: str) -> Path:
        """Write the settings of a lab that is up into a file for a shell."""
        return tools.settings_file(Instance.named(lab))

    def examine(self) -> list[Finding]:
        """What this machine has and lacks."""
        return doctor.examine()
