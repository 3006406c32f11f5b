"""What does the service count of its messages? Prometheus metrics by channel; none carries an id."""

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_CALL_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8)


class DeliveryMetrics:
    """The counters of delivery, in an engine's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "m2s_calls",
            "Calls of channels, by result: accepted, refused, retry_later, misconfigured, unknown.",
            ("channel", "result"),
            registry=registry,
        )
        self._call_s = Histogram(
            "m2s_call_seconds",
            "How long calls of channels take.",
            ("channel",),
            buckets=_CALL_S,
            registry=registry,
        )
        self._settled = Counter(
            "m2s_messages",
            "Messages that have come to a state, each counted once for every state.",
            ("channel", "state"),
            registry=registry,
        )
        self._maybe_doubled = Counter(
            "m2s_messages_maybe_doubled",
            "Messages sent again that may have been sent, under the same id: more duplicates there are not.",
            ("channel",),
            registry=registry,
        )
        self._maybe_lost = Counter(
            "m2s_messages_maybe_lost",
            "Messages of which nobody knows whether they were sent: more have not been lost on the way.",
            ("channel",),
            registry=registry,
        )
        self._held_up = Gauge(
            "m2s_channel_held_up",
            "1 while a provider's circuit breaker is open, for the cause: failures or misconfigured.",
            ("channel", "provider", "cause"),
            registry=registry,
        )
        self._overdue_s = Gauge(
            "m2s_messages_overdue_seconds",
            "For how long the message that is due for longest has been due and neither sent nor ended.",
            registry=registry,
        )
        self._notices = Counter(
            "m2s_webhook_calls",
            "Calls of webhooks, by result: delivered, failed (it is tried again), given_up.",
            ("result",),
            registry=registry,
        )

    def watch_overdue(self, overdue_s: Callable[[], float]) -> None:
        """Says who knows for how long messages have been due."""

        def known() -> float:
            try:
                return overdue_s()
            except Exception:
                # Whatever ails the database: the other figures may tell.
                return math.nan

        self._overdue_s.set_function(known)

    def notice(self, result: str) -> None:
        """Counts a call of a webhook that has ended."""
        self._notices.labels(result).inc()

    def call(self, channel: str, result: str, *, took_s: float) -> None:
        """Counts a call that has ended."""
        self._calls.labels(channel, result).inc()
        self._call_s.labels(channel).observe(took_s)

    def settled(self, channel: str, state: str) -> None:
        """Counts a message that has come to a state."""
        self._settled.labels(channel, str(state)).inc()

    def maybe_doubled(self, channel: str, messages: int) -> None:
        """Counts messages that will be sent again after doubt."""
        self._maybe_doubled.labels(channel).inc(messages)

    def maybe_lost(self, channel: str, messages: int) -> None:
        """Counts messages whose doubt never ended."""
        self._maybe_lost.labels(channel).inc(messages)

    def held_up(self, channel: str, provider: str, *, troubled: bool, misconfigured: bool) -> None:
        """Notes how a provider is."""
        self._held_up.labels(channel, provider, "failures").set(troubled and not misconfigured)
        self._held_up.labels(channel, provider, "misconfigured").set(misconfigured)
