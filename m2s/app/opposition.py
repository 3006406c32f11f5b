"""What if somebody says no more messages, or that she wants them again? It holds for her number, whoever has it.

A number is kept as its digest, so that it also holds for who comes with it later. Who agreed anew after it gets
messages again; START takes it back, and nothing else that she withdrew.
"""

from collections.abc import Iterable
from datetime import datetime

from m2s.app.inputs import Statement
from m2s.app.pivots import number_digest
from m2s.app.ports import Records
from m2s.app.rows import ConsentRow

TOLD_BY_PROVIDER = "opposition told by the provider"
"""Stands where a consent has the version of the text that was agreed to."""

REPLIED_STOP = "STOP by reply"
"""The same, of who wrote STOP."""

_OF_NUMBER = frozenset({TOLD_BY_PROVIDER, REPLIED_STOP})


def oppose(records: Records, shopper_id: str, channel: str, *, at: datetime) -> None:
    """Takes a shopper's consent to marketing by a channel back, from this instant on, as her provider told."""
    _state(records, [shopper_id], channel, granted=False, text_version=TOLD_BY_PROVIDER, at=at)


def oppose_number(
    records: Records, phone: str, channel: str, *, at: datetime, told: str = TOLD_BY_PROVIDER
) -> list[str]:
    """The same for everybody with a number (E.164), now and from now on; returns who has it.

    What is claimed for them and has not begun is looked at anew before it may.
    """
    whose = whose_number(records, phone)
    records.oppositions.put(channel, number_digest(records, phone), at=at)
    _state(records, whose, channel, granted=False, text_version=told, at=at)
    records.oppositions.take_back_claims(whose, channel, at=at)
    return whose


def reinstate_number(records: Records, phone: str, channel: str, *, at: datetime) -> list[str]:
    """Takes the opposition of a number back; returns who gets messages again.

    Those who had agreed when it came have agreed again. What they withdrew by other ways stays withdrawn.
    """
    whose = whose_number(records, phone)
    records.oppositions.drop(channel, number_digest(records, phone))
    again = []
    for shopper_id, said in records.oppositions.said(whose, channel).items():
        before = [row for row in said if row.text_version not in _OF_NUMBER]
        if said[-1].text_version in _OF_NUMBER and before and before[-1].granted:
            _state(records, [shopper_id], channel, granted=True, text_version=before[-1].text_version, at=at)
            again.append(shopper_id)
    return again


def heed_opposition(records: Records, shopper_id: str, phone: str) -> None:
    """Has the opposition of a number hold for a shopper who comes with it, from when it was told on."""
    since = records.oppositions.since("sms", number_digest(records, phone))
    if since is not None:
        _state(records, [shopper_id], "sms", granted=False, text_version=REPLIED_STOP, at=since)


def whose_number(records: Records, phone: str) -> list[str]:
    """Who has a number: to whom SMS would go there, and of whom the retailer knows it."""
    held = records.identities.holders([("phone", number_digest(records, phone))]).values()
    return sorted({*records.devices.shoppers_with_phone(phone), *(one.shopper_id for one in held)})


def _state(
    records: Records,
    shopper_ids: Iterable[str],
    channel: str,
    *,
    granted: bool,
    text_version: str,
    at: datetime,
) -> None:
    said = Statement(ConsentRow("marketing", channel, granted, text_version, at), "callback")
    for shopper_id in shopper_ids:
        records.identities.state(shopper_id, [said], now=at)
