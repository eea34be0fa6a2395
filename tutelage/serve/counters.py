"""What a server counts, as Prometheus reads it: its own registry, nothing global."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tutelage.serve.guardrails import BROKEN, Flag

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class _Read(Collector):
    """Numbers that others keep, read when they are asked for."""

    waiting: Callable[[], int]
    dropped: Callable[[], int]

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        yield GaugeMetricFamily(
            "tutelage_waiting_requests", "Requests no answer was begun of.", value=self.waiting()
        )
        yield CounterMetricFamily(
            "tutelage_events_dropped", "Events that were not written.", value=self.dropped()
        )


class Counters:
    """Every figure a server gives out; labels have few values each."""

    def __init__(self, *, waiting: Callable[[], int], dropped: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Read(waiting, dropped))
        self._requests = self._counter("requests", "Requests by route and status.", "route status")
        self._tokens = self._counter("tokens", "Tokens of prompts and of answers.", "kind")
        self._finished = self._counter("answers", "Answers by how they ended.", "finish")
        self._flags = self._counter("flags", "What guardrails found.", "check side kind action")
        self._broken = self._counter(
            "guardrail_failures", "Checks that broke, by what then became of it.", "check action"
        )
        self._seconds = self._histogram("answer_seconds", "From request to the end of the answer.")
        self._first = self._histogram("first_token_seconds", "From request to the first token.")

    def release(self, **about: str) -> None:
        """Says what is served."""
        Info("tutelage_release", "What is served.", registry=self._registry).info(about)

    def request(self, route: str, status: int) -> None:
        """A request was answered, or refused."""
        self._requests.labels(route, str(status)).inc()

    def answer(self, finish: str, *, prompt: int, completion: int, seconds: float) -> None:
        """An answer ended."""
        self._finished.labels(finish).inc()
        self._tokens.labels("prompt").inc(prompt)
        self._tokens.labels("completion").inc(completion)
        self._seconds.observe(seconds)

    def first_token(self, seconds: float) -> None:
        """The first token of an answer was drawn."""
        self._first.observe(seconds)

    def flags(self, flags: Iterable[Flag]) -> None:
        """Guardrails found something, or broke."""
        for flag in flags:
            self._flags.labels(flag.check, flag.side, flag.kind, flag.action).inc(flag.count)
            if flag.kind == BROKEN:
                self.broken(flag.check, flag.action)

    def broken(self, check: str, action: str) -> None:
        """A check broke."""
        self._broken.labels(check, action).inc()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, says: str, labels: str) -> Counter:
        return Counter(f"tutelage_{name}", says, labels.split(), registry=self._registry)

    def _histogram(self, name: str, says: str) -> Histogram:
        return Histogram(f"tutelage_{name}", says, buckets=SECONDS, registry=self._registry)
