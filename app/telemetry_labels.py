"""Labels of metrics that cannot grow without bound, and families read when they are scraped.

Every label value of ours comes from a closed set. Where the set is another module's, `Capped` holds it to a
number: what comes later is `other`, so that a hostile provider or client makes no series.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

OTHER = "other"
_MAX_CHARS = 60


class Capped:
    """Maps label values to themselves, or to `other` once there are `most` different ones or one is long."""

    def __init__(self, most: int, known: frozenset[str] | None = None) -> None:
        """known: the only values there are; None: the first `most` that come."""
        self._most = most
        self._known = set(known or ())
        self._is_closed = known is not None

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if self._is_closed or len(self._known) >= self._most or len(value) > _MAX_CHARS:
            return OTHER
        self._known.add(value)
        return value

    def sums(self, counts: Mapping[str, float]) -> dict[str, float]:
        """Counts by label value, those that fold into one added up."""
        found: dict[str, float] = {}
        for value, count in counts.items():
            label = self(value)
            found[label] = found.get(label, 0.0) + count
        return found


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """An empty family with labels."""
    return GaugeMetricFamily(name, text, labels=labels)


def counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    """An empty family with labels. name: without `_total`."""
    return CounterMetricFamily(name, text, labels=labels)
