"""The cases of promtool for the alerts on a topology with holes: as long as the topology is. Pure.

They are made, because each of them has to name everything that the broker should have.
"""

from __future__ import annotations

from typing import Any

from lab.monitoring import missing
from system.contract.topology import VHOST

_STAYS = "x30"
_GOES = "x4 stale"
_GOES_FOR_A_MOMENT = "x4 stale _ {count}x24"


def cases() -> dict[str, Any]:
    """The content of a file for `promtool test rules`."""
    queues = [_alert(missing.of_queue(name)) for name in missing.queues()]
    exchanges = [
        _alert(missing.of_exchange(name, count)) for name, count in missing.bindings().items()
    ]
    return {
        "rule_files": ["../rules/topology.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            _case("everything is there", [], _series(_STAYS, _STAYS)),
            _case("every queue goes", queues, _series(_GOES, _STAYS)),
            _case("every exchange goes", exchanges, _series(_STAYS, _GOES)),
            _case("each loses a binding", exchanges, _series(_STAYS, _STAYS, lost=1)),
            _case("all goes for a moment", [], _series(_GOES_FOR_A_MOMENT, _GOES_FOR_A_MOMENT)),
            # For BrokerDown to say.
            _case("the broker goes", [], _series(_GOES, _GOES, up="1x4 0x30")),
        ],
    }


def _case(name: str, alerts: list[dict[str, Any]], series: list[dict[str, str]]) -> dict[str, Any]:
    """What goes after the fifth minute, or has gone then, is told two minutes later."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [
            {"eval_time": when, "alertname": missing.ALERT, "exp_alerts": expected}
            for when, expected in (("4m", []), ("6m", []), ("7m", alerts), ("20m", alerts))
        ],
    }


def _series(
    queues: str, exchanges: str, *, lost: int = 0, up: str = f"1{_STAYS}"
) -> list[dict[str, str]]:
    """The broker's metrics: of its queues, and of its exchanges and their bindings.

    Args:
        queues, exchanges: what becomes of their series, in promtool's words.
        lost: how many bindings each exchange has lost from the fifth minute on.
    """

    def bound(count: int) -> str:
        return f"{count}x4 {count - lost}x25" if lost else _values(count, exchanges)

    queue = f'rabbitmq_detailed_queue_consumers{{vhost="{VHOST}", queue="%s"}}'
    exchange = f'rabbitmq_cluster_exchange_bindings{{vhost="{VHOST}", exchange="%s"}}'
    return [
        {"series": 'up{job="rabbitmq-detailed", instance="broker-0"}', "values": up},
        *({"series": queue % name, "values": _values(0, queues)} for name in missing.queues()),
        *(
            {"series": exchange % name, "values": bound(count)}
            for name, count in missing.bindings().items()
        ),
    ]


def _values(count: int, course: str) -> str:
    return f"{count}{course.format(count=count)}"


def _alert(rule: dict[str, Any]) -> dict[str, Any]:
    return {
        "exp_labels": {**rule["labels"], "vhost": VHOST},
        "exp_annotations": rule["annotations"],
    }
