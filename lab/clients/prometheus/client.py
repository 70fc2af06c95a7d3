"""Queries Prometheus strictly: each query gives one value, or the reason why there is none.

The library underneath (prometheus-api-client) waits without limit, retries silently, and takes an
empty answer or NaN for a number. Here every request is bounded in time and size and is made once,
and a value counts only if it is exactly one, finite, and based on fresh samples.

Freshness needs a query of its own: the result of an instant query has the time of the query, though
its samples may be up to five minutes old, and `rate(x[5m])` has a value even if the last sample
came minutes ago. So the newest sample of each selector in the query is queried too (`freshness`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from lab.clients.prometheus import freshness
from lab.clients.prometheus.bounded import Bounded
from lab.clients.prometheus.promql import selectors
from lab.clients.prometheus.results import (
    Alert,
    NoData,
    NoDataReason,
    Sample,
    ScrapeTarget,
    Series,
)

CONNECT_S = 2.0
READ_S = 10.0
TOTAL_S = 20.0
BYTES_MAX = 64_000_000
POINTS_MAX = 11_000
"""For each series of a range query: Prometheus refuses more."""
FRESH_S = 10.0
"""How old a sample may be by default: ten scrapes of a lab. Production scrapes less often: 120."""


class Prometheus:
    """A client of one Prometheus. Connects at each query, and keeps nothing but a connection."""

    def __init__(self, url: str, *, read_s: float = READ_S, total_s: float = TOTAL_S) -> None:
        """Prepare; connects to nothing yet.

        Args:
            url: `http://host:port`, with the path before `/api` if there is one.
            read_s: seconds for each wait on the answer.
            total_s: seconds for a whole answer.
        """
        self.url = url.rstrip("/")
        self._place = urlsplit(self.url).netloc.rpartition("@")[2]  # no password in any text
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no password file of this machine's user
        self._session.max_redirects = 0
        self._library = PrometheusConnect(self.url, session=self._session)
        # After the library, which brings an adapter of its own that tries three times.
        self._session.mount(
            self.url,
            Bounded(connect_s=CONNECT_S, read_s=read_s, total_s=total_s, bytes_max=BYTES_MAX),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        self._session.close()

    def ready(self) -> bool:
        """Whether Prometheus runs and answers queries."""
        try:
            response = self._session.get(f"{self.url}/-/ready")
        except requests.RequestException:
            return False
        return response.status_code == requests.codes.ok

    def value(self, query: str, at: float | None = None, *, fresh_s: float = FRESH_S) -> float:
        """The one value of a query.

        Args:
            query: PromQL that gives one series, or a scalar.
            at: the time of the query, seconds since the epoch; now, if not given.
            fresh_s: the newest sample of each selector in the query may be this old at that time.
                A selector without any sample is left to the query, which may handle that by
                `or vector(0)`. If no selector has a sample, there is no value.

        Raises:
            NoData: there is no such value; `reason` says why.
        """
        found = self._instant(query, at)
        if not found:
            raise NoData(NoDataReason.EMPTY, f"no series answers {_short(query)}")
        if len(found) > 1:
            raise NoData(
                NoDataReason.MANY, f"{len(found)} series answer {_short(query)}; aggregate them"
            )
        sample, moment = found[0]
        if not math.isfinite(sample.value):
            raise NoData(NoDataReason.NOT_FINITE, f"{sample.value} answers {_short(query)}")
        self._require_fresh(query, moment, fresh_s)
        return sample.value

    def vector(self, query: str, at: float | None = None) -> list[Sample]:
        """Every series that a query gives at a moment; it may give none.

        Raises:
            NoData: unreachable or refused.
        """
        return [sample for sample, _ in self._instant(query, at)]

    def range(self, query: str, from_: float, to: float, step_s: float) -> list[Series]:
        """Every series that a query gives, from one moment to another, both included.

        Args:
            query: PromQL of an instant vector or scalar.
            from_, to: seconds since the epoch.
            step_s: seconds between two points.

        Raises:
            NoData: unreachable or refused; also more than `POINTS_MAX` points for each series.
        """
        if step_s <= 0 or to < from_ or (to - from_) / step_s > POINTS_MAX - 1:
            raise NoData(
                NoDataReason.REFUSED,
                f"from {from_:.0f} to {to:.0f} in steps of {step_s:g} s is not 1 to {POINTS_MAX} "
                f"points: {_short(query)}",
            )
        ends = {"start": f"{from_:.3f}", "end": f"{to:.3f}"}  # the library would round to seconds
        result = self._call(
            lambda: self._library.custom_query_range(
                query, datetime.fromtimestamp(from_, UTC), datetime.fromtimestamp(to, UTC),
                f"{step_s:.3f}", params=ends,
            ),
            query,
        )  # fmt: skip
        return [
            Series(
                dict(series["metric"]),
                tuple((float(moment), float(text)) for moment, text in series["values"]),
            )
            for series in result
        ]

    def targets(self) -> list[ScrapeTarget]:
        """Every target that is scraped now.

        Raises:
            NoData: unreachable.
        """
        active = self._call(lambda: self._library.get_targets(state="active"), "the targets")
        return [
            ScrapeTarget(
                target["labels"].get("job", ""),
                target["labels"].get("instance", ""),
                target["health"],
                target["lastError"],
            )
            for target in active["activeTargets"]
        ]

    def alerts(self) -> list[Alert]:
        """Every alert that is pending or firing.

        Raises:
            NoData: unreachable.
        """
        return [
            Alert(
                alert["labels"]["alertname"],
                alert["state"],
                dict(alert["labels"]),
                datetime.fromisoformat(alert["activeAt"]),
            )
            for alert in self._get("alerts")["alerts"]
        ]

    def head(self) -> tuple[float, float] | None:
        """The first and last time of the newest part of the database; None if it is empty.

        Seconds since the epoch. Older parts are in blocks on disk.

        Raises:
            NoData: unreachable.
        """
        head = self._get("status/tsdb")["headStats"]
        if not head["numSeries"]:
            return None
        return head["minTime"] / 1000, head["maxTime"] / 1000

    def _instant(self, query: str, at: float | None) -> list[tuple[Sample, float]]:
        params = {} if at is None else {"time": f"{at:.3f}"}
        result = self._call(lambda: self._library.custom_query(query, params=params), query)
        if result and not isinstance(result[0], dict):  # a scalar: one bare point
            result = [{"metric": {}, "value": result}]
        if any("value" not in entry for entry in result):
            raise NoData(NoDataReason.REFUSED, f"a range is no instant vector: {_short(query)}")
        return [
            (Sample(dict(entry["metric"]), float(entry["value"][1])), float(entry["value"][0]))
            for entry in result
        ]

    def _require_fresh(self, query: str, moment: float, fresh_s: float) -> None:
        asked = selectors(query)
        if not asked:
            return
        seen = {
            sample.labels[freshness.LABEL]: sample.value
            for sample in self.vector(freshness.question(asked), moment)
        }
        problem = freshness.problem(asked, seen, moment, fresh_s)
        if problem is not None:
            problem.add_note(f"asked for {_short(query)}")
            raise problem

    def _get(self, path: str) -> Any:
        def ask() -> Any:
            response = self._session.get(f"{self.url}/api/v1/{path}")
            response.raise_for_status()
            return response.json()["data"]

        return self._call(ask, path)

    def _call(self, ask: Callable[[], Any], what: str) -> Any:
        """Make a call, and turn every failure into NoData with its reason."""
        try:
            return ask()
        except PrometheusApiClientException as error:
            # The library puts status and body into one text; only 400 and 422 are about the query.
            text = str(error)
            refused = text.startswith(("HTTP Status Code 400", "HTTP Status Code 422"))
            reason = NoDataReason.REFUSED if refused else NoDataReason.UNREACHABLE
            raise NoData(reason, f"{self._place} answered {_short(what)}: {text[:500]}") from error
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise NoData(
                NoDataReason.UNREACHABLE,
                f"{self._place} gave no answer to {_short(what)}: {_cause(error)}",
            ) from error


def _cause(error: Exception) -> str:
    """The cause below the layers that only say "retries exceeded"."""
    inner = error.args[0] if error.args else error
    reason = getattr(inner, "reason", None)
    return f"{type(error).__name__}: {reason or error}"[:500]


def _short(query: str) -> str:
    """A query as one line of bounded length."""
    line = " ".join(query.split())
    return line if len(line) <= 200 else f"{line[:199]}…"
