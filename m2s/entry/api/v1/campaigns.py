"""Routes of campaigns: check a YAML text, put it into force, pause, resume and stop it."""

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from campaigns.identity import version_of
from campaigns.schema import campaign_schema
from m2s.app.access import Role
from m2s.app.deciding import published_salt
from m2s.app.rows import CampaignRow
from m2s.entry.api.bodies import media_type
from m2s.entry.api.door import BodyBytes, Door, Here, allowed
from m2s.entry.api.fields import Id, Instant
from m2s.entry.api.problems import UnsupportedMedia

router = APIRouter(route_class=Door, tags=["campaigns"])

YAML = "application/yaml"
MOST_YAML_BYTES = 256 * 1024
_SCHEMA = "application/schema+json"
YAML_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {YAML: {"schema": {"type": "string", "description": "One campaign in YAML 1.2"}}},
    }
}


class Campaign(BaseModel):
    """A campaign in force; `salt` is what its holdout is drawn with."""

    campaign_id: str
    version: str
    state: str
    salt: str
    applied_at: Instant


class CampaignText(Campaign):
    """A campaign in force with its text."""

    yaml: str


class AppliedCampaign(Campaign):
    """What applying did: `created`, `changed` or `unchanged`."""

    change: str


class Campaigns(BaseModel):
    """Every campaign ever applied; `universal_salt` is what the holdout from all of them is drawn with."""

    campaigns: list[Campaign]
    universal_salt: str | None


class CheckedCampaign(BaseModel):
    """A campaign whose text has no problems."""

    campaign_id: str
    version: str
    offers: list[str]


@router.post("/v1/campaigns/validate", **allowed(Role.MANAGER, max_body_bytes=MOST_YAML_BYTES, **YAML_BODY))
def validate_campaign(engine: Here, request: Request, body: BodyBytes) -> CheckedCampaign:
    """Checks a campaign against the stores in force and changes nothing."""
    campaign = engine.publish.check_campaign(yaml_of(request, body))
    return CheckedCampaign(
        campaign_id=campaign.id, version=version_of(campaign), offers=[offer.id for offer in campaign.offers]
    )


@router.put(
    "/v1/campaigns/{campaign_id}",
    responses={201: {"model": AppliedCampaign}},
    **allowed(Role.MANAGER, max_body_bytes=MOST_YAML_BYTES, **YAML_BODY),
)
def put_campaign(
    engine: Here, request: Request, campaign_id: Id, body: BodyBytes, response: Response
) -> AppliedCampaign:
    """Puts a campaign into force; a paused one stays paused."""
    applied = engine.publish.apply_campaign(campaign_id, yaml_of(request, body))
    if applied.change == "created":
        response.status_code = 201
    return AppliedCampaign(**_fields(applied.campaign), change=applied.change)


@router.get("/v1/campaigns", **allowed(Role.MANAGER))
def get_campaigns(engine: Here) -> Campaigns:
    """Every campaign ever applied, sorted by id."""
    campaigns = [_campaign(row) for row in engine.publish.campaigns()]
    return Campaigns(campaigns=campaigns, universal_salt=published_salt(engine.database))


@router.get(
    "/v1/campaigns/schema.json",
    response_class=Response,
    responses={200: {"content": {_SCHEMA: {"schema": {"type": "object"}}}}},
    **allowed(),
)
def get_campaign_schema() -> Response:
    """The JSON Schema of a campaign file, for editors; it stands in for no check of `validate`."""
    return Response(json.dumps(campaign_schema(), ensure_ascii=False), media_type=_SCHEMA)


@router.get("/v1/campaigns/{campaign_id}", **allowed(Role.MANAGER))
def get_campaign(engine: Here, campaign_id: Id) -> CampaignText:
    """One campaign with the text that was applied."""
    row = engine.publish.campaign(campaign_id)
    return CampaignText(**_fields(row), yaml=row.yaml)


@router.post("/v1/campaigns/{campaign_id}/pause", **allowed(Role.MANAGER))
def pause_campaign(engine: Here, campaign_id: Id) -> Campaign:
    """Sends nothing until it is resumed; applying does not resume it."""
    return _campaign(engine.publish.pause(campaign_id))


@router.post("/v1/campaigns/{campaign_id}/resume", **allowed(Role.MANAGER))
def resume_campaign(engine: Here, campaign_id: Id) -> Campaign:
    """Sends again."""
    return _campaign(engine.publish.resume(campaign_id))


@router.post("/v1/campaigns/{campaign_id}/stop", **allowed(Role.MANAGER))
def stop_campaign(engine: Here, campaign_id: Id) -> Campaign:
    """Ends it for good."""
    return _campaign(engine.publish.stop(campaign_id))


def yaml_of(request: Request, body: bytes) -> bytes:
    """The body, if it says that it is YAML."""
    if media_type(request.scope["headers"]) not in (YAML, "application/x-yaml", "text/yaml"):
        raise UnsupportedMedia(f"send the campaign as {YAML}")
    return body


def _campaign(row: CampaignRow) -> Campaign:
    return Campaign(**_fields(row))


def _fields(row: CampaignRow) -> dict[str, Any]:
    return {
        "campaign_id": row.id,
        "version": row.version,
        "state": row.state,
        "salt": row.salt,
        "applied_at": row.applied_at,
    }
