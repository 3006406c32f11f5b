"""What became of sightings that could not be processed? Each is kept with its cause, to be tried again or dropped."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import msgspec

from m2s.app.ports import Database, Records
from m2s.app.rows import DeadLetterRow
from m2s.app.sighting import Answer, Batch, Sighting
from m2s.core.base.errors import Conflict, NotFound

MOST_LETTERS = 10_000
"""Beyond this the oldest letters go."""

_SIGHTING = "sighting"
_LONGEST_CAUSE = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a letter became: `accepted`, `away`, `duplicate`, or the code with which it was rejected."""

    verdict: str
    detail: str | None


def letters_of(batch: Batch, error: Exception, *, at: datetime) -> list[DeadLetterRow]:
    """The sightings of a request as letters; one sighting is one letter, however often it fails."""
    return [
        DeadLetterRow(
            id=_letter_id(device_id, sighting.id),
            kind=_SIGHTING,
            device_id=device_id,
            received_at_ms=batch.received_at_ms,
            sent_at_ms=batch.sent_at_ms,
            # In ASCII, because a text that cannot be written may be the cause.
            body=json.dumps(msgspec.to_builtins(sighting)),
            cause=_cause(error),
            tries=1,
            at=at,
        )
        for _, sighting in batch.items
        for device_id in [batch.device_id or sighting.device_id or ""]
    ]


class DeadLetters:
    """Lists, drops and replays dead letters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[DeadLetterRow]:
        """Every letter, oldest first."""
        with self._database.read() as records:
            return records.dead_letters.all()

    def drop(self, letter_id: str) -> None:
        """Drops a letter for good; raises NotFound."""
        if not self._database.write(lambda records: records.dead_letters.drop(letter_id)):
            raise _unknown(letter_id)

    def replay(self, letter_id: str, submit: Callable[[Batch], Future[Answer]]) -> Replayed:
        """Gives a letter's sighting to the intake again, as of its first receipt; it is dropped unless it fails again.

        Raises NotFound when there is no such letter, Conflict when it fails again or its device is gone.
        """
        with self._database.read() as records:
            row = records.dead_letters.get(letter_id)
            if row is None:
                raise _unknown(letter_id)
            batch = _batch(records, row)
        replayed = _verdict(submit(batch).result())
        if replayed.verdict == "unprocessable":
            with self._database.read() as records:
                again = records.dead_letters.get(letter_id) or row
            raise Conflict(f"{letter_id} could not be processed again: {again.cause}")
        self._database.write(lambda records: records.dead_letters.drop(letter_id))
        return replayed


def _letter_id(device_id: str, sighting_id: str) -> str:
    named = json.dumps([device_id, sighting_id]).encode()
    return f"dl_{blake2b(named, digest_size=8).hexdigest()}"


def _cause(error: Exception) -> str:
    told = " ".join(f"{type(error).__name__}: {error}".split())
    return told.encode(errors="backslashreplace").decode()[:_LONGEST_CAUSE]


def _batch(records: Records, row: DeadLetterRow) -> Batch:
    device = records.devices.device(row.device_id)
    if device is None:
        raise Conflict(
            f"the device {row.device_id} of {row.id} is gone; drop it with `m2s dead-letters drop {row.id}`"
        )
    sighting = msgspec.convert(json.loads(row.body), Sighting)
    shoppers = {device.id: device.shopper_id}
    return Batch(device.id, shoppers, row.received_at_ms, row.sent_at_ms, [(0, sighting)], [])


def _verdict(answer: Answer) -> Replayed:
    if answer.rejected:
        return Replayed(answer.rejected[0].code, answer.rejected[0].detail)
    if answer.duplicates:
        return Replayed("duplicate", None)
    return Replayed("away" if answer.away else "accepted", None)


def _unknown(letter_id: str) -> NotFound:
    return NotFound(f"there is no dead letter {letter_id!r}; `m2s dead-letters list` shows those that exist")
