"""What does sending need from outside? One protocol for every channel, and the closed set of what can come of it.

Every answer of a provider is one of five results. The worker (`m2s/app/deliver.py`) knows nothing of providers: what
becomes of a message, of its token and of the channel follows from the result alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from m2s.app.rows import CouponRow, MessageRow

CALL_LIMIT_S = 8.0
"""No call may take longer, from first to last byte: a service that is told to stop has 10 s to end the calls that run,
and a call must end well within its message's lease."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel reaches a shopper: the push token with its platform, or the E.164 phone.

    `push_token_at` is when the phone last registered the token.
    """

    device_id: str | None
    push_token: str | None
    platform: str | None
    phone: str | None
    push_token_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message: its 2xx with an id, or what it says of an id that it had already.

    `parts` is how many parts an SMS was sent in, each with a receipt of its own, where the provider says so.
    """

    provider_id: str
    parts: int = 1


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Nothing was sent, and it may go better later: 429, 500 or 503 before acceptance, no connection.

    `after_s` is how long the provider asks to wait (`Retry-After`), 0 where it does not say: all that goes by it waits
    for so long. `least_s` is the first wait where it does not say, doubled at each try (FCM's 429: 60; FCM's 500 and
    503: 1); 0 leaves it to the worker: 1, 4, 16, then 64 s. `of_address` says that it is this address that has to
    wait and the provider is well (APNs' 429 TooManyRequests, with `after_s` of 15 min).
    """

    after_s: float
    detail: str
    least_s: float = 0.0
    of_address: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was sent and nothing will be by this channel; the message may go by the shopper's next one.

    `token_invalid_before` says that the push token is dead if it was registered until then: FCM's 404 UNREGISTERED
    and its 400 with an FcmError on the token (the time of the call), APNs' 410 (its `timestamp`) and its
    BadDeviceToken after the environment was checked (the time of the call).

    `opted_out` says that the provider knows an opposition of the recipient (SMS: blocked by STOP): it becomes ours.

    `dead_letter` says that the message itself is wrong and a person has to look at it: FCM's 400 with field
    violations, APNs' 413 and other 400. Such a message goes by no other channel, because it can be replayed.

    With none of these: the number or the receiver does not exist, or takes nothing from us.

    `asked` is False where we saw so ourselves and called nobody: that says nothing of how the provider is.
    """

    code: str
    detail: str
    token_invalid_before: datetime | None = None
    opted_out: bool = False
    dead_letter: bool = False
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Nothing was sent, and nothing will be to anybody until an operator acts: the channel stops with an alarm.

    FCM's 403 SENDER_ID_MISMATCH and 401 THIRD_PARTY_AUTH_ERROR, APNs' 403 after one try with a new token and its
    TooManyProviderTokenUpdates, wrong credentials or an empty account at an SMS provider. Tokens are kept, and the
    message waits while it is valid.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been sent: a time-out or a reset after the request left, an answer that makes no sense."""

    detail: str


SendResult = Accepted | RetryLater | Refused | Misconfigured | Unknown


class ChannelAdapter(Protocol):
    """Carries messages of one channel to a provider."""

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Sends one message; called from several threads at once.

        `message.id` is the idempotency and collapse id and our reference, `message.valid_until` the provider's expiry.
        Returns within `CALL_LIMIT_S` a result for everything that a provider can answer; an exception counts as
        Unknown. Details go into the database and the log: no number, token or secret may be in them.
        """
        ...


@runtime_checkable
class Divided(Protocol):
    """A channel that several providers carry, each held to its own rate and with a breaker of its own."""

    @property
    def providers(self) -> Collection[str]:
        """Their names."""
        ...

    def provider_of(self, address: Address) -> str:
        """Who carries messages to an address; where nobody does, any of them."""
        ...


def providers_of(adapter: ChannelAdapter) -> Collection[str]:
    """The providers of a channel; one without a name where it is not divided."""
    return adapter.providers if isinstance(adapter, Divided) else ("",)


@runtime_checkable
class Finder(Protocol):
    """A channel whose provider can be asked by our own reference what became of a message in doubt."""

    def find(self, message: MessageRow, address: Address) -> Accepted | Refused | None:
        """What the provider knows of `message.id`: it has it, it has refused it, or None where it has never had it.

        Raises anything where it cannot say. Only asked for messages in doubt, and not before a minute has passed.
        """
        ...
