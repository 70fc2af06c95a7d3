"""The pipeline's metrics by name, and the queries of dashboards and `lab top`, as PromQL. Pure.

A mean over no event would be 0/0; here such a query gives no value, and a dashboard shows a gap.
"""

from __future__ import annotations

LATENCY = "missing_table_message_latency_seconds"
TOOK_EFFECT = 'missing_table_effects_total{effect=~"created|updated|unchanged|filled|stale"}'
ACCEPTED = "missing_table_accepted_total"
PROCESSED = "missing_table_messages_processed_total"
RETRIED = "missing_table_retries_total"
DEAD_LETTERED = "missing_table_dead_lettered_total"
RUNTIME = "missing_table_task_runtime_seconds"
CONSUMING = "missing_table_worker_consuming"
IN_FLIGHT = "missing_table_tasks_in_flight"
OUTBOX = "missing_table_outbox_messages"
OUTBOX_AGE = "missing_table_outbox_oldest_age_seconds"
FAULTS = "missing_table_lab_fault_active"

READY = "rabbitmq_detailed_queue_messages_ready"
UNACKED = "rabbitmq_detailed_queue_messages_unacked"
CONSUMERS = "rabbitmq_detailed_queue_consumers"
IN_QUEUE = "rabbitmq_detailed_queue_messages"
WORK_QUEUES = 'queue=~"matches[.](process|validate)"'
RETRY_QUEUES = 'queue=~"matches[.]process[.]retry[.].+"'
DEAD_LETTERS = 'queue="matches.dead-letter"'

FIRING = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'
"""The watchdog always fires, so that its absence is noticed; it is no alarm."""

EVERY_S = "$__rate_interval"
"""Grafana replaces it by a range that holds at least four scrapes."""


def rate(counter: str, *by: str, window: str = EVERY_S) -> str:
    """The rate a second, summed over all labels but `by`."""
    return f"sum{_by(by)} (rate({counter}[{window}]))"


def mean(histogram: str, *by: str, where: str = "", window: str = EVERY_S) -> str:
    """The mean of a histogram's observations; no value if there was none.

    Args:
        histogram: its name, without `_sum` or `_count`.
        by: labels that are kept apart.
        where: selects among its series, such as `outcome="succeeded"`.
        window: a range, such as `5m`.
    """
    only = f"{{{where}}}" if where else ""
    counted = rate(f"{histogram}_count{only}", *by, window=window)
    return f"{rate(f'{histogram}_sum{only}', *by, window=window)} / ({counted} > 0)"


def quantile(share: float, histogram: str, *by: str, where: str = "", window: str = EVERY_S) -> str:
    """The value below which this share of a histogram's observations lies; see `mean`."""
    only = f"{{{where}}}" if where else ""
    buckets = rate(f"{histogram}_bucket{only}", "le", *by, window=window)
    return f"histogram_quantile({share:g}, {buckets})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
