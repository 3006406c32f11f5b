"""OVHcloud's SMS interface, as it is published: signed requests, jobs, and what was sent."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.providers.serving import Answer, Request, StandIn, in_json, serve

_FIELDS = {
    *("charset", "class", "coding", "differedPeriod", "message", "noStopClause", "priority", "receivers"),
    *("receiversDocumentUrl", "receiversSlotId", "sender", "senderForResponse", "tag", "validityPeriod"),
}
_CLASS = {
    400: "Client::BadRequest",
    403: "Client::Forbidden",
    404: "Client::NotFound",
    429: "Client::TooManyRequests",
}


def error(status: int, said: str, code: str | None = None) -> Answer:
    """An error as OVHcloud writes it."""
    told = {"class": _CLASS.get(status, "Server::InternalServerError"), "message": said}
    return in_json(status, told if code is None else {**told, "errorCode": code, "httpCode": str(status)})


class Ovh(StandIn):
    """One SMS account of one application."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._tags: dict[int, str] = {}
        self._last_id = 27_814_000

    def is_send(self, request: Request) -> bool:
        return request.method == "POST"

    def said(self, status: int) -> Answer:
        return error(status, "as ordered")

    def answer(self, request: Request) -> Answer:
        path = urlsplit(request.path)
        ahead_s = self.config.get("clock_ahead_s", 0)
        if path.path == "/1.0/auth/time":
            self.keep(kind="time")
            return in_json(200, int(time.time() + ahead_s))
        refused = self._refused(request, time.time() + ahead_s)
        if refused is not None:
            return refused
        account = f"/1.0/sms/{self.config['service_name']}"
        match request.method, path.path:
            case "GET", found if found == account:
                return in_json(
                    200,
                    {"name": self.config["service_name"], "creditsLeft": self.config.get("credits", 98.5)},
                )
            case "GET", found if found == f"{account}/outgoing":
                wanted = parse_qs(path.query).get("tag", [""])[0]
                return in_json(200, [number for number, tag in self._tags.items() if tag == wanted])
            case "POST", found if found == f"{account}/jobs":
                return self._job(request)
        return error(404, "Got an invalid (or empty) URL")

    def _refused(self, request: Request, now: float) -> Answer | None:
        given = request.headers
        if given.get("x-ovh-application") != self.config["application_key"]:
            return error(403, "This application key is invalid", "INVALID_KEY")
        if given.get("x-ovh-consumer") != self.config["consumer_key"]:
            return error(403, "This credential does not exist", "INVALID_CREDENTIAL")
        stamp = given.get("x-ovh-timestamp", "")
        if not stamp.isdecimal() or abs(int(stamp) - now) > 30:
            self.keep(kind="violation", what="out of time")
            return error(400, "Query out of time", "QUERY_TIME_OUT")
        url = f"{request.scheme}://{given['host']}{request.path}"
        parts = (
            self.config["application_secret"],
            self.config["consumer_key"],
            request.method,
            url,
            request.body.decode(),
            stamp,
        )
        digest = hashlib.sha1("+".join(parts).encode()).hexdigest()  # noqa: S324
        if given.get("x-ovh-signature") != f"$1${digest}":
            self.keep(kind="violation", what="signature")
            return error(400, "Invalid signature", "INVALID_SIGNATURE")
        return None

    def _job(self, request: Request) -> Answer:
        job = json.loads(request.body)
        flaw = self._flaw(job)
        if flaw is not None:
            self.keep(kind="violation", what=flaw)
            return error(400, flaw)
        if "sender" in job and job["sender"] not in self.config["senders"]:
            return error(403, "This sender does not exist")
        receivers = job["receivers"]
        valid = [
            number
            for number in receivers
            if re.fullmatch(r"\+[1-9]\d{6,14}", number) and number[-4:] != "0614"
        ]
        ids = []
        for number in valid:
            self._last_id += 1
            ids.append(self._last_id)
            self._tags[self._last_id] = job.get("tag", "")
            self.keep(
                kind="accepted", id=str(self._last_id), to=number, job=job, connection=request.connection
            )
        report = {
            "ids": ids,
            "validReceivers": valid,
            "invalidReceivers": [number for number in receivers if number not in valid],
            "totalCreditsRemoved": len(valid),
        }
        return in_json(200, report)

    def _flaw(self, job: dict[str, Any]) -> str | None:
        if not set(job) <= _FIELDS:
            return f"unknown fields {sorted(set(job) - _FIELDS)}"
        if not isinstance(job.get("message"), str) or not job["message"]:
            return "message is required"
        if not isinstance(job.get("receivers"), list):
            return "receivers is a list"
        if "sender" not in job and not job.get("senderForResponse"):
            return "a sender is required"
        minutes = job.get("validityPeriod", 2880)
        if not isinstance(minutes, int) or not 1 <= minutes <= 2880:
            return "validityPeriod is in whole minutes"
        if job.get("priority", "high") not in ("high", "medium", "low", "veryLow"):
            return "priority"
        return None


if __name__ == "__main__":
    serve(Ovh)
