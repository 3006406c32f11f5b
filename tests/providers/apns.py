"""Apple's push notification service, as it is published. Device tokens of known endings are gone, bad or busy."""

from __future__ import annotations

import json
import re
import time
import uuid
from functools import cache
from typing import Any

import jwt

from tests.providers.serving import Answer, Request, StandIn, in_json, serve

_MOST_BYTES = 4096
_TYPES = {"alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity"}
_REASONS = {
    500: "InternalServerError",
    503: "ServiceUnavailable",
    429: "TooManyRequests",
    413: "PayloadTooLarge",
}
GONE_SINCE_MS = 1_767_225_600_000


class Apns(StandIn):
    """Takes pushes for one team and one topic."""

    _seen: dict[str, float]

    def is_send(self, request: Request) -> bool:
        return request.path.startswith("/3/device/")

    def said(self, status: int) -> Answer:
        return in_json(
            status, {"reason": _REASONS.get(status, "Forbidden")}, **{"apns-id": str(uuid.uuid4())}
        )

    def answer(self, request: Request) -> Answer:
        status, reason, extra = self._verdict(request)
        named = {"apns-id": request.headers.get("apns-id", str(uuid.uuid4()))}
        if status == 200:
            return Answer(200, b"", named)
        if reason not in ("Unregistered", "BadDeviceToken") and not request.path.endswith("0" * 64):
            self.keep(kind="violation", what=reason)
        return in_json(status, {"reason": reason, **extra}, **named)

    def _verdict(self, request: Request) -> tuple[int, str, dict[str, Any]]:
        found = re.fullmatch(r"/3/device/([0-9a-fA-F]{64,200})", request.path)
        if request.version != "2" or request.scheme != "https":
            self.keep(kind="violation", what=f"HTTP/{request.version} over {request.scheme}")
        if request.method != "POST":
            return 405, "MethodNotAllowed", {}
        refused = self._refused(request)
        if refused is not None:
            return *refused, {}
        if found is None:
            return 400, "BadDeviceToken", {}
        flaw = self._flaw(request)
        if flaw is not None:
            return *flaw, {}
        token = found[1]
        if token == "0" * 64 or token.startswith("bad0"):
            return 400, "BadDeviceToken", {}
        if token.startswith("deadbeef"):
            return 410, "Unregistered", {"timestamp": GONE_SINCE_MS}
        self.keep(
            kind="accepted",
            id=request.headers.get("apns-id"),
            token=token,
            headers={name: value for name, value in request.headers.items() if name.startswith("apns-")},
            payload=json.loads(request.body),
            connection=request.connection,
        )
        return 200, "", {}

    def _refused(self, request: Request) -> tuple[int, str] | None:
        """What is wrong with the provider's token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return 403, "MissingProviderToken"
        try:
            head, claims = self._claims(token)
        except jwt.PyJWTError:
            return 403, "InvalidProviderToken"
        if head.get("kid") != self.config["key_id"] or claims.get("iss") != self.config["team_id"]:
            return 403, "InvalidProviderToken"
        now = time.time() + self.config.get("clock_ahead_s", 0)
        if not now - 3600 <= claims.get("iat", 0) <= now + 60:
            return 403, "ExpiredProviderToken"
        if not hasattr(self, "_seen"):
            self._seen = {}
        self._seen.setdefault(token, time.monotonic())
        recent = [at for at in self._seen.values() if time.monotonic() - at < 20 * 60]
        if len(recent) > self.config.get("most_tokens", 1):
            return 429, "TooManyProviderTokenUpdates"
        if request.headers.get("apns-topic") != self.config["topic"]:
            return 400, "TopicDisallowed"
        return None

    @cache  # noqa: B019
    def _claims(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        claims = jwt.decode(token, self.config["public_key"], algorithms=["ES256"])
        return jwt.get_unverified_header(token), claims

    def _flaw(self, request: Request) -> tuple[int, str] | None:
        """What is wrong with the headers or the payload."""
        headers = request.headers
        if len(request.body) > _MOST_BYTES:
            return 413, "PayloadTooLarge"
        if headers.get("apns-push-type") not in _TYPES:
            return 400, "InvalidPushType"
        if headers.get("apns-priority", "10") not in ("1", "5", "10"):
            return 400, "BadPriority"
        if not re.fullmatch(r"\d+", headers.get("apns-expiration", "0")):
            return 400, "BadExpirationDate"
        if len(headers.get("apns-collapse-id", "").encode()) > 64:
            return 400, "BadCollapseId"
        given_id = headers.get("apns-id", str(uuid.uuid4()))
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", given_id):
            return 400, "BadMessageId"
        try:
            aps = json.loads(request.body)["aps"]
        except (ValueError, TypeError, KeyError):
            return 400, "PayloadEmpty"
        return None if isinstance(aps, dict) and aps else (400, "PayloadEmpty")


if __name__ == "__main__":
    serve(Apns)
