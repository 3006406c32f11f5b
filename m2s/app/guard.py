"""Does a campaign drive shoppers away? One that makes too many opt out is paused, until a manager resumes it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from m2s.app.past import resumed_key
from m2s.app.ports import Database, Records
from m2s.app.publish import PAUSED
from m2s.core.base.instants import parse_rfc3339
from m2s.core.measure.optout import too_many

WITHIN = timedelta(days=28)
"""How far back messages count."""
ANSWERED_WITHIN = timedelta(days=7)
"""An opt-out is blamed on the last message that left so long before it."""

_log = structlog.get_logger()


class Guard:
    """Pauses campaigns that drive shoppers away."""

    def __init__(self, database: Database, *, pause: Callable[[str], object]) -> None:
        self._database = database
        self._pause = pause

    def run(self, now: datetime) -> list[str]:
        """Pauses what has to be paused; returns the ids."""
        with self._database.read() as records:
            since = {
                row.id: max(now - WITHIN, _resumed_at(records, row.id) or now - WITHIN)
                for row in records.catalog.campaigns()
                if row.state != PAUSED
            }
            counts = records.opt_outs.by_campaign(since, answered_within=ANSWERED_WITHIN)
        found = sorted(
            campaign_id
            for campaign_id, one in counts.items()
            if too_many(one.opted_out, delivered=one.delivered)
        )
        for campaign_id in found:
            self._pause(campaign_id)
            one = counts[campaign_id]
            _log.warning(
                "campaign.paused_by_opt_outs",
                campaign_id=campaign_id,
                opted_out=one.opted_out,
                delivered=one.delivered,
            )
        return found


def _resumed_at(records: Records, campaign_id: str) -> datetime | None:
    """When a manager last resumed a campaign: what happened before is known to her."""
    text = records.catalog.setting(resumed_key(campaign_id))
    return None if text is None else parse_rfc3339(text)
