"""How does the retailer's own system get a message? A POST signed by Standard Webhooks, its answer read."""

import asyncio
import base64
import json
import math
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from standardwebhooks import Webhook

from m2s.app.channel import Accepted, Address, Refused, RetryLater, SendResult, Unknown
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock, rfc3339

TIMEOUT_S = 10.0
"""For the whole exchange: an answer that trickles in must not outlive the message's lease."""
_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_WAIT_STATUSES = (429, 503)


class WebhookChannel:
    """Posts messages to one address. The receiver knows a repeated message by its `webhook-id`."""

    def __init__(self, url: str, secret: str, *, clock: Clock, timeout_s: float = TIMEOUT_S) -> None:
        """Raises Invalid for an address that is not HTTP or a secret that is not `whsec_…` of 24 to 64 bytes."""
        self._url = _http_url(url)
        self._webhook = Webhook(_secret_bytes(secret))
        self._clock = clock
        self._timeout_s = timeout_s
        self._tls = httpx2.create_ssl_context()

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Posts the message; reads only the status of the answer."""
        body = json.dumps(_payload(message, address, coupon, now=self._clock.now()), ensure_ascii=False)
        try:
            return asyncio.run(self._post(message.id, body))
        except TimeoutError:
            return Unknown(f"no answer within {self._timeout_s:g} s")
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            return RetryLater(0.0, f"no connection: {error}")
        except httpx2.TransportError as error:
            return Unknown(f"no answer: {type(error).__name__} {error}")

    async def _post(self, message_id: str, body: str) -> SendResult:
        """In a loop of its own, because only asyncio can end an exchange as a whole when its time is up."""
        # Half of the time, so that a connection that was never made is not taken for an answer in doubt.
        timeout = httpx2.Timeout(self._timeout_s, connect=self._timeout_s / 2)
        # A client for each message: a kept connection that the other side has just closed would look like doubt, too.
        async with (
            asyncio.timeout(self._timeout_s),
            httpx2.AsyncClient(timeout=timeout, verify=self._tls, follow_redirects=False) as client,
            client.stream(
                "POST", self._url, content=body.encode(), headers=self._headers(message_id, body)
            ) as response,
        ):
            return self._result(message_id, response)

    def _headers(self, message_id: str, body: str) -> dict[str, str]:
        now = self._clock.now()
        return {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(math.floor(now.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, now, body),
        }

    def _result(self, message_id: str, response: httpx2.Response) -> SendResult:
        status = response.status_code
        detail = f"status {status}"
        if response.is_success:
            return Accepted(provider_id=message_id)
        if status in _WAIT_STATUSES:
            return RetryLater(_retry_after_s(response.headers.get("retry-after"), self._clock.now()), detail)
        if response.is_redirect:
            return Refused("redirect", f"{detail}: redirects are not followed; configure the final address")
        if response.is_client_error:
            return Refused("gone" if status == httpx2.codes.GONE else "rejected", detail)
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


def _retry_after_s(text: str | None, now: datetime) -> float:
    """Seconds of a Retry-After header (RFC 9110 § 10.2.3): a number or an HTTP date; 0 without a usable one."""
    if text is None:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0


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
