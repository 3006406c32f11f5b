"""Routes that answer why: decisions with their traces in plain sentences. Each look is logged with its reason."""

from dataclasses import asdict
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Query
from pydantic import BaseModel

from m2s.app.access import Role
from m2s.app.explain import Explained
from m2s.core.base.errors import Invalid, Problem
from m2s.entry.api.door import Door, Here, OwnKey, allowed
from m2s.entry.api.fields import AskedInstantOrDay, Id, Instant, check_span

router = APIRouter(route_class=Door, tags=["decisions"])
log = structlog.get_logger()

Reason = Annotated[
    str,
    Header(
        alias="X-Reason", min_length=3, max_length=200, description="why you look at a person's decisions"
    ),
]
OptionalId = Annotated[Id | None, Query()]


class Check(BaseModel):
    """One rule's verdict: the value that it saw and the limit that it held it against."""

    name: str
    passed: bool
    value: str | int | float | bool | None
    limit: str | int | float | bool | None


class Message(BaseModel):
    """What became of the message of a send: its state in the outbox, and why where that needs saying."""

    message_id: str
    state: str
    reason: str | None


class Decision(BaseModel):
    """One decision, with the rules that made it and, for a send, its message."""

    decision_id: str
    campaign_id: str
    offer_id: str
    offer_version: str
    shopper_id: str
    device_id: str | None
    store_id: str
    trigger: str
    outcome: str
    reason: str | None
    channel: str | None
    at: Instant
    decided_at: Instant
    valid_until: Instant
    message: Message | None
    trace: list[Check]
    sentences: list[str]


class LastSeen(BaseModel):
    """The last evidence at one store, without coordinates."""

    store_id: str
    zone_id: str
    kind: str
    at: Instant
    inside_probability: float


class Decisions(BaseModel):
    """Decisions, newest first; where there are none, `sentences` say what that means, and before it who was joined."""

    decisions: list[Decision]
    sentences: list[str]
    last_seen: list[LastSeen]


@router.get("/v1/decisions", **allowed(Role.MANAGER, Role.PRIVACY))
def get_decisions(
    engine: Here,
    key: OwnKey,
    reason: Reason,
    shopper_id: OptionalId = None,
    device_id: OptionalId = None,
    offer_id: OptionalId = None,
    since: Annotated[AskedInstantOrDay | None, Query(alias="from")] = None,
    until: Annotated[AskedInstantOrDay | None, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Decisions:
    """Why a shopper got what she got, or nothing; `shopper_id` or `device_id` says who she is."""
    if shopper_id is None and device_id is None:
        problem = Problem("?shopper_id", "missing", "give shopper_id or device_id")
        raise Invalid("decisions are shown of one shopper at a time", problems=[problem])
    check_span(since, until)
    log.info("decisions.read", key_id=key.id, reason=reason, shopper_id=shopper_id, device_id=device_id)
    found = engine.explain.find(
        shopper_id=shopper_id, device_id=device_id, offer_id=offer_id, since=since, until=until, limit=limit
    )
    return Decisions(
        decisions=[_decision(item) for item in found.decisions],
        sentences=list(found.sentences),
        last_seen=[LastSeen(**asdict(seen)) for seen in found.last_seen],
    )


@router.get("/v1/decisions/{decision_id}", **allowed(Role.MANAGER, Role.PRIVACY))
def get_decision(engine: Here, key: OwnKey, decision_id: Id, reason: Reason) -> Decision:
    """One decision with its trace."""
    log.info("decisions.read", key_id=key.id, reason=reason, decision_id=decision_id)
    return _decision(engine.explain.one(decision_id))


def _decision(explained: Explained) -> Decision:
    row = explained.decision
    fields: dict[str, Any] = {
        name: getattr(row, name)
        for name in Decision.model_fields
        if name not in ("decision_id", "message", "sentences", "trace")
    }
    trace = [Check.model_validate(check) for check in row.trace]
    sent = explained.message
    message = None if sent is None else Message(message_id=sent.id, state=sent.state, reason=sent.reason)
    return Decision(
        decision_id=row.id, message=message, trace=trace, sentences=list(explained.sentences), **fields
    )
