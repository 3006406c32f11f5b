"""How does an SMS leave by a gateway that m2s does not know? As the settings describe its request and its answers."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from math import ceil
from typing import Literal
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from pydantic import Field, field_validator

from m2s.adapters.channels.answers import retry_after_s, seconds_left, silence, text_at
from m2s.adapters.channels.gateway_callbacks import GatewayCallback
from m2s.adapters.channels.surroundings import ServedOptions, connected
from m2s.adapters.channels.wire import Reply, Wire
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock, rfc3339

Format = Literal["json", "form", "xml", "text"]
_FIELD = re.compile(r"\{([a-z_]+)\}")
_NAMES = ("sender", "phone", "phone_digits", "text", "message_id", "valid_s", "valid_min", "valid_until")
_LONGEST_VALIDITY_S = 7 * 24 * 3600
_QUOTES = {'"': "&quot;", "'": "&apos;"}
_ESCAPED: Mapping[Format, Callable[[str], str]] = {
    "json": lambda value: json.dumps(value)[1:-1],
    "form": quote_plus,
    "xml": lambda value: escape(value, _QUOTES),
    "text": str,
}
_CONTENT_TYPES: Mapping[Format, str] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "application/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}


class GatewayOptions(ServedOptions):
    """`[channels.gateway]`: the request with its placeholders, where the answer has its id, and what errors mean.

    `id` and `error` are paths into a JSON answer (`messages.0.id`), `id_pattern` and `error_pattern` regular
    expressions with one group for any other. Error codes are listed under what they mean; without an `id`, an accepted
    status is enough. `callback` says how the gateway reports.
    """

    url: str
    sender: str | None = None
    method: Literal["GET", "POST", "PUT"] = "POST"
    headers: Mapping[str, str] = Field(default_factory=dict)
    format: Format = "json"
    body: str = ""
    accepted_status: tuple[int, ...] = (200, 201, 202)
    id: str | None = None
    id_pattern: str | None = None
    error: str | None = None
    error_pattern: str | None = None
    opted_out: tuple[str, ...] = ()
    bad_number: tuple[str, ...] = ()
    bad_message: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    misconfigured: tuple[str, ...] = ()
    callback: GatewayCallback | None = None

    @field_validator("url", "body")
    @classmethod
    def _fields_are_known(cls, text: str) -> str:
        unknown = sorted({name for name in _FIELD.findall(text) if name not in _NAMES})
        if unknown:
            raise ValueError(f"there is no placeholder {{{unknown[0]}}}; there are: {', '.join(_NAMES)}")
        return text

    @field_validator("id_pattern", "error_pattern")
    @classmethod
    def _has_a_group(cls, text: str | None) -> str | None:
        try:
            groups = re.compile(text or "()").groups
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        if groups != 1:
            raise ValueError("put the part that is meant into one pair of parentheses")
        return text


class GatewayChannel:
    """Sends SMS by the gateway of the settings."""

    def __init__(self, options: GatewayOptions, *, wire: Wire, clock: Clock) -> None:
        """Raises Invalid where a placeholder stands in the address's host."""
        self._options = options
        self._wire = wire
        self._clock = clock
        self._fixed = options.url.split("?", 1)[0].split("{", 1)[0]
        if self._fixed.count("/") < 3 and "{" in options.url:
            raise Invalid("channels.gateway.url: placeholders may stand in its path and query only")
        self._line = wire.line(self._fixed, ca_file=options.ca_file)

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Makes the one request; the coupon's code stands in the text."""
        del coupon
        if address.phone is None:
            return Refused("no_phone", "the shopper has no phone number", asked=False)
        options = self._options
        values = _values(message, address.phone, sender=options.sender or "", now=self._clock.now())
        url = _filled(options.url, values, lambda value: quote(value, safe=""))
        body = _filled(options.body, values, _ESCAPED[options.format]).encode()
        own = {"content-type": _CONTENT_TYPES[options.format]} if body else {}
        headers = {**own, **{name.lower(): value for name, value in options.headers.items()}}
        outcome = self._wire.run(
            lambda until: self._line.ask(options.method, url, headers=headers, body=body, until=until)
        )
        return self._result(outcome, message.id) if isinstance(outcome, Reply) else silence(outcome)

    def check(self) -> Finding:
        """Connects; asks for nothing."""
        return connected(self._wire, self._line, self._fixed)

    def _result(self, reply: Reply, message_id: str) -> SendResult:
        options = self._options
        code = _part(reply, options.error, options.error_pattern)
        detail = f"status {reply.status}" + (f": code {code}" if code else "")
        meant = self._meant(code, detail, now=self._clock.now(), reply=reply) if code else None
        if meant is not None:
            return meant
        if reply.status in options.accepted_status:
            return self._taken(reply, code, detail, message_id)
        if reply.status in (429, 503):
            return RetryLater(retry_after_s(reply, self._clock.now()), detail)
        if reply.status in (401, 403, 404, 405):
            return Misconfigured(f"status_{reply.status}", detail)
        if 400 <= reply.status < 500:
            return Refused("rejected", detail, dead_letter=True)
        return Unknown(detail)

    def _meant(self, code: str, detail: str, *, now: datetime, reply: Reply) -> SendResult | None:
        """What a code means by the lists of the settings; None where it stands in none."""
        options = self._options
        if code in options.opted_out:
            return Refused("opted_out", detail, opted_out=True)
        if code in options.bad_number:
            return Refused("bad_number", detail)
        if code in options.bad_message:
            return Refused("bad_message", detail, dead_letter=True)
        if code in options.busy:
            return RetryLater(retry_after_s(reply, now), detail)
        if code in options.misconfigured:
            return Misconfigured(code, detail)
        return None

    def _taken(self, reply: Reply, code: str, detail: str, message_id: str) -> SendResult:
        """An accepted status, with the id that it promises; with an error in its place, the gateway refused."""
        if self._options.id is None and self._options.id_pattern is None:
            return Refused("rejected", detail, dead_letter=True) if code else Accepted(message_id)
        found = _part(reply, self._options.id, self._options.id_pattern)
        if found:
            return Accepted(found)
        return Refused("rejected", detail, dead_letter=True) if code else Unknown(f"{detail} without an id")


def _values(message: MessageRow, phone: str, *, sender: str, now: datetime) -> dict[str, str]:
    left_s = seconds_left(message, now, least=1, most=_LONGEST_VALIDITY_S)
    return {
        "sender": sender,
        "phone": phone,
        "phone_digits": phone.removeprefix("+"),
        "text": message.body,
        "message_id": message.id,
        "valid_s": str(left_s),
        "valid_min": str(ceil(left_s / 60)),
        "valid_until": rfc3339(message.valid_until),
    }


def _filled(template: str, values: Mapping[str, str], escaped: Callable[[str], str]) -> str:
    return _FIELD.sub(lambda found: escaped(values[found[1]]), template)


def _part(reply: Reply, path: str | None, pattern: str | None) -> str:
    """The part of an answer that a path or a pattern leads to; empty without one."""
    if path is not None:
        steps = [int(step) if step.isdecimal() else step for step in path.split(".")]
        return text_at(reply.json(), *steps)
    if pattern is not None:
        found = re.search(pattern, reply.body.decode("utf-8", "replace"))
        return found[1] or "" if found else ""
    return ""
