"""The server's own figures: what it accepted, refused and dropped, how long it took; as Prometheus reads them.

A metric has a bounded set of labels: beyond `SERIES`, further combinations are counted together as `other`.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

SERIES = 1_000
"""Label combinations of one metric. Beyond: they are added up under `other`, so that no sender fills the memory."""
REFUSED = "tallybook_records_refused_total"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[str, ...]


class Metric(NamedTuple):
    """Name, kind and meaning of a figure."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...] = ()


_MODEL = ("project", "provider", "model")
_LISTED = (
    ("tallybook_records_accepted_total", "Records written, by the way they came.", ("source", "kind")),
    (REFUSED, "Records or requests not taken, by reason.", ("source", "reason")),
    ("tallybook_records_ignored_total", "Items that are no records of model calls.", ("source", "reason")),
    ("tallybook_records_repeated_total", "Records known to be there already.", ("source",)),
    ("tallybook_requests_total", "HTTP requests answered.", ("method", "route", "status")),
    ("tallybook_failures_total", "Failures of the server itself, by what failed.", ("what",)),
    ("tallybook_calls_total", "Model calls seen since the server started.", (*_MODEL, "operation", "status")),
    ("tallybook_tokens_total", "Tokens of these calls.", (*_MODEL, "type")),
    ("tallybook_cost_usd_total", "Known cost of these calls in USD.", _MODEL),
    ("tallybook_unpriced_calls_total", "Calls among them whose cost is not known.", _MODEL),
)
METRICS: dict[str, Metric] = {name: Metric(name, "counter", about, labels) for name, about, labels in _LISTED}
TIMES = Metric("tallybook_request_duration_seconds", "histogram", "Time to answer.", ("route",))


class Gauge:
    """Counters, times, and values that are looked up when asked for. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, float]] = {name: {} for name in METRICS}
        self._times: dict[Labels, list[float]] = {}
        self._values: dict[str, tuple[str, Callable[[], float]]] = {}
        self.on_count: Callable[[str, Labels, float], None] | None = None
        """Told of every refusal: who watches for those that come over and over."""

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter of `METRICS`."""
        series = self._counts[name]
        with self._lock:
            if labels not in series and len(series) >= SERIES:
                labels = ("other",) * len(labels)
            series[labels] = series.get(labels, 0) + by
        if name == REFUSED and self.on_count is not None:
            self.on_count(name, labels, by)

    def total(self, name: str, *labels: str) -> float:
        """A counter's value; without labels, of all its combinations."""
        with self._lock:
            series = self._counts[name]
            return series.get(labels, 0) if labels else sum(series.values())

    def took(self, route: str, seconds: float) -> None:
        """Note how long an answer took."""
        with self._lock:
            row = self._times.setdefault((route,), [0.0] * (len(BUCKETS_S) + 2))
            place = bisect_left(BUCKETS_S, seconds)
            if place < len(BUCKETS_S):
                row[place] += 1
            row[-2] += 1
            row[-1] += seconds

    def value(self, name: str, about: str, look: Callable[[], float]) -> None:
        """Have a value looked up at each reading."""
        self._values[name] = (about, look)

    def text(self) -> str:
        """All of it in Prometheus' text format 0.0.4."""
        with self._lock:
            counts = {name: dict(series) for name, series in self._counts.items()}
            times = {labels: list(row) for labels, row in self._times.items()}
        return "".join(f"{line}\n" for line in self._lines(counts, times))

    def _lines(self, counts: dict[str, dict[Labels, float]], times: dict[Labels, list[float]]) -> Iterator[str]:
        for name, metric in METRICS.items():
            yield from _head(metric)
            for labels, number in sorted(counts[name].items()):
                yield f"{name}{_labelled(metric.labels, labels)} {_number(number)}"
        yield from _head(TIMES)
        for labels, row in sorted(times.items()):
            below = 0.0
            for bound, number in zip(BUCKETS_S, row, strict=False):
                below += number
                yield f"{TIMES.name}_bucket{_labelled((*TIMES.labels, 'le'), (*labels, f'{bound:g}'))} {_number(below)}"
            yield f"{TIMES.name}_bucket{_labelled((*TIMES.labels, 'le'), (*labels, '+Inf'))} {_number(row[-2])}"
            yield f"{TIMES.name}_sum{_labelled(TIMES.labels, labels)} {row[-1]:.6f}"
            yield f"{TIMES.name}_count{_labelled(TIMES.labels, labels)} {_number(row[-2])}"
        for name, (about, look) in sorted(self._values.items()):
            yield f"# HELP {name} {about}"
            yield f"# TYPE {name} gauge"
            yield f"{name} {_number(look())}"


def _head(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.about}"
    yield f"# TYPE {metric.name} {metric.kind}"


def _labelled(names: tuple[str, ...], values: Labels) -> str:
    if not names:
        return ""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
