"""Routes that try a campaign without applying it: its plan, and what it would have sent on stored evidence."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from campaigns.model import Campaign
from m2s.app.access import Role
from m2s.bootstrap import Engine, making_much
from m2s.core.base.errors import Invalid, Problem
from m2s.entry.api.door import BodyBytes, Door, Here, allowed
from m2s.entry.api.fields import AskedInstant, AskedInstantOrDay, Id, check_span
from m2s.entry.api.v1.campaigns import MOST_YAML_BYTES, YAML_BODY, yaml_of

router = APIRouter(route_class=Door, tags=["campaigns"])

_LONGEST = timedelta(days=92)
_IN_FORCE = "in force"
Cell = str | int | float | None
Rows = list[dict[str, Cell]]


class Run(BaseModel):
    """What a run over stored evidence decided; `notes` say what it could not know, `versions` name what it tried."""

    name: str
    versions: dict[str, str]
    evidence: int
    notes: list[str]
    campaigns: Rows
    offers: Rows
    reasons: Rows
    hours: Rows
    stores: Rows


class Runs(BaseModel):
    """The campaign as tried, and where asked for what runs now."""

    runs: list[Run]


class CampaignPlan(BaseModel):
    """What applying a campaign would do; `change` is `created`, `changed`, `unchanged` or `refused`."""

    campaign_id: str
    version: str
    change: str
    differences: list[str]
    stores: list[str]
    seen: int
    reach: Rows
    days: int
    played: Run
    money: list[str]
    sms: Rows
    law: list[str]
    conflicts: list[str]
    power: list[str]


@router.post("/v1/campaigns/plan", **allowed(Role.MANAGER, max_body_bytes=MOST_YAML_BYTES, **YAML_BODY))
def plan_campaign(
    engine: Here,
    request: Request,
    body: BodyBytes,
    days: Annotated[int, Query(ge=1, le=60)] = 7,
    at: Annotated[AskedInstant | None, Query()] = None,
) -> CampaignPlan:
    """What applying it would change and do, by the evidence of the last days before `at`, or now; changes nothing."""
    yaml = yaml_of(request, body)
    campaign = engine.publish.check_campaign(yaml)
    with making_much() as turn:
        plan = engine.plans.plan(campaign, yaml.decode("utf-8-sig"), days=days, at=at, turn=turn)
    return CampaignPlan(**plan.as_plain())


@router.post(
    "/v1/campaigns/{campaign_id}/backtest",
    **allowed(Role.MANAGER, max_body_bytes=MOST_YAML_BYTES, **YAML_BODY),
)
def backtest_campaign(
    engine: Here,
    request: Request,
    campaign_id: Id,
    body: BodyBytes,
    since: Annotated[AskedInstantOrDay, Query(alias="from")],
    until: Annotated[AskedInstantOrDay, Query(alias="to")],
    against_running: Annotated[bool, Query()] = False,
) -> Runs:
    """What it would have sent in a half-open span of stored evidence, at most 92 days; changes nothing."""
    check_span(since, until)
    if until - since > _LONGEST:
        problem = Problem(
            "?to", "too_long", "the span is at most 92 days: write a later `from` or an earlier `to`"
        )
        raise Invalid("the span is too long", problems=[problem])
    campaign = engine.publish.check_campaign(yaml_of(request, body))
    if campaign.id != campaign_id:
        raise Invalid(
            f"this is the campaign {campaign.id!r}, not {campaign_id!r}: change `campaign:` or the address",
            code="other_campaign",
        )
    tries: list[tuple[str, list[Campaign]]] = [(campaign.id, [campaign])]
    if against_running:
        tries.append((_IN_FORCE, []))
    return Runs(runs=[_run(engine, name, tried, since=since, until=until) for name, tried in tries])


def _run(engine: Engine, name: str, campaigns: list[Campaign], *, since: datetime, until: datetime) -> Run:
    scenario = engine.backtest.scenario(name, campaigns, since=since, until=until)
    with making_much() as turn:
        played = engine.backtest.play(scenario, since=since, until=until, turn=turn)
    return Run(**played.as_plain())
