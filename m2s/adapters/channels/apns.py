"""How does a push reach an iPhone without anybody between? Apple's push notification service.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns and
…/handling-notification-responses-from-apns
"""

import json
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from m2s.adapters.channels.answers import at, for_the_app, retry_after_s, silence, text_at
from m2s.adapters.channels.signing import Signer, file_text
from m2s.adapters.channels.surroundings import ServedOptions
from m2s.adapters.channels.wire import Outcome, Reply, Wire
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.instants import Clock, from_ms

_HOSTS = {"production": "https://api.push.apple.com", "sandbox": "https://api.sandbox.push.apple.com"}
_TOKEN_LIFE_S = 50 * 60.0
"""Apple takes a token for an hour, and a new one every 20 minutes at most."""
_TOKEN_REST_S = 20 * 60.0
_DEVICE_WAIT_S = 15 * 60.0
_NOBODY = "0" * 64
_RENEW = frozenset({"ExpiredProviderToken", "InvalidProviderToken"})
_ABOUT_US = frozenset({"BadTopic", "MissingTopic", "TopicDisallowed", "InvalidPushType"})
_ABOUT_THE_TOKEN = frozenset({"BadDeviceToken", "MissingDeviceToken"})


class ApnsOptions(ServedOptions):
    """`[channels.apns]`: the key file from Apple's developer site, whose it is, and the app's bundle id."""

    key_file: Path
    key_id: str
    team_id: str
    topic: str
    environment: Literal["production", "sandbox"] = "production"
    base_url: str | None = None


class ApnsChannel:
    """Sends pushes to iPhones over one HTTP/2 connection. A push that is sent twice replaces itself."""

    def __init__(self, options: ApnsOptions, *, wire: Wire, clock: Clock) -> None:
        """Raises Invalid for a key file that cannot be read or is none."""
        self._options = options
        self._base = options.base_url or _HOSTS[options.environment]
        self._wire = wire
        self._clock = clock
        self._line = wire.line(self._base, http2=True, repeatable=True, ca_file=options.ca_file)
        self._tokens = _Tokens(options, clock=clock)
        self._environment_is_right = False

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Posts the message to one device token."""
        if address.push_token is None:
            return Refused("no_token", "the shopper has no device with a push token", asked=False)
        if not address.push_token.isalnum():
            # The token is a part of the path: nothing else may be said there.
            detail = "the push token has other signs than letters and digits"
            return Refused("bad_token", detail, asked=False)
        body = json.dumps(_payload(message, coupon), ensure_ascii=False).encode()
        headers = {
            "apns-id": str(uuid5(NAMESPACE_URL, message.id)),
            "apns-collapse-id": message.id,
            "apns-expiration": str(ceil(message.valid_until.timestamp())),
            "apns-priority": "10",
            "apns-push-type": "alert",
        }
        path = f"{self._base}/3/device/{address.push_token}"
        return self._wire.run(lambda until: self._send(path, headers, body, until))

    def check(self) -> Finding:
        """Posts to a device token that nobody has: Apple looks at ours first, and delivers to nobody."""
        headers = {"apns-push-type": "alert", "apns-priority": "10", "apns-expiration": "0"}
        body = json.dumps({"aps": {"alert": "m2s"}}).encode()
        path = f"{self._base}/3/device/{_NOBODY}"
        result = self._wire.run(lambda until: self._send(path, headers, body, until))
        match result:
            case Refused(code="bad_token") | Accepted():
                return Finding(True, f"Apple takes the key for {self._options.topic}")
            case Misconfigured(code, detail):
                return Finding(False, f"{code}: {detail}", "look at key_id, team_id, topic and the key file")
            case _:
                return Finding(False, result.detail, "look at the network, then try again")

    async def _send(self, path: str, headers: dict[str, str], body: bytes, until: float) -> SendResult:
        called_at = self._clock.now()
        token = self._tokens.get()
        reply = await self._post(path, headers, body, token=token, until=until)
        if isinstance(reply, Reply) and _wants_another_token(reply) and self._tokens.renew(token):
            reply = await self._post(path, headers, body, token=self._tokens.get(), until=until)
        if not isinstance(reply, Reply):
            return silence(reply)
        if reply.status >= 500:
            self._line.renew(reply.connection)
        if reply.status in (200, 410):
            self._environment_is_right = True
        return self._result(reply, called_at=called_at)

    async def _post(
        self, path: str, headers: dict[str, str], body: bytes, *, token: str, until: float
    ) -> Outcome:
        own = {
            "authorization": f"bearer {token}",
            "apns-topic": self._options.topic,
            "content-type": "application/json",
        }
        return await self._line.ask("POST", path, headers={**headers, **own}, body=body, until=until)

    def _result(self, reply: Reply, *, called_at: datetime) -> SendResult:
        reason = _reason(reply)
        detail = f"status {reply.status}: {reason or 'no reason'}"
        match reply.status, reason:
            case 200, _:
                return Accepted(reply.headers.get("apns-id", ""))
            case 410, _:
                return Refused("unregistered", detail, token_invalid_before=_since(reply))
            case 400, _ if reason in _ABOUT_THE_TOKEN:
                return self._bad_token(detail, called_at=called_at)
            case 400, _ if reason in _ABOUT_US:
                return Misconfigured(reason, detail)
            case 403, _:
                return Misconfigured(reason or "forbidden", detail)
            case 429, "TooManyProviderTokenUpdates":
                return Misconfigured(reason, detail)
            case 429, _:
                wait_s = max(_DEVICE_WAIT_S, retry_after_s(reply, self._clock.now()))
                return RetryLater(wait_s, detail, of_address=True)
            case ((500 | 503), _):
                return RetryLater(retry_after_s(reply, self._clock.now()), detail)
        if 400 <= reply.status < 500:
            return Refused(reason or "rejected", detail, dead_letter=True)
        return Unknown(detail)

    def _bad_token(self, detail: str, *, called_at: datetime) -> Refused:
        """A good token at the wrong environment is called bad, too: none is given up before Apple knew another."""
        if self._environment_is_right:
            return Refused("bad_token", detail, token_invalid_before=called_at)
        hint = f"is environment = {self._options.environment!r} that of the app? The token is kept"
        return Refused("bad_token", f"{detail}; {hint}")


class _Tokens:
    """The token that says who we are, kept for as long as Apple wants the same."""

    def __init__(self, options: ApnsOptions, *, clock: Clock) -> None:
        where = "channels.apns.key_file"
        self._signer = Signer(
            file_text(options.key_file, where), algorithm="ES256", key_id=options.key_id, where=where
        )
        self._team_id = options.team_id
        self._clock = clock
        self._token = ""
        self._made_at_s = float("-inf")
        self._renewed_at_s = float("-inf")

    def get(self) -> str:
        """The token in force."""
        if self._clock.monotonic_s() - self._made_at_s > _TOKEN_LIFE_S:
            self._make()
        return self._token

    def renew(self, refused: str) -> bool:
        """Whether there is another token than the one that Apple refused: made now, or while that one was under way.

        False where one was made for this reason a moment ago already: then it is not the token's age that is wrong.
        """
        if refused != self._token:
            return True
        now_s = self._clock.monotonic_s()
        if now_s - self._renewed_at_s < _TOKEN_REST_S:
            return False
        self._renewed_at_s = now_s
        self._make()
        return True

    def _make(self) -> None:
        self._token = self._signer.token({"iss": self._team_id, "iat": int(self._clock.now().timestamp())})
        self._made_at_s = self._clock.monotonic_s()


def _payload(message: MessageRow, coupon: CouponRow | None) -> dict[str, Any]:
    alert = (
        {"body": message.body} if message.title is None else {"title": message.title, "body": message.body}
    )
    return {"aps": {"alert": alert, "sound": "default"}, "m2s": for_the_app(message, coupon)}


def _reason(reply: Reply) -> str:
    return text_at(reply.json(), "reason")


def _wants_another_token(reply: Reply) -> bool:
    return reply.status == 403 and _reason(reply) in _RENEW


def _since(reply: Reply) -> datetime | None:
    """When the token was last known to be dead, as Apple says it; None where it does not."""
    since_ms = at(reply.json(), "timestamp")
    try:
        return from_ms(since_ms) if isinstance(since_ms, int) else None
    except OverflowError:
        return None
