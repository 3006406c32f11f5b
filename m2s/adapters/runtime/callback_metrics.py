"""What does the service count of what SMS providers tell? Prometheus metrics by provider; none carries a number."""

from prometheus_client import CollectorRegistry, Counter

from m2s.adapters.runtime.delivery_metrics import DeliveryMetrics


class CallbackMetrics:
    """The counters of receipts and replies, in an engine's registry."""

    def __init__(self, registry: CollectorRegistry, delivery: DeliveryMetrics) -> None:
        self._delivery = delivery
        self._receipts = Counter(
            "m2s_receipts",
            "Receipts of SMS providers: new, repeated, or of a message that is unknown (yet).",
            ("provider", "verdict"),
            registry=registry,
        )
        self._replies = Counter(
            "m2s_replies",
            "Replies of shoppers, each once, by what they ask for: stop, start, help, hours, other.",
            ("provider", "word"),
            registry=registry,
        )

    def receipt(self, provider: str, verdict: str) -> None:
        """Counts a receipt."""
        self._receipts.labels(provider, verdict).inc()

    def moved(self, state: str) -> None:
        """Counts a message that has come to a state by receipts."""
        self._delivery.settled("sms", state)

    def reply(self, provider: str, word: str) -> None:
        """Counts a reply."""
        self._replies.labels(provider, word).inc()
