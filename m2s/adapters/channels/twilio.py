"""How does an SMS leave by Twilio? Its Messages resource.

https://www.twilio.com/docs/messaging/api/message-resource and https://www.twilio.com/docs/api/errors
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlencode

from pydantic import model_validator

from m2s.adapters.channels.answers import list_at, retry_after_s, seconds_left, silence, text_at
from m2s.adapters.channels.surroundings import ServedOptions
from m2s.adapters.channels.wire import Outcome, Reply, Wire
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.instants import Clock

_LONGEST_VALIDITY_S = 36_000
OPTED_OUT = frozenset({"21610"})
_BAD_NUMBER = frozenset(
    {"21211", "21214", "21217", "21219", "21265", "21408", "21421", "21608", "21612", "21614", "21635"}
)
_BAD_MESSAGE = frozenset({"21602", "21605", "21617", "21619", "21670"})
_ABOUT_US = frozenset(
    {
        "20003",
        "20005",
        "21212",
        "21401",
        "21601",
        "21603",
        "21606",
        "21609",
        "21659",
        "21660",
        "21703",
        "21705",
    }
)
_ABOUT_THE_COUNTRY = frozenset({"21606", "21659"})
"""What Twilio says of a short code and a number of another country; of any other sender it says that it is not ours."""
_BUSY = frozenset({"20429", "14107", "21611", "30001", "63038"})
_NEVER_SENT = frozenset({"failed", "canceled"})


class TwilioOptions(ServedOptions):
    """`[channels.twilio]`: the account, and the number, sender or messaging service that messages come from."""

    account_sid: str
    auth_token: str
    sender: str | None = None
    messaging_service_sid: str | None = None
    status_callback: str | None = None
    base_url: str = "https://api.twilio.com"

    @model_validator(mode="after")
    def _has_one_sender(self) -> Self:
        if (self.sender is None) == (self.messaging_service_sid is None):
            raise ValueError("give one of sender and messaging_service_sid")
        return self


class TwilioChannel:
    """Sends SMS by Twilio, which takes no reference of ours: what is sent twice arrives twice."""

    def __init__(self, options: TwilioOptions, *, wire: Wire, clock: Clock) -> None:
        self._options = options
        self._wire = wire
        self._clock = clock
        self._account = f"{options.base_url}/2010-04-01/Accounts/{options.account_sid}"
        self._line = wire.line(self._account, ca_file=options.ca_file)
        pair = f"{options.account_sid}:{options.auth_token}".encode()
        self._authorization = f"Basic {base64.b64encode(pair).decode()}"

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Creates one message; the coupon's code stands in its text."""
        del coupon
        if address.phone is None:
            return Refused("no_phone", "the shopper has no phone number", asked=False)
        form = {
            "To": address.phone,
            "Body": message.body,
            "ValidityPeriod": str(
                seconds_left(message, self._clock.now(), least=1, most=_LONGEST_VALIDITY_S)
            ),
            **self._from(),
        }
        outcome = self._wire.run(lambda until: self._asked("POST", "/Messages.json", form, until))
        if not isinstance(outcome, Reply):
            return silence(outcome)
        return _result(outcome, now=self._clock.now(), by_short_code=self._is_short_code())

    def find(self, message: MessageRow, address: Address) -> Accepted | Refused | None:
        """Looks through the latest messages to the number for the first with this text since it was written."""
        query = urlencode({"To": address.phone or "", "PageSize": "100"})
        outcome = self._wire.run(lambda until: self._asked("GET", f"/Messages.json?{query}", {}, until))
        if not isinstance(outcome, Reply) or outcome.status != 200:
            raise LookupError("Twilio did not list its messages")
        # Twilio's times have no fractions.
        since = message.created_at - timedelta(seconds=1)
        sent = [
            row
            for row in list_at(outcome.json(), "messages")
            if text_at(row, "body") == message.body and _created_at(row) >= since
        ]
        return _found(min(sent, key=_created_at)) if sent else None

    def check(self) -> Finding:
        """Reads the account."""
        outcome = self._wire.run(lambda until: self._asked("GET", ".json", {}, until))
        if not isinstance(outcome, Reply):
            return Finding(False, outcome.detail, "look at the network, then try again")
        answer = outcome.json()
        if outcome.status == 200 and text_at(answer, "status") == "active":
            return Finding(True, "the account is active")
        said = f"code {text_at(answer, 'code')}" if outcome.status != 200 else text_at(answer, "status")
        advice = "look at account_sid and auth_token, and at the account in Twilio's console"
        return Finding(False, f"status {outcome.status}: {said}", advice)

    async def _asked(self, method: str, path: str, form: Mapping[str, str], until: float) -> Outcome:
        headers = {"authorization": self._authorization, "accept": "application/json"}
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode(form).encode()
        return await self._line.ask(method, f"{self._account}{path}", headers=headers, body=body, until=until)

    def _is_short_code(self) -> bool:
        return (self._options.sender or "").isdecimal()

    def _from(self) -> dict[str, str]:
        told = {
            "From": self._options.sender,
            "MessagingServiceSid": self._options.messaging_service_sid,
            "StatusCallback": self._options.status_callback,
        }
        return {name: value for name, value in told.items() if value is not None}


def _result(reply: Reply, *, now: datetime, by_short_code: bool) -> SendResult:
    answer = reply.json()
    if 200 <= reply.status < 300:
        sid = text_at(answer, "sid")
        return Accepted(sid, parts=_parts(answer)) if sid else Unknown(f"status {reply.status} without a sid")
    code = text_at(answer, "code")
    detail = f"status {reply.status}: {f'code {code}' if code else 'no code'}"
    if reply.status in (429, 503) or code in _BUSY:
        return RetryLater(retry_after_s(reply, now), detail)
    if not 400 <= reply.status < 500:
        return Unknown(detail)
    if code in OPTED_OUT:
        return Refused("opted_out", detail, opted_out=True)
    if code in _BAD_NUMBER or (by_short_code and code in _ABOUT_THE_COUNTRY):
        return Refused("bad_number", detail)
    if code in _ABOUT_US or (reply.status in (401, 403, 404) and code not in _BAD_MESSAGE):
        return Misconfigured(code or f"status_{reply.status}", detail)
    return Refused("bad_message", detail, dead_letter=True)


def _parts(answer: Any) -> int:
    told = text_at(answer, "num_segments")
    return max(1, int(told)) if told.isdecimal() else 1


def _found(row: Any) -> Accepted | Refused:
    status = text_at(row, "status")
    if status in _NEVER_SENT:
        return Refused(status, f"status {status}: code {text_at(row, 'error_code') or 'none'}")
    return Accepted(text_at(row, "sid"), parts=_parts(row))


def _created_at(row: Any) -> datetime:
    try:
        return parsedate_to_datetime(text_at(row, "date_created"))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
