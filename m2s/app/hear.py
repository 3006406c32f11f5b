"""What follows from what a provider tells? Its receipts move messages on, and replies are done what they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from m2s.app.answers import answer
from m2s.app.callbacks import Answer, Callback, Heard, Listener, Reply
from m2s.app.observer import CallbackObserver
from m2s.app.opposition import REPLIED_STOP, oppose_number, reinstate_number, whose_number
from m2s.app.pivots import e164, reply_digest
from m2s.app.ports import Records
from m2s.app.receipts import take_receipt
from m2s.app.rows import MessageRow
from m2s.app.shoppers import Ground
from m2s.core.base.errors import Invalid, NotFound
from m2s.core.delivery.message import State
from m2s.core.delivery.replies import Word, wish_of

ANSWER_VALID = timedelta(hours=1)
"""How long an answer by SMS may wait: who asks for hours wants to know them now."""

REPEATED_WITHIN = timedelta(minutes=10)
"""A provider that gives replies no ids, and missed our word for one, sends it again within so long. The same words from
the same number are one reply until then: she has her answer. But for STOP: once too often does no harm."""

_LONGEST_NAME = 255
_log = structlog.get_logger()


@dataclass(slots=True)
class _Followed:
    """What came of a request: what is to be counted, and the text for who wrote."""

    receipts: list[str]
    states: list[State]
    words: list[str]
    text: str | None = None


class Hear:
    """Takes the requests of SMS providers; `by_sms` says whether SMS leave at all, so that answers can."""

    def __init__(
        self, ground: Ground, listeners: Mapping[str, Listener], *, observer: CallbackObserver, by_sms: bool
    ) -> None:
        self._ground = ground
        self._listeners = listeners
        self._observer = observer
        self._by_sms = by_sms

    def take(self, provider: str, callback: Callback) -> Answer | None:
        """Keeps all that a request tells, in one transaction, and returns what the provider is answered.

        Raises NotFound for a provider that is not listened to, Forbidden for a request that is not its own, Invalid
        for one that cannot be understood; nothing is kept then.
        """
        listener = self._listeners.get(provider)
        if listener is None:
            raise NotFound("this provider has no callback in the settings")
        heard = listener.hear(callback)
        at_once = listener.answer(None) is not None
        text = self.told(provider, heard, at_once=at_once)
        return listener.answer(text) if heard.replies else None

    def told(self, provider: str, heard: Heard, *, at_once: bool = False) -> str | None:
        """The same of what a provider has told in another way; the text for who wrote, where it goes `at_once`.

        Else it leaves as an SMS of its own.
        """
        _refuse_odd_names(heard)
        at = self._ground.clock.now()
        followed = self._ground.database.write(
            lambda records: self._follow(records, provider, heard, at_once=at_once, at=at)
        )
        for verdict in followed.receipts:
            self._observer.receipt(provider, verdict)
        for state in followed.states:
            self._observer.moved(state)
        for word in followed.words:
            self._observer.reply(provider, word)
        return followed.text

    def _follow(
        self, records: Records, provider: str, heard: Heard, *, at_once: bool, at: datetime
    ) -> _Followed:
        followed = _Followed([], [], [])
        for receipt in heard.receipts:
            verdict, state = take_receipt(records, provider, receipt, at=at)
            followed.receipts.append(verdict)
            if state is not None:
                followed.states.append(state)
        for reply in heard.replies:
            is_new = _is_new(records, provider, reply, at=at)
            word, text = self._do(records, reply, is_new=is_new, by_sms=not at_once, at=at)
            followed.text = text
            if is_new:
                followed.words.append(word)
        return followed

    def _do(
        self, records: Records, reply: Reply, *, is_new: bool, by_sms: bool, at: datetime
    ) -> tuple[str, str | None]:
        """Does once what a reply asks for; its word, and the text that the provider is to send."""
        wish, phone = wish_of(reply.text), e164(reply.phone, None)
        if wish is None or phone is None:
            if wish is not None:
                _log.warning("replies.no_number", word=str(wish.word))
            return "other", None
        word = str(wish.word)
        if wish.word is Word.STOP:
            if is_new or reply.reply_id is None:
                oppose_number(records, phone, "sms", at=at, told=REPLIED_STOP)
            return word, None
        if wish.word is Word.START:
            if is_new:
                reinstate_number(records, phone, "sms", at=at)
            return word, None
        if reply.answered:
            return word, None
        whose = whose_number(records, phone)
        text, store_id = answer(records, wish, whose, catalog=self._ground.catalog(), now=at)
        if not by_sms:
            return word, text
        if is_new:
            self._plan(records, phone, text, store_id=store_id, at=at)
        return word, None

    def _plan(self, records: Records, phone: str, text: str, *, store_id: str, at: datetime) -> None:
        """Plans an answer as an SMS of its own, to who gets SMS at a number; whom we do not know gets none."""
        reached = records.devices.shoppers_with_phone(phone)
        if not self._by_sms or not reached:
            return
        message_id = self._ground.ids.new("msg")
        row = MessageRow(
            id=message_id,
            decision_id=message_id,
            shopper_id=reached[0],
            device_id=None,
            campaign_id="",
            offer_id="",
            store_id=store_id,
            channel="sms",
            title=None,
            body=text,
            state=State.PLANNED,
            reason=None,
            not_before=at,
            valid_until=at + ANSWER_VALID,
            created_at=at,
            tries=0,
            fence=0,
        )
        records.messages.add([row])


def _is_new(records: Records, provider: str, reply: Reply, *, at: datetime) -> bool:
    """Whether a reply is no repeat of one that was heard; now it was."""
    if reply.reply_id is not None:
        return records.receipts.hear(provider, reply.reply_id, at=at)
    said = reply_digest(records, "\n".join((reply.phone, reply.marks, reply.text)))
    return records.receipts.hear(provider, said, at=at, since=at - REPEATED_WITHIN)


def _refuse_odd_names(heard: Heard) -> None:
    names = [name for one in heard.receipts for name in (one.provider_id, one.status)]
    for name in (*names, *(one.reply_id for one in heard.replies if one.reply_id is not None)):
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            raise Invalid(f"ids and statuses are up to {_LONGEST_NAME} printable characters")
