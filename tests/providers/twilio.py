"""Twilio's Messages resource, as it is published. Numbers of known endings are wrong, gone or have opted out.

With `receipts` in its configuration it reports each message to its `StatusCallback`, signed, as often and in the order
that the configuration says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import urllib.request
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.providers.serving import Answer, Request, StandIn, in_json, serve

_FIELDS = {"To", "From", "MessagingServiceSid", "Body", "ValidityPeriod", "StatusCallback"}
_ENDINGS = {
    "0610": (21610, "Attempt to send to unsubscribed recipient"),
    "0614": (21614, "'To' number is not valid"),
}
_CODES = {429: 20429, 500: 20500, 503: 20503, 401: 20003}


def signature(token: str, url: str, form: Mapping[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 of the address and the sorted fields."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def error(status: int, code: int, said: str) -> Answer:
    """An error as Twilio writes it."""
    told = {
        "code": code,
        "message": said,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return in_json(status, told)


class Twilio(StandIn):
    """One account; what it accepted can be listed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._messages: list[dict[str, Any]] = []

    def is_send(self, request: Request) -> bool:
        return request.method == "POST"

    def said(self, status: int) -> Answer:
        return error(status, _CODES.get(status, 20000 + status), "as ordered")

    def answer(self, request: Request) -> Answer:
        account = f"/2010-04-01/Accounts/{self.config['account_sid']}"
        pair = f"{self.config['account_sid']}:{self.config['auth_token']}".encode()
        if request.headers.get("authorization") != f"Basic {base64.b64encode(pair).decode()}":
            return error(401, 20003, "Authenticate")
        path = urlsplit(request.path)
        if path.path == f"{account}.json" and request.method == "GET":
            return in_json(
                200, {"sid": self.config["account_sid"], "status": self.config.get("status", "active")}
            )
        if path.path != f"{account}/Messages.json":
            return error(404, 20404, "The requested resource was not found")
        if request.method == "GET":
            wanted = parse_qs(path.query)["To"][0]
            rows = [row for row in self._messages if row["to"] == wanted]
            return in_json(200, {"messages": rows[::-1]})
        return self._create(request)

    def _create(self, request: Request) -> Answer:
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            self.keep(kind="violation", what="not a form")
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        flaw = self._flaw(form)
        if flaw is not None:
            self.keep(kind="violation", what=flaw[1])
            return error(400, *flaw)
        refused = _ENDINGS.get(form["To"][-4:])
        if refused is not None:
            return error(400, *refused)
        row = {
            "sid": f"SM{secrets.token_hex(16)}",
            "status": self.config.get("became", "queued"),
            "to": form["To"],
            "body": form["Body"],
            "date_created": formatdate(usegmt=True),
            "num_segments": str(-(-len(form["Body"]) // 153) if len(form["Body"]) > 160 else 1),
            "direction": "outbound-api",
            "error_code": None,
        }
        self._messages.append(row)
        self.keep(kind="accepted", id=row["sid"], form=form, connection=request.connection)
        if "StatusCallback" in form and self.config.get("receipts"):
            report = threading.Thread(target=self._report, args=(row["sid"], form), daemon=True)
            report.start()
        return in_json(201, row)

    def _flaw(self, form: dict[str, str]) -> tuple[int, str] | None:
        if not set(form) <= _FIELDS:
            return 20001, f"unknown parameters {sorted(set(form) - _FIELDS)}"
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", "")):
            return 21211, "Invalid 'To' Phone Number"
        if not form.get("Body"):
            return 21602, "Message body is required"
        if len(form["Body"]) > 1600:
            return 21617, "The concatenated message body exceeds the 1600 character limit"
        if ("From" in form) == ("MessagingServiceSid" in form):
            return 21603, "A 'From' phone number is required"
        if form.get("From") not in (None, self.config["from"]):
            return 21606, "The 'From' phone number is not a valid Twilio phone number"
        if (
            not form.get("ValidityPeriod", "1").isdecimal()
            or not 1 <= int(form.get("ValidityPeriod", 1)) <= 36_000
        ):
            return 90007, "Invalid validity period value"
        return None

    def _report(self, sid: str, form: dict[str, str]) -> None:
        url = form["StatusCallback"]
        for status in self.config["receipts"]:
            told = {
                "MessageSid": sid,
                "MessageStatus": status,
                "To": form["To"],
                "From": form.get("From", ""),
                "AccountSid": self.config["account_sid"],
            }
            headers = {"X-Twilio-Signature": signature(self.config["auth_token"], url, told)}
            asked = urllib.request.Request(url, urlencode(told).encode(), headers)  # noqa: S310
            try:
                with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
                    self.keep(kind="receipt", status=status, answer=answer.status)
            except OSError as flaw:
                self.keep(kind="receipt", status=status, answer=str(flaw))


if __name__ == "__main__":
    serve(Twilio)
