"""Google's token service and FCM's HTTP v1 interface, as they are published.

What a registration token is called decides what FCM thinks of it: `gone-…` is unregistered, `bad-…` is no token,
`foreign-…` belongs to another sender; `apple-…` needs an APNs key that Firebase does not have.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any
from urllib.parse import parse_qs

import jwt

from tests.providers.serving import Answer, Request, StandIn, in_json, serve

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_RESERVED = re.compile(r"^(from$|message_type$|google|gcm)")
_MOST_BYTES = 4096
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_OWN_CODE = {429: "QUOTA_EXCEEDED", 500: "INTERNAL", 503: "UNAVAILABLE"}
_FIELDS: dict[str, set[str]] = {
    "": {
        "name",
        "data",
        "notification",
        "android",
        "webpush",
        "apns",
        "fcm_options",
        "token",
        "topic",
        "condition",
    },
    "notification": {"title", "body", "image"},
    "android": {
        "collapse_key",
        "priority",
        "ttl",
        "restricted_package_name",
        "data",
        "notification",
        "fcm_options",
    },
    "apns": {"headers", "payload", "fcm_options"},
}


def error(status: int, said: str, *details: dict[str, Any]) -> Answer:
    """An error as Google's interfaces write it."""
    told = {"code": status, "message": said, "status": _STATUS[status], "details": list(details)}
    return in_json(status, {"error": told})


def fcm_error(code: str) -> dict[str, Any]:
    """The detail with FCM's own code."""
    return {"@type": _FCM_ERROR, "errorCode": code}


def violation(field: str, said: str) -> dict[str, Any]:
    """The detail that names a field."""
    return {"@type": _BAD_REQUEST, "fieldViolations": [{"field": field, "description": said}]}


class Fcm(StandIn):
    """Issues tokens for one service account, and takes messages of one project."""

    _issued: dict[str, float]

    def is_send(self, request: Request) -> bool:
        return request.path.endswith("messages:send") or "token" in self.config.get("orders_for", "")

    def said(self, status: int) -> Answer:
        own = [fcm_error(_OWN_CODE[status])] if status in _OWN_CODE else []
        return error(status, "as ordered", *own)

    def answer(self, request: Request) -> Answer:
        if not hasattr(self, "_issued"):
            self._issued = {}
        if request.path == "/token":
            return self._token(request)
        if request.path == f"/v1/projects/{self.config['project_id']}/messages:send":
            return self._send(request)
        return error(404, "there is nothing here")

    def _token(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return in_json(
                400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}
            )
        try:
            head = jwt.get_unverified_header(form["assertion"])
            claims = jwt.decode(
                form["assertion"],
                self.config["public_key"],
                algorithms=["RS256"],
                audience=f"https://{request.headers['host']}/token",
                options={"require": ["iss", "aud", "iat", "exp", "scope"]},
            )
        except (KeyError, jwt.PyJWTError) as flaw:
            return in_json(
                400, {"error": "invalid_grant", "error_description": f"Invalid JWT Signature. {flaw}"}
            )
        right = claims["iss"] == self.config["client_email"] and _SCOPE in claims["scope"].split()
        if not right or head.get("kid") != self.config["key_id"] or claims["exp"] - claims["iat"] > 3600:
            return in_json(400, {"error": "invalid_grant", "error_description": "Invalid JWT: claims"})
        token = f"ya29.{secrets.token_hex(16)}"
        self._issued[token] = time.monotonic() + self.config.get("token_life_s", 3599)
        self.keep(kind="token", connection=request.connection)
        return in_json(
            200,
            {
                "access_token": token,
                "expires_in": self.config.get("token_life_s", 3599),
                "token_type": "Bearer",
            },
        )

    def _send(self, request: Request) -> Answer:
        if request.method != "POST" or request.version != "2" or request.scheme != "https":
            self.keep(
                kind="violation", what=f"{request.method} over {request.scheme}, HTTP/{request.version}"
            )
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._issued.get(bearer, 0.0) < time.monotonic():
            return error(401, "Request had invalid authentication credentials.")
        try:
            body = json.loads(request.body)
        except ValueError:
            return error(400, "Invalid JSON payload received.")
        flaw = self._flaw(body)
        if flaw is not None:
            self.keep(kind="violation", what=flaw[1])
            return error(400, flaw[1], violation(*flaw))
        message = body["message"]
        return self._judged(message, validate_only=body.get("validate_only", False), request=request)

    def _flaw(self, body: Any) -> tuple[str, str] | None:
        if (
            not isinstance(body, dict)
            or not set(body) <= {"message", "validate_only"}
            or "message" not in body
        ):
            return "message", "only message and validate_only may stand here"
        message = body["message"]
        for where, known in _FIELDS.items():
            part = message if not where else message.get(where, {})
            if not isinstance(part, dict) or not set(part) <= known:
                return f"message.{where}".rstrip(
                    "."
                ), f"unknown fields in {where or 'message'}: {sorted(part)}"
        if sum(name in message for name in ("token", "topic", "condition")) != 1:
            return "message", "exactly one of token, topic and condition"
        data = message.get("data", {})
        if not all(isinstance(value, str) and not _RESERVED.match(name) for name, value in data.items()):
            return "message.data", "data maps names that are not reserved to texts"
        if not all(isinstance(value, str) for value in message.get("apns", {}).get("headers", {}).values()):
            return "message.apns.headers", "headers are texts"
        if len(json.dumps([data, message.get("notification")], ensure_ascii=False).encode()) > _MOST_BYTES:
            return "message", "the message is too big"
        return _android_flaw(message.get("android", {}))

    def _judged(self, message: dict[str, Any], *, validate_only: bool, request: Request) -> Answer:
        token = message.get("token", "")
        if token.startswith("gone-"):
            return error(404, "Requested entity was not found.", fcm_error("UNREGISTERED"))
        if token.startswith("bad-"):
            said = "The registration token is not a valid FCM registration token"
            named = [violation("message.token", "Invalid registration token")] if token == "bad-named" else []
            return error(400, said, fcm_error("INVALID_ARGUMENT"), *named)
        if token.startswith("foreign-"):
            return error(403, "SenderId mismatch", fcm_error("SENDER_ID_MISMATCH"))
        if token.startswith("apple-"):
            return error(401, "Auth error from APNS or Web Push Service", fcm_error("THIRD_PARTY_AUTH_ERROR"))
        name = f"projects/{self.config['project_id']}/messages/0:{secrets.token_hex(8)}"
        if not validate_only:
            self.keep(kind="accepted", id=name, message=message, connection=request.connection)
        return in_json(200, {"name": name})


def _android_flaw(android: dict[str, Any]) -> tuple[str, str] | None:
    if not re.fullmatch(r"\d+(\.\d{1,9})?s", android.get("ttl", "0s")):
        return "message.android.ttl", "a duration like 3.5s"
    if float(android.get("ttl", "0s")[:-1]) > 28 * 24 * 3600:
        return "message.android.ttl", "at most four weeks"
    if android.get("priority", "HIGH") not in ("NORMAL", "HIGH"):
        return "message.android.priority", "NORMAL or HIGH"
    return None


if __name__ == "__main__":
    serve(Fcm)
