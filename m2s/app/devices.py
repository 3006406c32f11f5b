"""What does a phone tell about itself and its owner? Registration, settings and consents."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from campaigns.model import Channel
from campaigns.moments import timezones
from m2s.app.access import secret_hash, token_text
from m2s.app.ports import Database, Records
from m2s.app.rows import AnswerRow, ConsentRow, DeviceRow
from m2s.core.base.errors import Invalid, NotFound, Problem
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock

PLATFORMS = ("ios", "android")
PURPOSES = ("marketing", "location")
_SECRET_BYTES = 32
_MAY_BE_AHEAD = timedelta(minutes=5)
_MAY_BE_OLD = timedelta(days=3653)
"""A consent older than ten years is a wrong clock, not a consent."""
_LANGUAGE = re.compile(r"[a-z]{2}")
_KNOWN_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Registered:
    """A device with its new token, which is never shown again."""

    device_id: str
    device_token: str


class Devices:
    """Registers devices and keeps what they say; `changed` is told each device that gets another shopper or token."""

    def __init__(
        self, database: Database, ids: Ids, *, clock: Clock, changed: Callable[[str], object]
    ) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._changed = changed
        self._moves = 0
        self._known: dict[str, str] = {}
        self._lock = Lock()

    def register(
        self, details: Mapping[str, Any], *, key_id: str, idempotency_key: str | None = None
    ) -> Registered:
        """A new device of a new shopper; `details` as for `update`.

        The same `idempotency_key` of the same API key gives the same device again, with a new token in place of the
        earlier one, and Invalid with other details. Only a digest of a token is kept, so that none can be read from
        the database.
        """
        _refuse_bad(details)
        body_hash = hashlib.sha256(json.dumps(details, sort_keys=True).encode()).digest()
        token = token_text(self._ids.secret(_SECRET_BYTES))
        device_id, shopper_id = self._ids.new("dev"), self._ids.new("shp")

        def register(records: Records) -> Registered:
            if idempotency_key is not None:
                digest = secret_hash(idempotency_key).hex()
                first = records.access.answer(key_id, digest)
                if first is not None:
                    _refuse_other_body(first, body_hash)
                    records.devices.set_token(first.answer, secret_hash(token))
                    return Registered(first.answer, token)
                answer = AnswerRow(body_hash, 201, device_id)
                records.access.keep_answer(key_id, digest, answer=answer, at=self._clock.now())
            return self._add(records, details, device_id=device_id, shopper_id=shopper_id, token=token)

        made = self._database.write(register)
        if made.device_id != device_id:
            self._changed(made.device_id)
        return made

    def update(self, device_id: str, changes: Mapping[str, Any]) -> None:
        """Changes any of platform (ios, android), push_token, language (ISO 639-1), timezone (IANA) and
        os_permissions (name to state); None forgets a value. Raises Invalid with a problem per bad field."""
        _refuse_bad(changes)
        if changes:
            changes = dict(changes)
            if "os_permissions" in changes:
                changes["os_permissions"] = changes["os_permissions"] or {}
            now = self._clock.now()
            self._database.write(lambda records: records.devices.update_device(device_id, changes, at=now))

    def device(self, device_id: str) -> DeviceRow:
        """The device; raises NotFound."""
        with self._database.read() as records:
            row = records.devices.device(device_id)
        if row is None:
            raise NotFound(f"there is no device {device_id!r}")
        return row

    def known_shoppers(self, device_ids: Iterable[str]) -> dict[str, str]:
        """The shopper of each device that was asked for before, without asking the database."""
        return {name: shopper for name in device_ids if (shopper := self._known.get(name)) is not None}

    def shoppers_of(self, device_ids: Iterable[str]) -> dict[str, str]:
        """The shopper of each device that exists."""
        moves = self._moves
        with self._database.read() as records:
            found = {row.id: row.shopper_id for row in records.devices.devices(device_ids).values()}
        with self._lock:
            # What was read before a device moved may be how it was before.
            if moves == self._moves:
                if len(self._known) + len(found) > _KNOWN_AT_MOST:
                    self._known.clear()
                self._known.update(found)
        return found

    def forget(self, device_ids: Iterable[str]) -> None:
        """Looks devices up again when they are asked for next, because they have got another shopper."""
        with self._lock:
            self._moves += 1
            for device_id in device_ids:
                self._known.pop(device_id, None)

    def put_consents(self, device: DeviceRow, statements: Sequence[ConsentRow]) -> None:
        """Adds consent statements to those kept; the newest per purpose and channel counts.

        Raises Invalid with a problem per bad statement, and then keeps none.
        """
        now = self._clock.now()
        problems = [
            problem
            for index, statement in enumerate(statements)
            for problem in _consent_problems(f"/consents/{index}", statement, now=now)
        ]
        if problems:
            raise Invalid("the consents cannot be kept as they are", problems=problems)

        def add(records: Records) -> None:
            # Whose it is may have changed since the caller was recognised, and a withdrawal must not be lost by that.
            found = records.devices.device(device.id) or device
            records.devices.add_consents(found, statements, received_at=now)

        self._database.write(add)

    def consents(self, device: DeviceRow) -> list[ConsentRow]:
        """The statements of the device's shopper that count now."""
        with self._database.read() as records:
            return records.devices.consents([device.shopper_id]).get(device.shopper_id, [])

    def _add(
        self, records: Records, details: Mapping[str, Any], *, device_id: str, shopper_id: str, token: str
    ) -> Registered:
        row = DeviceRow(
            id=device_id,
            shopper_id=shopper_id,
            platform=details.get("platform"),
            push_token=details.get("push_token"),
            language=details.get("language"),
            timezone=details.get("timezone"),
            os_permissions=details.get("os_permissions") or {},
            registered_at=self._clock.now(),
        )
        records.devices.add_device(row, token_hash=secret_hash(token))
        return Registered(device_id, token)


def _refuse_other_body(first: AnswerRow, body_hash: bytes) -> None:
    if first.body_hash != body_hash:
        raise Invalid(
            "this Idempotency-Key was used with another body; take a new key for a new request",
            code="idempotency_key_reused",
        )


def _refuse_bad(details: Mapping[str, Any]) -> None:
    checks: dict[str, tuple[Callable[[Any], object], str]] = {
        "platform": (lambda value: value in PLATFORMS, "write ios or android"),
        "language": (_LANGUAGE.fullmatch, "write the two letters of ISO 639-1, like fr"),
        "timezone": (lambda value: value in timezones(), "write an IANA name, like Europe/Paris"),
    }
    problems = [
        Problem(f"/{name}", f"bad_{name}", advice)
        for name, (check, advice) in checks.items()
        if details.get(name) is not None and not check(details[name])
    ]
    if problems:
        raise Invalid("the device's details are not valid", problems=problems)


def _consent_problems(pointer: str, statement: ConsentRow, *, now: datetime) -> list[Problem]:
    found = []
    if statement.purpose not in PURPOSES:
        found.append(Problem(f"{pointer}/purpose", "bad_purpose", "write marketing or location"))
    if statement.purpose == "marketing" and statement.channel not in tuple(Channel):
        detail = f"marketing consent is given for a channel: {', '.join(Channel)}"
        found.append(Problem(f"{pointer}/channel", "bad_channel", detail))
    if statement.purpose == "location" and statement.channel is not None:
        found.append(Problem(f"{pointer}/channel", "bad_channel", "location consent has no channel"))
    if statement.at > now + _MAY_BE_AHEAD or statement.at < now - _MAY_BE_OLD:
        detail = (
            "the time lies more than 5 minutes ahead or more than ten years back: check the phone's clock"
        )
        found.append(Problem(f"{pointer}/at", "time_out_of_range", detail))
    return found
