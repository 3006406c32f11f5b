"""How does an SMS leave by OVHcloud? Jobs of its SMS interface, each request signed.

https://eu.api.ovh.com/console/?section=%2Fsms and https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import Field

from m2s.adapters.channels.answers import at, list_at, retry_after_s, seconds_left, silence, text_at
from m2s.adapters.channels.surroundings import ServedOptions
from m2s.adapters.channels.wire import NotSent, Outcome, Reply, Wire
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.instants import Clock

_HOSTS = {"eu": "https://eu.api.ovh.com/1.0", "ca": "https://ca.api.ovh.com/1.0"}
_LONGEST_VALIDITY_MIN = 2_880
_CLOCK_KEPT_S = 3_600.0
_BUSY = (429, 503)
_ABOUT_US = frozenset(
    {
        "FORBIDDEN",
        "INVALID_CREDENTIAL",
        "INVALID_KEY",
        "INVALID_SIGNATURE",
        "NOT_CREDENTIAL",
        "NOT_GRANTED_CALL",
    }
    | {"QUERY_TIME_OUT"}
)


class OvhOptions(ServedOptions):
    """`[channels.ovh]`: the three keys of an application, the SMS account and the sender.

    `stop_clause` has OVHcloud write its STOP into each message, which it asks of all advertising in France.
    `callback_token` is the last part of the address at which OVHcloud may report: who knows it is OVHcloud.
    """

    application_key: str
    application_secret: str
    consumer_key: str
    service_name: str
    sender: str | None = None
    stop_clause: bool = True
    region: Literal["eu", "ca"] = "eu"
    callback_token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,128}$")] | None = None
    base_url: str | None = None


class OvhChannel:
    """Sends SMS by OVHcloud, one job for each; the message's id is its tag, by which it can be found again."""

    def __init__(self, options: OvhOptions, *, wire: Wire, clock: Clock) -> None:
        self._options = options
        self._wire = wire
        self._clock = clock
        self._base = options.base_url or _HOSTS[options.region]
        self._account = f"/sms/{quote(options.service_name, safe='')}"
        self._line = wire.line(self._base, ca_file=options.ca_file)
        self._ahead_s = 0.0
        self._ahead_known_at_s = float("-inf")

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Creates one job; the coupon's code stands in its text."""
        del coupon
        if address.phone is None:
            return Refused("no_phone", "the shopper has no phone number", asked=False)
        left_s = seconds_left(message, self._clock.now(), least=1, most=_LONGEST_VALIDITY_MIN * 60)
        job: dict[str, Any] = {
            "message": message.body,
            "receivers": [address.phone],
            "tag": message.id,
            "validityPeriod": ceil(left_s / 60),
            "noStopClause": message.is_answer or not self._options.stop_clause,
            "priority": "high",
            "charset": "UTF-8",
        }
        job |= {"sender": self._options.sender} if self._options.sender else {"senderForResponse": True}
        outcome = self._wire.run(lambda until: self._asked("POST", f"{self._account}/jobs", job, until))
        return _result(outcome, now=self._clock.now()) if isinstance(outcome, Reply) else silence(outcome)

    def find(self, message: MessageRow, address: Address) -> Accepted | Refused | None:
        """Looks for the message's tag among what was sent."""
        del address
        path = f"{self._account}/outgoing?{urlencode({'tag': message.id})}"
        outcome = self._wire.run(lambda until: self._asked("GET", path, None, until))
        ids = outcome.json() if isinstance(outcome, Reply) and outcome.status == 200 else None
        if not isinstance(ids, list):
            raise LookupError("OVHcloud did not list what was sent")
        return Accepted(text_at(ids, 0)) if ids else None

    def check(self) -> Finding:
        """Reads the SMS account, signed."""
        outcome = self._wire.run(lambda until: self._asked("GET", self._account, None, until))
        if not isinstance(outcome, Reply):
            return Finding(False, outcome.detail, "look at the network, then try again")
        credits_left = at(outcome.json(), "creditsLeft")
        if outcome.status == 200 and isinstance(credits_left, int | float):
            return Finding(credits_left > 0, f"{credits_left:g} credits are left", "buy credits")
        said = _error(outcome)
        advice = "look at the three keys, their rights on /sms/*, and service_name"
        return Finding(False, f"status {outcome.status}: {said}", advice)

    async def _asked(self, method: str, path: str, value: Mapping[str, Any] | None, until: float) -> Outcome:
        """A signed exchange; a second one where the first was too late for OVHcloud, which then has done nothing."""
        outcome = await self._once(method, path, value, until)
        if isinstance(outcome, Reply) and outcome.status >= 400 and _error(outcome) == "QUERY_TIME_OUT":
            self._ahead_known_at_s = float("-inf")
            return await self._once(method, path, value, until)
        return outcome

    async def _once(self, method: str, path: str, value: Mapping[str, Any] | None, until: float) -> Outcome:
        failed = await self._know_the_time(until)
        if failed is not None:
            return failed
        body = "" if value is None else json.dumps(value, ensure_ascii=False)
        headers = {"content-type": "application/json", **self._signed(method, path, body)}
        url = f"{self._base}{path}"
        return await self._line.ask(method, url, headers=headers, body=body.encode(), until=until)

    def _signed(self, method: str, path: str, body: str) -> dict[str, str]:
        options = self._options
        timestamp = str(int(self._clock.now().timestamp() + self._ahead_s))
        parts = (
            options.application_secret,
            options.consumer_key,
            method,
            f"{self._base}{path}",
            body,
            timestamp,
        )
        # The signature that OVHcloud prescribes; its secret parts make the hash no weaker than they are.
        digest = hashlib.sha1("+".join(parts).encode()).hexdigest()  # noqa: S324
        return {
            "x-ovh-application": options.application_key,
            "x-ovh-consumer": options.consumer_key,
            "x-ovh-timestamp": timestamp,
            "x-ovh-signature": f"$1${digest}",
        }

    async def _know_the_time(self, until: float) -> NotSent | None:
        """Asks for OVHcloud's time once an hour: it refuses signatures whose time is not its own."""
        now_s = self._clock.monotonic_s()
        if now_s - self._ahead_known_at_s < _CLOCK_KEPT_S:
            return None
        outcome = await self._line.ask("GET", f"{self._base}/auth/time", headers={}, until=until)
        if not isinstance(outcome, Reply):
            return NotSent(f"not sent: the provider's time is not known; {outcome.detail}")
        told = text_at({"time": outcome.json()}, "time")
        if outcome.status != 200 or not told.isdecimal():
            return NotSent(f"not sent: the provider's time is not known; status {outcome.status}")
        self._ahead_s = int(told) - self._clock.now().timestamp()
        self._ahead_known_at_s = now_s
        return None


def _result(reply: Reply, *, now: datetime) -> SendResult:
    answer = reply.json()
    detail = f"status {reply.status}"
    if 200 <= reply.status < 300:
        ids, invalid = list_at(answer, "ids"), list_at(answer, "invalidReceivers")
        if ids:
            return Accepted(text_at(ids, 0))
        return (
            Refused("bad_number", f"{detail}: invalid receiver")
            if invalid
            else Unknown(f"{detail} without an id")
        )
    detail = f"{detail}: {_error(reply)}"
    if reply.status in _BUSY:
        return RetryLater(retry_after_s(reply, now), detail)
    if not 400 <= reply.status < 500:
        return Unknown(detail)
    said = text_at(answer, "message").lower()
    ours = reply.status in (401, 402, 403, 404) or _error(reply) in _ABOUT_US
    if ours or "credit" in said or "sender" in said:
        return Misconfigured(text_at(answer, "errorCode").lower() or f"status_{reply.status}", detail)
    if "receiver" in said:
        return Refused("bad_number", detail)
    return Refused("bad_message", detail, dead_letter=True)


def _error(reply: Reply) -> str:
    """OVHcloud's code, else the class of its error; its sentence may repeat the number."""
    answer = reply.json()
    return text_at(answer, "errorCode") or text_at(answer, "class") or "no code"
