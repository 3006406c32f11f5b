"""What does the service count about itself? Prometheus metrics; none carries an id of a person or a place."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
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
        self._commit_s = Histogram(
            "m2s_commit_seconds", "Time of one synced commit.", buckets=_COMMIT_S, registry=self.registry
        )
        self._group_items = Histogram(
            "m2s_commit_sightings", "Sightings of one commit.", buckets=_GROUP_ITEMS, registry=self.registry
        )

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

    def commit(self, seconds: float, *, sightings: int) -> None:
        """Notes one commit: how long it took and how many sightings it held."""
        self._commit_s.observe(seconds)
        self._group_items.observe(sightings)

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
