"""How does the retailer's own system get a message? A POST signed by Standard Webhooks, its answer read."""

import base64
import json
import math
from datetime import datetime
from typing import Any

import httpx2
from standardwebhooks import Webhook

from m2s.adapters.channels.answers import retry_after_s, silence
from m2s.adapters.channels.surroundings import Options, connected
from m2s.adapters.channels.wire import Reply, Wire
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock, rfc3339

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_WAIT_STATUSES = (429, 503)
_NOT_US_STATUSES = (401, 403)


class WebhookOptions(Options):
    """`[channels.webhook]`: where messages are posted, and the `whsec_…` secret that signs them."""

    url: str
    secret: str


class WebhookChannel:
    """Posts messages to one address. The receiver knows a repeated message by its `webhook-id`."""

    def __init__(self, options: WebhookOptions, *, wire: Wire, clock: Clock) -> None:
        """Raises Invalid for an address that is not HTTP or a secret that is not `whsec_…` of 24 to 64 bytes."""
        self._url = _http_url(options.url)
        self._webhook = Webhook(_secret_bytes(options.secret))
        self._clock = clock
        self._wire = wire
        self._line = wire.line(self._url)

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Posts the message; reads only the status of the answer."""
        body = json.dumps(_payload(message, address, coupon, now=self._clock.now()), ensure_ascii=False)
        return self._wire.run(lambda until: self._post(message.id, body, until))

    def check(self) -> Finding:
        """Connects; posts nothing."""
        return connected(self._wire, self._line, self._url)

    async def _post(self, message_id: str, body: str, until: float) -> SendResult:
        reply = await self._line.ask(
            "POST", self._url, headers=self._headers(message_id, body), body=body.encode(), until=until
        )
        return self._result(message_id, reply) if isinstance(reply, Reply) else silence(reply)

    def _headers(self, message_id: str, body: str) -> dict[str, str]:
        now = self._clock.now()
        return {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(math.floor(now.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, now, body),
        }

    def _result(self, message_id: str, reply: Reply) -> SendResult:
        detail = f"status {reply.status}"
        if 200 <= reply.status < 300:
            return Accepted(provider_id=message_id)
        if reply.status in _WAIT_STATUSES:
            return RetryLater(retry_after_s(reply, self._clock.now()), detail)
        if reply.status in _NOT_US_STATUSES:
            return Misconfigured("webhook", f"{detail}: the receiver does not take our signature")
        if 300 <= reply.status < 400:
            return Refused("redirect", f"{detail}: redirects are not followed; configure the final address")
        if 400 <= reply.status < 500:
            return Refused("gone" if reply.status == httpx2.codes.GONE else "rejected", detail)
        return Unknown(detail)


def _payload(
    message: MessageRow, address: Address, coupon: CouponRow | None, *, now: datetime
) -> dict[str, Any]:
    return {
        "type": "message.send",
        "timestamp": rfc3339(now),
        "data": {
            "message_id": message.id,
            "decision_id": message.decision_id,
            "shopper_id": message.shopper_id,
            "device_id": address.device_id,
            "campaign_id": message.campaign_id,
            "offer_id": message.offer_id,
            "store_id": message.store_id,
            "title": message.title,
            "body": message.body,
            "valid_until": rfc3339(message.valid_until),
            "coupon": None if coupon is None else _coupon(coupon),
        },
    }


def _coupon(coupon: CouponRow) -> dict[str, Any]:
    return {
        "code": coupon.code,
        "value": coupon.value,
        "min_basket": coupon.min_basket,
        "currency": coupon.currency,
        "expires_at": rfc3339(coupon.expires_at),
    }


def _http_url(text: str) -> str:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise Invalid(f"webhook url {text!r}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise Invalid(f"webhook url {text!r}: write it like https://shop.example/m2s")
    return text


def _secret_bytes(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise Invalid(f"webhook secret: it is {_PREFIX!r} followed by 24 to 64 random bytes in base64")
    return secret
