"""What can a command have changed? Orders by name, carried out by the owner of the database: the command or the server.

What an order takes and answers is plain data, so that both ways end in the same. A new order is one function here and
one line in ORDERS.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from campaigns.model import Campaign
from campaigns.outline import StoreOutline
from campaigns.problems import CampaignProblems, Problem
from campaigns.reader import read_campaign
from campaigns.smslaw import SmsRules
from m2s.app.access import Role
from m2s.app.endpoints import EndpointRow
from m2s.app.inputs import BaseRow, Basket, Taken
from m2s.app.rows import CampaignRow
from m2s.bootstrap import Desk, making_much, read_stores
from m2s.core.base.errors import Conflict, Invalid


def _import_stores(
    desk: Desk, *, file: str, text: str, file_format: str, timezone: str | None
) -> dict[str, int]:
    with making_much():
        try:
            stores = read_stores(text, file_format, timezone=timezone)
        except Invalid as error:
            raise Invalid(f"{file}: {error.detail}", code=error.code, problems=error.problems) from None
        known = desk.catalog().stores
        replaced = sum(store.id in known for store in stores)
        version = desk.publish.publish_stores(stores)
    created = len(stores) - replaced
    return {"stores": len(stores), "created": created, "replaced": replaced, "version": version}


def _apply_campaigns(desk: Desk, *, files: Sequence[tuple[str, bytes]]) -> dict[str, list[dict[str, Any]]]:
    """Either the `problems` of the files, or what became of the `campaigns`."""
    read, problems = read_campaigns(files, outlines(desk), desk.publish.sms_rules)
    if problems:
        return {"problems": [asdict(problem) for problem in problems], "campaigns": []}
    _refuse_what_cannot_be_applied([campaign for _, _, campaign in read], desk)
    done = [desk.publish.apply_campaign(None, text, file=file) for file, text, _ in read]
    changes = [
        {"campaign_id": it.campaign.id, "change": it.change, "state": it.campaign.state} for it in done
    ]
    return {"problems": [], "campaigns": changes}


def _create_key(desk: Desk, *, role: str, store_id: str | None) -> dict[str, str | None]:
    row, text = desk.access.create_key(Role(role), store_id)
    return {"key_id": row.id, "role": str(row.role), "store_id": row.store_id, "key": text}


def _add_webhook(desk: Desk, *, url: str, events: Sequence[str], description: str) -> dict[str, str]:
    return _webhook(desk.webhooks.add(url, events, description=description))


def _webhook(row: EndpointRow) -> dict[str, str]:
    return {"webhook_id": row.id, "url": row.url, "events": row.events, "secret": row.secret}


def _run_retention(desk: Desk, *, most_s: float) -> dict[str, Any]:
    return asdict(desk.retention.run(desk.clock.now(), most_s=most_s))


def _import_purchases(desk: Desk, *, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return _told(desk.purchases.take(msgspec.convert(rows, list[Basket]), source="import"))


def _import_customers(
    desk: Desk, *, rows: Sequence[Mapping[str, Any]], country: str | None
) -> dict[str, Any]:
    return _told(desk.customers.take(msgspec.convert(rows, list[BaseRow]), country=country))


def _told(taken: Taken) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(taken)
    return told


def _state(row: CampaignRow) -> dict[str, str]:
    return {"campaign_id": row.id, "state": row.state}


ORDERS: Mapping[str, Callable[..., Any]] = {
    "stores import": _import_stores,
    "campaigns apply": _apply_campaigns,
    "campaigns pause": lambda desk, *, campaign_id: _state(desk.publish.pause(campaign_id)),
    "campaigns resume": lambda desk, *, campaign_id: _state(desk.publish.resume(campaign_id)),
    "campaigns stop": lambda desk, *, campaign_id: _state(desk.publish.stop(campaign_id)),
    "keys create": _create_key,
    "dead-letters drop": lambda desk, *, letter_id: desk.dead_letters.drop(letter_id),
    "dead-letters replay": lambda desk, *, letter_id: asdict(desk.replay(letter_id)),
    "retention run": _run_retention,
    "purchases import": _import_purchases,
    "customers import": _import_customers,
    "webhooks add": _add_webhook,
    "webhooks rotate": lambda desk, *, webhook_id: _webhook(desk.webhooks.rotate(webhook_id)),
    "webhooks remove": lambda desk, *, webhook_id: desk.webhooks.remove(webhook_id),
    "keys revoke": lambda desk, *, key_id: desk.access.revoke(key_id),
}
"""Each order by the name of its command."""


def outlines(desk: Desk) -> list[StoreOutline]:
    """What campaigns can name of the stores in force."""
    return list(desk.catalog().stores.values())


def read_campaigns(
    files: Iterable[tuple[str, bytes]], stores: Sequence[StoreOutline] | None, sms: SmsRules | None
) -> tuple[list[tuple[str, bytes, Campaign]], list[Problem]]:
    """The files that are valid, each by its name and text, and every problem of the others."""
    read, problems = [], []
    for file, text in files:
        try:
            read.append((file, text, read_campaign(text, file, stores=stores, sms=sms)))
        except CampaignProblems as found:
            problems += found.problems
    return read, problems


def _refuse_what_cannot_be_applied(campaigns: Sequence[Campaign], desk: Desk) -> None:
    """Raises Conflict when two files hold one campaign, or one that was stopped: before anything is applied."""
    twice, times = Counter(campaign.id for campaign in campaigns).most_common(1)[0]
    if times > 1:
        raise Conflict(f"{times} of the files hold the campaign {twice!r}; nothing was applied")
    stopped = {row.id for row in desk.publish.campaigns() if row.state == "stopped"}
    for campaign in campaigns:
        if campaign.id in stopped:
            raise Conflict(
                f"the campaign {campaign.id!r} was stopped for good; give it another id after `campaign:`."
                " Nothing was applied"
            )
