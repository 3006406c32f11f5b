"""What does sending need from outside? One protocol for every channel, and the closed set of what can come of it."""

from dataclasses import dataclass
from typing import Protocol

from m2s.app.rows import CouponRow, MessageRow


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel reaches a shopper: the push token with its platform, or the E.164 phone."""

    device_id: str | None
    push_token: str | None
    platform: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Nothing was sent; try again after so many seconds."""

    after_s: float
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was sent and nothing will be: bad address, bad content, or opted out."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been sent."""

    detail: str


SendResult = Accepted | RetryLater | Refused | Unknown


class ChannelAdapter(Protocol):
    """Carries messages of one channel to a provider."""

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Sends one message; `message.id` is the idempotency and collapse id.

        Returns a result for everything that a provider can answer; an exception counts as Unknown.
        """
        ...
