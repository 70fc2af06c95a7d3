"""The series of a run that never was, as a run leaves its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.substrates.local import programs

BEGIN = 1_790_000_000
SECONDS = 90


def stored(
    folder: Path, *, failed: int, slow_s: float, until: int = SECONDS, busy: int = SECONDS
) -> Path:
    """The series of a run that took 1000 messages: blocks of Prometheus in `folder`/prometheus.

    Args:
        failed: messages that were given up.
        slow_s: the mean latency.
        until: when the worker was scraped for the last time, seconds from the beginning.
        busy: when the last message came.
    """
    lines: dict[str, list[str]] = {}

    def sample(name: str, labels: str, at: int, value: float) -> None:
        lines.setdefault(name, []).append(f"{name}{{{labels}}} {value} {BEGIN + 1.003 * at:.3f}")

    for at in range(SECONDS + 1):
        part = min(1.0, at / busy)
        sample("up", 'job="backend"', at, 1)
        sample("missing_table_effects_total", 'effect="created",way="queue"', at, 1000 * part)
        sample("missing_table_effects_total", 'effect="duplicate",way="queue"', at, 500)
        sample("rabbitmq_global_messages_dead_lettered_delivery_limit_total", "", at, 0)
        sample("missing_table_message_latency_seconds_sum", "", at, slow_s * 1000 * part)
        sample("missing_table_message_latency_seconds_count", "", at, 1000 * part)
        sample("missing_table_message_latency_seconds_bucket", 'le="2.5"', at, 1000 * part)
        if at <= until:
            sample("missing_table_dead_lettered_total", 'reason="invalid"', at, 70)
            sample("missing_table_dead_lettered_total", 'reason="exhausted"', at, failed)
    text = "\n".join(line for each in lines.values() for line in each) + "\n# EOF\n"
    (folder / "series.txt").write_text(text, "utf-8")
    series = folder / "prometheus"
    subprocess.run(
        [
            *(programs.need("promtool"), "tsdb", "create-blocks-from", "openmetrics"),
            *(str(folder / "series.txt"), str(series)),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder
