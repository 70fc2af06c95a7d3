"""The operator's tool for dead letters: `python -m system.worker.dead_letters`.

list and show read, replay and discard act; all of them take one message at a time, so a queue of
any length costs the same memory.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from system import settings, tls
from system.console_help import WholeHelp
from system.errors import PipelineError
from system.messaging.publisher import Publisher
from system.settings import OperatorSettings
from system.worker.dead_letters import actions, queue, views
from system.worker.dead_letters import letter as letters
from system.worker.dead_letters.actions import LetterOutcome, LetterResult
from system.worker.dead_letters.file import LetterFile, as_json, summary
from system.worker.dead_letters.letter import DeadLetter, Selection
from system.worker.dead_letters.queue import HeldLetter
from system.worker.dead_letters.reasons import ADVICE, UnknownReason, known

LIST_MAX = 100_000
_EXIT_CODES = (
    "Exit codes:\n\n0  done\n\n1  something asked for is not there, or had to be kept\n\n"
    "2  could not run or go on: a setting, the broker, a file; what was not done is where it was"
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=WholeHelp,
    help="Looks at dead letters, and sends them again or discards them. Settings come from the"
    " environment: MISSING_TABLE_BROKER_URL (of the operator's user), MISSING_TABLE_CA_FILE.",
)

Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", help=f"Only these: {', '.join(ADVICE)}."),
]
Tasks = Annotated[list[str] | None, typer.Option("--task", help="Only for these tasks.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only these messages.")]
Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only those that died since: 30m, 2h, 3d, or ISO 8601."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="So many at most, the oldest first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command(
    "list",
    epilog="Examples:\n\npython -m system.worker.dead_letters list\n\n"
    "python -m system.worker.dead_letters list --reason invalid --since 2h --json\n\n"
    f"{_EXIT_CODES}",
)
def list_letters(
    reason: Reasons = None,
    task: Tasks = None,
    since: Since = None,
    message_id: Ids = None,
    limit: Annotated[int, typer.Option(min=1, max=LIST_MAX, help="Show so many at most.")] = 1000,
    as_json_lines: AsJson = False,
) -> None:
    """Sum them up by reason, then list them, the oldest first; leaves them where they are."""
    listed: list[DeadLetter] = []
    sums: defaultdict[str, views.ReasonSums] = defaultdict(views.ReasonSums)
    with _walk(_selection(reason, task, since, message_id)) as (_, walk):
        for held in walk:
            sums[held.letter.reason].add(held.letter)
            if len(listed) < limit:
                listed.append(held.letter)
    if as_json_lines:
        for letter in listed:
            typer.echo(json.dumps(summary(letter), ensure_ascii=False))
    else:
        _console().print(views.reasons(sums))
        if listed:
            _console().print(views.table(listed, sum(each.letters for each in sums.values())))


@app.command(
    epilog="Example:\n\npython -m system.worker.dead_letters show"
    f" 7d3c5a1e-0b1f-4d6e-9a51-1f6f6d1d9a51\n\n{_EXIT_CODES}"
)
def show(message_id: str, as_json_line: AsJson = False) -> None:
    """Show everything of one dead letter: its death, its headers, its body."""
    with _walk(Selection(ids=frozenset([message_id]))) as (_, walk):
        held = next(walk, None)
    if held is None:
        typer.echo(f"no dead letter has the id {message_id}", err=True)
        raise typer.Exit(1)
    if as_json_line:
        typer.echo(json.dumps(as_json(held.letter), ensure_ascii=False))
    else:
        _console().print(views.details(held.letter))


@app.command(
    epilog="Examples:\n\npython -m system.worker.dead_letters replay --reason exhausted --dry-run"
    "\n\npython -m system.worker.dead_letters replay --since 1d --limit 100\n\n"
    f"python -m system.worker.dead_letters replay --id 7d3c5a1e-… --force\n\n{_EXIT_CODES}"
)
def replay(
    reason: Reasons = None,
    task: Tasks = None,
    since: Since = None,
    message_id: Ids = None,
    limit: Limit = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also those that would die again, and those that were replayed too often.",
        ),
    ] = False,
    replays_max: Annotated[
        int, typer.Option(min=1, help="Replay one message so often at most.")
    ] = letters.REPLAYS_MAX,
    dry_run: DryRun = False,
    as_json_lines: AsJson = False,
) -> None:
    """Send dead letters again, each to its own queue under its own id; without filters, all.

    What a worker of this version would refuse again is kept, with the reason: use the tool of the
    version that the workers have.
    """
    with _walk(_selection(reason, task, since, message_id)) as (chosen, walk), ExitStack() as stack:
        publisher = None
        if not dry_run:
            publisher = stack.enter_context(
                Publisher(chosen.broker_url, name="dead-letters-replay", trust=tls.trust(chosen))
            )
        _report(
            actions.replay(islice(walk, limit), publisher, force=force, replays_max=replays_max),
            dry_run=dry_run,
            as_json_lines=as_json_lines,
        )


@app.command(
    epilog="Examples:\n\npython -m system.worker.dead_letters discard --reason invalid"
    " --to discarded.jsonl\n\npython -m system.worker.dead_letters discard --all --forget\n\n"
    f"{_EXIT_CODES}"
)
def discard(
    reason: Reasons = None,
    task: Tasks = None,
    since: Since = None,
    message_id: Ids = None,
    limit: Limit = None,
    to: Annotated[
        Path | None, typer.Option(help="Append them to this file first, as JSON lines.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Keep them nowhere.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="All of them: needed where no filter is given.")
    ] = False,
    dry_run: DryRun = False,
    as_json_lines: AsJson = False,
) -> None:
    """Take dead letters out of the queue, into a file or for good."""
    if (to is None) != forget:
        raise typer.BadParameter("give either --to FILE or --forget")
    selection = _selection(reason, task, since, message_id)
    if selection.is_everything != everything:
        raise typer.BadParameter("give either filters or --all")
    with _walk(selection) as (_, walk), ExitStack() as stack:
        file = stack.enter_context(LetterFile(to)) if to is not None and not dry_run else None
        _report(
            actions.discard(islice(walk, limit), file, dry_run=dry_run),
            dry_run=dry_run,
            as_json_lines=as_json_lines,
        )


def _selection(
    reason: list[str] | None, task: list[str] | None, since: str | None, ids: list[str] | None
) -> Selection:
    try:
        at = None if since is None else letters.moment(since, datetime.now(UTC))
        reasons = frozenset(map(known, reason or ()))
    except ValueError as error:
        raise typer.BadParameter(f"--since {error}") from None
    except UnknownReason as error:
        raise typer.BadParameter(f"--reason {error}") from None
    return Selection(reasons, frozenset(task or ()), frozenset(ids or ()), since=at)


@contextmanager
def _walk(selection: Selection) -> Iterator[tuple[OperatorSettings, Iterator[HeldLetter]]]:
    """The selected dead letters; an error that stops us becomes one sentence and exit code 2."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # we print the error once ourselves
    try:
        chosen = settings.load(OperatorSettings)
        url = chosen.broker_url.get_secret_value()
        with queue.open_channel(url, tls.trust(chosen)()) as channel:
            walk = queue.walk(channel)
            yield chosen, (held for held in walk if selection.selects(held.letter))
    except PipelineError as error:
        typer.echo(f"stopped: {error}", err=True)
        raise typer.Exit(2) from None


def _report(done: Iterable[LetterResult], *, dry_run: bool, as_json_lines: bool) -> None:
    """Print what becomes of each, as it happens, and the sums at the end."""
    counts: Counter[LetterOutcome] = Counter()
    would = "would be " if dry_run else ""
    for result in done:
        counts[result.outcome] += 1
        if as_json_lines:
            line = {
                **summary(result.letter),
                "did": result.outcome,
                "why": result.detail,
                "dry_run": dry_run,
            }
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            words = f"{result.letter.message_id}  {would}{result.outcome} {result.detail}"
            typer.echo(views.escaped(words))
    sums = ", ".join(f"{number} {would}{outcome}" for outcome, number in sorted(counts.items()))
    typer.echo(sums or "no dead letters of this kind", err=as_json_lines)
    if counts[LetterOutcome.KEPT]:
        raise typer.Exit(1)


def _console() -> Console:
    """As wide as the terminal; lines to a pipe are not folded."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=400)


if __name__ == "__main__":
    sys.exit(app())
