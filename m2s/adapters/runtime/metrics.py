"""What does the service count about itself? Prometheus metrics; none carries an id of a person or a place."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from m2s.adapters.runtime.callback_metrics import CallbackMetrics
from m2s.adapters.runtime.delivery_metrics import DeliveryMetrics

_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_CLOCK_S = (-86_400, -3_600, -300, -60, -10, -2, 2, 10, 60, 300, 3_600, 86_400)
_WRONG_CLOCK_S = 300
_GROUP_ITEMS = (1, 5, 10, 50, 100, 250, 500, 1000, 2000)


class Metrics:
    """The counters of one engine, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "m2s_requests", "HTTP requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._by_request: dict[tuple[str, str, int], Counter] = {}
        self._sightings = Counter(
            "m2s_sightings",
            "Sightings answered, by verdict: accepted, away, duplicate, rejected.",
            ("verdict",),
            registry=self.registry,
        )
        self._verdicts = [
            self._sightings.labels(verdict) for verdict in ("accepted", "away", "duplicate", "rejected")
        ]
        self._unknown_fields = Counter(
            "m2s_sightings_unknown_fields_sampled",
            "Fields of sightings that this version does not know, counted in one request of 64.",
            registry=self.registry,
        )
        self._decisions = Counter(
            "m2s_decisions",
            "Decisions made, by outcome: send, ghost, suppressed.",
            ("outcome",),
            registry=self.registry,
        )
        self._visits = Counter(
            "m2s_visit_events",
            "Visits told in answers, by event: visit.started, visit.corrected, visit.retracted.",
            ("event",),
            registry=self.registry,
        )
        self._commit_s = Histogram(
            "m2s_commit_seconds",
            "Time from a group of sightings to its synced commit.",
            buckets=_COMMIT_S,
            registry=self.registry,
        )
        self._group_items = Histogram(
            "m2s_commit_sightings", "Sightings of one commit.", buckets=_GROUP_ITEMS, registry=self.registry
        )

        self.delivery = DeliveryMetrics(self.registry)
        self.callbacks = CallbackMetrics(self.registry, self.delivery)
        self._watch_limits()
        self._watch_time()

    def _watch_limits(self) -> None:
        self._waiting = Gauge(
            "m2s_sightings_waiting", "Sightings that wait for a commit.", registry=self.registry
        )
        self._remembered = Gauge(
            "m2s_sightings_remembered",
            "Sightings remembered to tell repeats; dedupe_max_ids is the most.",
            registry=self.registry,
        )
        self._refused = Counter(
            "m2s_sightings_refused",
            "Requests with sightings that were answered 503, by cause.",
            ("reason",),
            registry=self.registry,
        )
        self._connections = Gauge("m2s_connections", "Connections that are open.", registry=self.registry)
        self._cut_off = Counter(
            "m2s_connections_cut_off",
            "Connections closed on a client, by what it was too slow with, or because there were too many.",
            ("reason",),
            registry=self.registry,
        )

    def _watch_time(self) -> None:
        self._out_of_range = Counter(
            "m2s_sightings_out_of_range",
            "Sightings rejected for their time: too_old, too_new.",
            ("reason",),
            registry=self.registry,
        )
        self._dead_letters = Counter(
            "m2s_dead_letters", "Sightings that could not be processed.", registry=self.registry
        )
        self._clock_s = Histogram(
            "m2s_device_clock_ahead_seconds",
            "How far a phone's clock is ahead of ours, each time that this is new or has changed.",
            buckets=_CLOCK_S,
            registry=self.registry,
        )
        self._wrong_clocks = Counter(
            "m2s_device_clocks_wrong",
            "Phones found with a clock more than 5 minutes off, each time that this is new or has changed.",
            registry=self.registry,
        )

    def watch_remembered(self, remembered: Callable[[], int]) -> None:
        """Says who knows how many sightings are remembered to tell repeats."""
        self._remembered.set_function(remembered)

    def watch_waiting(self, waiting: Callable[[], int]) -> None:
        """Says where the number of sightings that wait can be asked for."""
        self._waiting.set_function(waiting)

    def watch_connections(self, connections: Callable[[], int]) -> None:
        """Says where the number of open connections can be asked for."""
        self._connections.set_function(connections)

    def refused(self, reason: str) -> None:
        """Counts a request with sightings that cannot be taken now."""
        self._refused.labels(reason).inc()

    def cut_off(self, reason: str) -> None:
        """Counts a connection that was closed on its client."""
        self._cut_off.labels(reason).inc()

    def request(self, method: str, route: str, *, status: int) -> None:
        """Counts one answered request under its route's template."""
        key = (method, route, status)
        counter = self._by_request.get(key)
        if counter is None:
            counter = self._by_request[key] = self._requests.labels(method, route, str(status))
        counter.inc()

    def sightings(self, *, accepted: int, away: int, duplicates: int, rejected: int) -> None:
        """Counts the verdicts of one batch."""
        counts = (accepted, away, duplicates, rejected)
        for counter, count in zip(self._verdicts, counts, strict=True):
            if count:
                counter.inc(count)

    def unknown_fields(self, count: int) -> None:
        """Counts unknown fields of a sampled request."""
        self._unknown_fields.inc(count)

    def decision(self, outcome: str) -> None:
        """Counts one decision."""
        self._decisions.labels(outcome).inc()

    def visit(self, event: str) -> None:
        """Counts one event of a visit."""
        self._visits.labels(event).inc()

    def commit(self, seconds: float, *, sightings: int) -> None:
        """Notes one commit: how long it took and how many sightings it held."""
        self._commit_s.observe(seconds)
        self._group_items.observe(sightings)

    def out_of_range(self, *, too_old: int, too_new: int) -> None:
        """Counts sightings that were rejected for their time."""
        self._out_of_range.labels("too_old").inc(too_old)
        self._out_of_range.labels("too_new").inc(too_new)

    def dead_letter(self) -> None:
        """Counts a sighting that could not be processed."""
        self._dead_letters.inc()

    def clock(self, ahead_s: float) -> None:
        """Notes how far a phone's clock is ahead of ours."""
        self._clock_s.observe(ahead_s)
        if abs(ahead_s) > _WRONG_CLOCK_S:
            self._wrong_clocks.inc()

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
