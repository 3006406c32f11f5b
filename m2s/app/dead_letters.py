"""What became of sightings and messages that could not be processed? Kept with the cause, to be tried again."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b, sha256

import msgspec

from m2s.app.ports import Database, Records
from m2s.app.rows import CouponRow, DeadLetterRow, MessageRow
from m2s.app.sighting import Answer, Batch, Sighting
from m2s.core.base.errors import Conflict, NotFound
from m2s.core.base.instants import Clock, rfc3339, to_ms

MOST_LETTERS = 10_000
"""Beyond this the oldest letters go."""

_SIGHTING, _MESSAGE = "sighting", "message"
_LONGEST_CAUSE = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a letter became: `accepted`, `away`, `duplicate`, or the code with which it was rejected.

    A message becomes `planned`: whether it leaves is decided when it is claimed, as for any other.
    """

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


def letter_of(message: MessageRow, coupon: CouponRow | None, *, cause: str, at: datetime) -> DeadLetterRow:
    """A message that cannot be sent as a letter; its coupon's code, which is worth money, is left out."""
    words = [message.title, message.body]
    if coupon is not None:
        words = [text and text.replace(coupon.code, "…") for text in words]
    body = {
        "message_id": message.id,
        "decision_id": message.decision_id,
        "campaign_id": message.campaign_id,
        "offer_id": message.offer_id,
        "store_id": message.store_id,
        "channel": message.channel,
        "title": words[0],
        "body": words[1],
        "words_sha256": sha256(f"{message.title or ''}\n{message.body}".encode()).hexdigest(),
        "valid_until": rfc3339(message.valid_until),
    }
    return DeadLetterRow(
        id=_letter_id(_MESSAGE, message.id),
        kind=_MESSAGE,
        device_id=message.device_id or "",
        received_at_ms=to_ms(message.created_at),
        sent_at_ms=None,
        body=json.dumps(body),
        cause=cause[:_LONGEST_CAUSE],
        tries=message.tries + message.lost + 1,
        at=at,
    )


class DeadLetters:
    """Lists, drops and replays dead letters."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

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

        A message is planned again. Raises NotFound when there is no such letter, Conflict when it fails again, its
        device is gone, or the message is no longer valid.
        """
        with self._database.read() as records:
            row = records.dead_letters.get(letter_id)
            if row is None:
                raise _unknown(letter_id)
            batch = None if row.kind == _MESSAGE else _batch(records, row)
        if batch is None:
            return self._plan_again(row)
        replayed = _verdict(submit(batch).result())
        if replayed.verdict == "unprocessable":
            with self._database.read() as records:
                again = records.dead_letters.get(letter_id) or row
            raise Conflict(f"{letter_id} could not be processed again: {again.cause}")
        self._database.write(lambda records: records.dead_letters.drop(letter_id))
        return replayed

    def _plan_again(self, row: DeadLetterRow) -> Replayed:
        message = json.loads(row.body)

        def work(records: Records) -> bool:
            planned = records.messages.replay(message["message_id"], self._clock.now())
            return planned and records.dead_letters.drop(row.id)

        if not self._database.write(work):
            raise Conflict(
                f"the message of {row.id} was valid until {message['valid_until']} and waits no more;"
                f" drop it with `m2s dead-letters drop {row.id}`"
            )
        return Replayed("planned", None)


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
