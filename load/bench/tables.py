"""The tables of `make bench`, as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from load.bench.compare import figures
from load.bench.compare.turn import Turn

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def way(benchmark: Mapping[str, Any]) -> str:
    """The name of a way to publish, from what pytest-benchmark says."""
    count = str(benchmark["group"]).split(maxsplit=1)[0]
    param = benchmark.get("param") or "a window of 500"
    return f"{param}, {count} messages"


def saturation(rounds: Sequence[Sequence[Turn]], contender: str) -> float | None:
    """What a contender takes, in messages a second; None if it has no number."""
    return next((rate.per_s for rate in figures.rates(rounds) if rate.contender == contender), None)


def page(
    found: Mapping[str, Any],
    rounds: Sequence[Sequence[Turn]],
    scaled: Sequence[tuple[int, Turn]],
) -> list[str]:
    """Everything that the page of performance gets."""
    machine, versions = found["machine"], found["versions"]
    about = (
        f"Written by `make bench`: {machine['cpus']} processors, Python {machine['python']},"
        f" RabbitMQ {machine['rabbitmq']}, PostgreSQL {machine['postgresql']};"
        f" {', '.join(f'{name} {number}' for name, number in versions.items())}."
        f" Load average before: {machine['load_before'][0]}. It took {found['seconds']} s."
    )
    return [
        about,
        "",
        f"**A backlog of {found['messages']:,} messages, {found['rounds']} rounds**",
        "",
        *figures.table(rounds),
        "",
        "**By the number of workers, two children each**",
        "",
        *workers_table(scaled),
        "",
        "**Milliseconds from due to committed**, two workers, API sink, at shares of its rate",
        "",
        *latency_table(found.get("latency", {})),
        "",
        "**Messages confirmed a second, by way to publish**",
        "",
        *publishing_table(found["publishing"]),
    ]


def workers_table(scaled: Sequence[tuple[int, Turn]]) -> list[str]:
    """A line for each number of workers and sink."""
    lines = ["| workers | | messages/s | CPU µs a message | memory of a worker, MiB |"]
    lines.append("|---|---|---|---|---|")
    for workers, turn in scaled:
        if turn.per_s is None or turn.memory_mib is None:
            lines.append(f"| {workers} | {turn.contender} | no number: {turn.complaints[0]} | | |")
            continue
        lines.append(
            f"| {workers} | {turn.contender} | {turn.per_s:,.0f} | {turn.cpu_us_total:,.0f}"
            f" | {turn.memory_mib / workers:,.0f} |"
        )
    return lines


def latency_table(found: Mapping[float, Mapping[str, float]]) -> list[str]:
    """A line for each share of the saturation."""
    if not found:
        return ["not measured: the API sink has no number"]
    lines = ["| share | messages/s | mean | p50 | p95 | p99 |", "|---|---|---|---|---|---|"]
    return lines + [
        f"| {share:.0%} | {each['per_s']:,} | "
        + " | ".join(f"{each[name]:,.0f}" for name in ("mean", "p50", "p95", "p99"))
        + " |"
        for share, each in found.items()
    ]


def publishing_table(found: Mapping[str, float]) -> list[str]:
    """A line for each way."""
    lines = ["| way | messages/s |", "|---|---|"]
    return lines + [f"| {name} | {per_s:,} |" for name, per_s in found.items()]


def written_into(text: str, lines: Sequence[str]) -> str:
    """The page with these lines between its marks.

    Raises:
        ValueError: it does not have each mark once, in their order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"the page needs one {BEGIN} and after it one {END}")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *lines, END + after])
