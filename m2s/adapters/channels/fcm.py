"""How does a push reach Android, and iOS where Firebase carries it? FCM's HTTP v1 interface.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and …/v1/ErrorCode
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from m2s.adapters.channels.answers import (
    for_the_app,
    list_at,
    retry_after_s,
    seconds_left,
    silence,
    text_at,
)
from m2s.adapters.channels.signing import Signer, file_text
from m2s.adapters.channels.surroundings import ServedOptions
from m2s.adapters.channels.wire import Reply, Wire
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_LIFE_S = 3600
_RENEWED_BEFORE_S = 300.0
_LONGEST_TTL_S = 28 * 24 * 3600
_QUOTA_WAIT_S = 60.0
_OUTAGE_WAIT_S = 1.0
_FRESH = timedelta(days=30)
"""Google calls a token stale after a month: its phone has most likely gone, and what is sent there is never shown."""
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class FcmOptions(ServedOptions):
    """`[channels.fcm]`: the key file of a service account with the role Firebase Cloud Messaging API Admin."""

    service_account_file: Path
    base_url: str = "https://fcm.googleapis.com"


class FcmChannel:
    """Sends pushes by FCM. A push that is sent twice replaces itself, by the message's id."""

    def __init__(self, options: FcmOptions, *, wire: Wire, clock: Clock) -> None:
        """Raises Invalid for a key file that cannot be read or is none."""
        account = _service_account(options.service_account_file)
        self._wire = wire
        self._clock = clock
        self._url = f"{options.base_url}/v1/projects/{account['project_id']}/messages:send"
        self._line = wire.line(self._url, http2=True, repeatable=True, ca_file=options.ca_file)
        self._tokens = _Tokens(account, wire=wire, clock=clock, ca_file=options.ca_file)

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Posts the message to one registration token."""
        if address.push_token is None:
            return Refused("no_token", "the shopper has no device with a push token", asked=False)
        now = self._clock.now()
        if address.push_token_at is not None and now - address.push_token_at > _FRESH:
            detail = f"the phone has not registered its token for more than {_FRESH.days} days"
            return Refused("stale_token", detail, asked=False)
        body = json.dumps(
            {"message": _message(message, address.push_token, coupon, now=now)}, ensure_ascii=False
        ).encode()
        return self._wire.run(lambda until: self._send(body, until, now=now))

    def check(self) -> Finding:
        """Obtains a token, and has FCM validate a message to a topic that nobody has, which is not sent."""
        message = {"topic": "m2s-doctor", "notification": {"title": "m2s", "body": "m2s"}}
        body = json.dumps({"validate_only": True, "message": message}).encode()
        result = self._wire.run(lambda until: self._send(body, until, now=self._clock.now()))
        match result:
            case Accepted():
                return Finding(True, "a token was obtained, and FCM takes messages for this project")
            case Misconfigured(code, detail):
                return Finding(
                    False, f"{code}: {detail}", "look at the service account's project, role and key"
                )
            case _:
                return Finding(False, result.detail, "look at the network, then try again")

    async def _send(self, body: bytes, until: float, *, now: datetime) -> SendResult:
        refused: str | None = None
        while True:
            token = await self._tokens.get(until, other_than=refused)
            if not isinstance(token, str):
                return token
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json; charset=UTF-8"}
            reply = await self._line.ask("POST", self._url, headers=headers, body=body, until=until)
            if not isinstance(reply, Reply):
                return silence(reply)
            if reply.status == 401 and _error(reply)[0] == "UNAUTHENTICATED" and refused is None:
                refused = token
                continue
            if reply.status >= 500:
                self._line.renew(reply.connection)
            return _result(reply, now=self._clock.now(), called_at=now)


class _Tokens:
    """The access token of a service account, kept for as long as it is good."""

    def __init__(self, account: Mapping[str, str], *, wire: Wire, clock: Clock, ca_file: Path | None) -> None:
        self._account = account
        self._clock = clock
        self._line = wire.line(account["token_uri"], repeatable=True, ca_file=ca_file)
        self._signer = Signer(
            account["private_key"],
            algorithm="RS256",
            key_id=account["private_key_id"],
            where="service_account_file",
        )
        self._getting = asyncio.Lock()
        self._token: str | None = None
        self._good_until_s = 0.0

    async def get(self, until: float, *, other_than: str | None = None) -> str | RetryLater | Misconfigured:
        """A token that is good for minutes; not `other_than`, which was refused."""
        try:
            async with asyncio.timeout_at(until):
                await self._getting.acquire()
        except TimeoutError:
            return RetryLater(0.0, "not sent: no access token in time")
        try:
            good = self._clock.monotonic_s() < self._good_until_s and self._token != other_than
            if self._token is not None and good:
                return self._token
            return await self._obtained(until)
        finally:
            self._getting.release()

    async def _obtained(self, until: float) -> str | RetryLater | Misconfigured:
        issued_at = int(self._clock.now().timestamp())
        claims = {
            "iss": self._account["client_email"],
            "scope": _SCOPE,
            "aud": self._account["token_uri"],
            "iat": issued_at,
            "exp": issued_at + _TOKEN_LIFE_S,
        }
        form = f"grant_type={_GRANT.replace(':', '%3A')}&assertion={self._signer.token(claims)}"
        asked_at_s = self._clock.monotonic_s()
        reply = await self._line.ask(
            "POST",
            self._account["token_uri"],
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=form.encode(),
            until=until,
        )
        if not isinstance(reply, Reply):
            return RetryLater(0.0, f"no access token: {reply.detail}")
        answer = reply.json()
        token, life = text_at(answer, "access_token"), text_at(answer, "expires_in")
        if reply.status == 200 and token and life.isdecimal():
            self._token, self._good_until_s = token, asked_at_s + float(life) - _RENEWED_BEFORE_S
            return token
        if reply.status in (400, 401, 403) and text_at(answer, "error"):
            detail = f"the token service refuses the account; {text_at(answer, 'error_description')}"
            return Misconfigured(text_at(answer, "error"), detail)
        wait_s = retry_after_s(reply, self._clock.now())
        return RetryLater(wait_s, f"no access token: status {reply.status}", least_s=_OUTAGE_WAIT_S)


def _message(message: MessageRow, token: str, coupon: CouponRow | None, *, now: datetime) -> dict[str, Any]:
    shown = (
        {"body": message.body} if message.title is None else {"title": message.title, "body": message.body}
    )
    return {
        "token": token,
        "notification": shown,
        "data": for_the_app(message, coupon),
        "android": {
            "collapse_key": message.id,
            "priority": "HIGH",
            "ttl": f"{seconds_left(message, now, most=_LONGEST_TTL_S)}s",
            # The tag replaces what is shown already; the collapse key, what still waits at FCM.
            "notification": {"tag": message.id},
        },
        "apns": {
            "headers": {
                "apns-collapse-id": message.id,
                "apns-expiration": str(ceil(message.valid_until.timestamp())),
                "apns-priority": "10",
            }
        },
    }


def _error(reply: Reply) -> tuple[str, str, list[str]]:
    """FCM's own code, else the general one; the message; and the fields that are wrong."""
    answer = reply.json()
    code, fields = "", []
    for detail in list_at(answer, "error", "details"):
        if text_at(detail, "@type") == _FCM_ERROR:
            code = text_at(detail, "errorCode")
        elif text_at(detail, "@type") == _BAD_REQUEST:
            fields += [text_at(found, "field") for found in list_at(detail, "fieldViolations")]
    return code or text_at(answer, "error", "status"), text_at(answer, "error", "message"), fields


def _result(reply: Reply, *, now: datetime, called_at: datetime) -> SendResult:
    if reply.status == 200:
        name = text_at(reply.json(), "name")
        return Accepted(name) if name else Unknown("status 200 without a name")
    code, said, fields = _error(reply)
    detail = f"status {reply.status}: {code or 'no code'}"
    match reply.status, code:
        case 404, "UNREGISTERED":
            return Refused("unregistered", detail, token_invalid_before=called_at)
        case 400, "INVALID_ARGUMENT":
            return _bad_argument(detail, said, fields, called_at=called_at)
        case 429, _:
            return RetryLater(retry_after_s(reply, now), detail, least_s=_QUOTA_WAIT_S)
        case ((500 | 503), _):
            return RetryLater(retry_after_s(reply, now), detail, least_s=_OUTAGE_WAIT_S)
        case ((401 | 403 | 404), _):
            return Misconfigured(code.lower() or f"status_{reply.status}", detail)
    if 400 <= reply.status < 500:
        return Refused("rejected", detail, dead_letter=True)
    return Unknown(detail)


def _bad_argument(detail: str, said: str, fields: list[str], *, called_at: datetime) -> Refused:
    """A 400 is about the token or about the message, and only `details` and the sentence tell which."""
    of_token = fields == ["message.token"] or (not fields and "registration token" in said.lower())
    if of_token:
        return Refused("bad_token", detail, token_invalid_before=called_at)
    named = f" in {', '.join(fields)}" if fields else ""
    return Refused("bad_message", f"{detail}{named}", dead_letter=True)


def _service_account(path: Path) -> dict[str, str]:
    where = "channels.fcm.service_account_file"
    try:
        account = json.loads(file_text(path, where))
    except ValueError as error:
        raise Invalid(f"{where}: {path} is not JSON") from error
    wanted = ("project_id", "private_key_id", "private_key", "client_email", "token_uri")
    missing = [name for name in wanted if not text_at(account, name)]
    if missing:
        raise Invalid(
            f"{where}: {path} has no {', '.join(missing)}; take the file that Google's console gives "
            "under Service accounts, Keys, JSON"
        )
    return {name: account[name] for name in wanted}
